"""The pixels of fixed films are pinned: who changes them raises `PREPROCESS_VERSION`."""

import hashlib
from pathlib import Path

import pytest

from mammo_ray.config import PREPROCESS_VERSION, load_config
from mammo_ray.datasets.phantom_archive import write_phantom_archive
from mammo_ray.preprocess.pipeline import prepare_image

# Version of the pipeline and one override -> digest of the prepared pixels of all films.
GOLDEN = {
    (1, "preprocess.bits=16"): "dc9b297375a4235e",
    (1, "preprocess.resize=stretch"): "1ba3ea2b0efdf6a4",
    (1, "preprocess.clahe.enabled=true"): "a7b50e03c8d9d542",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The films of three phantom women, of three vendors."""
    archive = tmp_path_factory.mktemp("golden") / "archive"
    write_phantom_archive(archive, women=3, seed=11)
    return sorted(archive.rglob("*.dcm"))


@pytest.mark.parametrize("override", [override for _, override in GOLDEN])
def test_one_version_of_the_pipeline_gives_one_set_of_pixels(
    override: str, films: list[Path]
) -> None:
    size = ("preprocess.height=128", "preprocess.width=96")
    config = load_config(overrides=(*size, override))
    total = hashlib.sha256()
    for path in films:
        total.update(prepare_image(path.read_bytes(), None, config).pixels.tobytes())
    assert GOLDEN.get((PREPROCESS_VERSION, override)) == total.hexdigest()[:16]
