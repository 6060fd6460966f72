"""Bundles: everything comes back, and nothing that was changed is read."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from mammo_ray.config import Config, ModelConfig
from mammo_ray.errors import BundleError, PatientLeak
from mammo_ray.models.build import build_model
from mammo_ray.models.bundle import (
    BundleFacts,
    ValidatedScope,
    input_facts,
    read_bundle,
    validated_scope,
    write_bundle,
)
from mammo_ray.models.model_file import model_from_bytes, model_to_bytes
from mammo_ray.schema import ImageKind, LabelLevel, LabelSource

CONFIG = Config(recipe="test", model=ModelConfig(width=2))


def facts(**changes: object) -> BundleFacts:
    given: dict[str, Any] = {
        "inputs": input_facts(16, 16, 8),
        "label_level": LabelLevel.IMAGE,
        "label_sources": (LabelSource.PATHOLOGY,),
        "validated": ValidatedScope(image_kinds=(ImageKind.FFDM,), devices=("HOLOGIC Selenia",)),
        "preprocess_digest": CONFIG.preprocess_digest(),
        "manifest_digest": "0" * 32,
        "metrics": {"valid_auc": 0.1 + 0.2, "best_epoch": 3, "tiny": 1e-05},
    }
    return BundleFacts(**(given | changes))


def split() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": ["img-2", "img-1", "img-3"],
            "patient_id": ["B", "A", "C"],
            "split": ["valid", "train", "test"],
        }
    )


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build_model(CONFIG, 16, 16, bits=8)


@pytest.fixture(scope="module")
def written(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "model"
    write_bundle(str(folder), facts(), model_to_bytes(model), CONFIG, split())
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def test_a_bundle_comes_back_whole(model: keras.Model, folder: Path) -> None:
    bundle = read_bundle(str(folder))
    assert bundle.facts == facts()
    assert bundle.config == CONFIG
    assert bundle.split["image_id"].tolist() == ["img-1", "img-2", "img-3"]
    assert bundle.split["split"].tolist() == ["train", "valid", "test"]
    pixels = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 1), dtype=np.uint8)
    np.testing.assert_array_equal(
        bundle.load_model().predict_on_batch(pixels), model.predict_on_batch(pixels)
    )


def test_facts_can_be_read_by_people(folder: Path) -> None:
    tree = yaml.safe_load((folder / "bundle.yaml").read_text())
    assert tree["inputs"] == {
        "height": 16, "width": 16, "channels": 1, "bits": 8, "value_range": [0, 255],
    }  # fmt: skip
    assert tree["outputs"] == [{"name": "cancer", "kind": "logit"}]
    assert tree["validated"]["image_kinds"] == ["ffdm"]
    assert sorted(tree["files"]) == ["config.yaml", "model.keras", "split.csv"]


def test_digest_is_that_of_model_facts_and_files(model: keras.Model, tmp_path: Path) -> None:
    first = write_bundle(str(tmp_path / "a"), facts(), model_to_bytes(model), CONFIG, split())
    assert read_bundle(str(tmp_path / "a")).digest == first
    other_facts = write_bundle(
        str(tmp_path / "b"), facts(fold=1), model_to_bytes(model), CONFIG, split()
    )
    weights = [weight + 1 for weight in model.get_weights()]
    other = keras.models.clone_model(model)
    other.set_weights(weights)
    other_model = write_bundle(str(tmp_path / "c"), facts(), model_to_bytes(other), CONFIG, split())
    assert len({first, other_facts, other_model}) == 3


@pytest.mark.parametrize("name", ["bundle.yaml", "model.keras", "config.yaml", "split.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"it has no {name}"):
        read_bundle(str(folder))


@pytest.mark.parametrize("name", ["model.keras", "config.yaml", "split.csv"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=f"{name} was changed"):
        read_bundle(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree["validated"].update(implants=True), "was changed: its digest is not"),
        (lambda tree: tree.update(schema_version="2"), "schema version '2'"),
        (lambda tree: tree.pop("schema_version"), "no schema_version"),
        (lambda tree: tree.pop("digest"), "lacks its files or its digest"),
        (lambda tree: tree.update(surprise=1), "surprise"),
    ],
)
def test_changed_facts_are_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = folder / "bundle.yaml"
    tree = yaml.safe_load(path.read_text())
    change(tree)
    path.write_text(yaml.safe_dump(tree))
    with pytest.raises(BundleError, match=message):
        read_bundle(str(folder))


def test_a_file_that_is_not_yaml_is_refused(folder: Path) -> None:
    (folder / "bundle.yaml").write_text("a: [")
    with pytest.raises(BundleError, match="not YAML"):
        read_bundle(str(folder))


def test_a_write_that_breaks_off_leaves_no_bundle(
    folder: Path, model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _full(uri: str, content: bytes) -> None:
        raise OSError(f"no space for {len(content)} bytes of {uri}")

    monkeypatch.setattr("mammo_ray.storage.write_bytes", _full)
    with pytest.raises(OSError, match="no space"):
        write_bundle(str(folder), facts(), model_to_bytes(model), CONFIG, split())
    with pytest.raises(BundleError, match=r"it has no bundle\.yaml"):
        read_bundle(str(folder))


def test_a_leaking_split_is_never_written(model: keras.Model, tmp_path: Path) -> None:
    leaking = split().assign(patient_id="A")
    with pytest.raises(PatientLeak):
        write_bundle(str(tmp_path / "model"), facts(), model_to_bytes(model), CONFIG, leaking)
    assert not (tmp_path / "model").exists()


def test_images_prepared_in_another_way_are_refused(folder: Path) -> None:
    bundle = read_bundle(str(folder))
    bundle.require_preprocess_digest(CONFIG.preprocess_digest())
    with pytest.raises(BundleError, match="prepared as ffff"):
        bundle.require_preprocess_digest("ffff")


def test_a_lambda_layer_is_refused() -> None:
    pixels = keras.Input((4,))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2)(pixels))
    with pytest.raises(BundleError, match="Lambda"):
        model_from_bytes(model_to_bytes(model))


@pytest.mark.parametrize(
    ("module", "class_name"),
    [("os", "system"), ("keras.layers", "TFSMLayer"), ("kerasevil", "Dense"), (None, "Dense")],
)
def test_a_class_from_elsewhere_is_refused_before_keras_sees_it(
    model: keras.Model, module: str | None, class_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = model_to_bytes(model)
    forged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                tree = json.loads(data)
                tree["config"]["layers"][1] |= {"module": module, "class_name": class_name}
                data = json.dumps(tree).encode()
            new.writestr(name, data)
    monkeypatch.setattr(keras.saving, "load_model", None)  # a call would fail
    with pytest.raises(BundleError, match=class_name):
        model_from_bytes(forged.getvalue())


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(BundleError, match=r"not a \.keras file"):
        model_from_bytes(b"PK but not really")


def test_scope_is_what_training_and_held_out_women_share() -> None:
    frame = pd.DataFrame(
        [
            ("train", 0, "ffdm", True, "HOLOGIC", "Selenia"),
            ("train", 1, "film", False, "GE", "Senographe"),
            ("valid", 1, "contrast", False, "GE", "Pristina"),
            ("test", 0, "ffdm", False, "HOLOGIC", "Selenia"),
            ("test", None, "film", True, "GE", "Senographe"),  # unlabelled: proves nothing
            ("test", 1, "contrast", None, None, "Pristina"),
        ],
        columns=["split", "cancer", "image_kind", "implant", "manufacturer", "model_name"],
    )
    scope = validated_scope(frame)
    assert scope.image_kinds == (ImageKind.FFDM,)
    assert scope.devices == ("HOLOGIC Selenia",)
    assert not scope.implants
    frame.loc[3, "implant"] = True
    assert validated_scope(frame).implants
