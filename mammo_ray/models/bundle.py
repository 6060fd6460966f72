"""The model bundle: a folder that holds all that scoring and evaluation need of a trained model.

::

    bundle.yaml    facts, the SHA-256 of every other file, and the digest of the whole; put last
    model.keras    architecture and weights
    config.yaml    the resolved configuration that it was trained with
    split.csv      image_id, patient_id and side of every image that took part
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd
import yaml
from pydantic import Field, ValidationError

from mammo_ray import __version__, storage
from mammo_ray.config import Config, Section, digest_of, validate_config
from mammo_ray.errors import BundleError, UsageError
from mammo_ray.models.model_file import model_from_bytes
from mammo_ray.schema import ImageKind, LabelLevel, LabelSource
from mammo_ray.splits import TEST, TRAIN, parse_split, split_table

if TYPE_CHECKING:
    import keras

BUNDLE_SCHEMA_VERSION: Final = "1"

_FACTS, _MODEL, _CONFIG, _SPLIT = "bundle.yaml", "model.keras", "config.yaml", "split.csv"


class InputFacts(Section):
    """The arrays that the model takes: (batch, height, width, channels)."""

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    channels: Literal[1] = 1
    bits: Literal[8, 16]
    value_range: tuple[int, int] = Field(description="smallest and largest pixel value")


class OutputFacts(Section):
    """One answer of the model."""

    name: str
    kind: Literal["logit"] = "logit"


class ValidatedScope(Section):
    """What the model was trained on and tested on; anything else is out of its scope."""

    image_kinds: tuple[ImageKind, ...] = ()
    implants: bool = False
    devices: tuple[str, ...] = Field((), description="manufacturer and model name")


class BundleFacts(Section):
    """What a bundle says about its model."""

    schema_version: Literal["1"] = BUNDLE_SCHEMA_VERSION
    task: Literal["classification"] = "classification"
    inputs: InputFacts
    outputs: tuple[OutputFacts, ...] = (OutputFacts(name="cancer"),)
    label_level: LabelLevel
    label_sources: tuple[LabelSource, ...] = ()
    validated: ValidatedScope = ValidatedScope()
    preprocess_digest: str
    manifest_digest: str = Field(description="of the data that it was trained on")
    fold: int | None = Field(None, ge=0, description="held-out fold of a cross-validation")
    metrics: dict[str, float | int | str | None] = Field(default_factory=dict)
    code_version: str = __version__


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and whose digests agree.

    Attributes:
        facts: what `bundle.yaml` says.
        config: the configuration of the training.
        split: `image_id`, `patient_id`, `split` of every image that took part.
        digest: stands for the model and everything said about it.
        model_file: the content of `model.keras`.
    """

    facts: BundleFacts
    config: Config
    split: pd.DataFrame
    digest: str
    model_file: bytes = field(repr=False)

    def load_model(self) -> "keras.Model":
        """The network, not compiled.

        Raises:
            BundleError: a file that Keras cannot load, or that holds code.
        """
        return model_from_bytes(self.model_file)

    def require_preprocess_digest(self, digest: str) -> None:
        """Refuse images that were prepared in another way than the training images.

        Raises:
            BundleError: with both digests.
        """
        if digest != self.facts.preprocess_digest:
            raise BundleError(
                f"the model was trained on images prepared as {self.facts.preprocess_digest}; "
                f"these are prepared as {digest}"
            )


def input_facts(height: int, width: int, bits: Literal[8, 16]) -> InputFacts:
    """The facts of prepared gray images of this size and depth."""
    return InputFacts(height=height, width=width, bits=bits, value_range=(0, 2**bits - 1))


def validated_scope(frame: pd.DataFrame) -> ValidatedScope:
    """What stands among the training women and among the held-out (`test`) women alike.

    Args:
        frame: labelled and unlabelled images with `split`, `cancer`, `image_kind`, `implant`,
            `manufacturer` and `model_name`; only labelled images count.
    """
    labelled = frame[frame["cancer"].notna()]
    sides = [labelled[labelled["split"] == side] for side in (TRAIN, TEST)]
    kinds = [set(side["image_kind"].dropna()) for side in sides]
    implants = [bool(side["implant"].fillna(value=False).astype(bool).any()) for side in sides]
    devices = [
        set((side["manufacturer"] + " " + side["model_name"]).dropna().astype("str"))
        for side in sides
    ]
    return ValidatedScope(
        image_kinds=tuple(ImageKind(kind) for kind in sorted(set.intersection(*kinds))),
        implants=all(implants),
        devices=tuple(sorted(set.intersection(*devices))),
    )


def write_bundle(
    folder: str, bundle: BundleFacts, model_file: bytes, config: Config, split: pd.DataFrame
) -> str:
    """Put a bundle into a folder or under an `s3://` prefix, and give its digest.

    `bundle.yaml` is removed first and put last: a folder that has it holds a whole bundle.

    Args:
        folder: where it goes.
        bundle: what is said of the model.
        model_file: the network, from `model_file.model_to_bytes`.
        config: the configuration of the training.
        split: `image_id`, `patient_id`, `split` of every image that took part.

    Raises:
        InputError: the split is not one row an image.
        PatientLeak: the split has a woman on two sides.
        StorageError: writing failed.
    """
    files = {
        _MODEL: model_file,
        _CONFIG: config.to_yaml().encode(),
        _SPLIT: split_table(split).to_csv(index=False, lineterminator="\n").encode(),
    }
    sums = {name: _sha256(content) for name, content in files.items()}
    digest = _bundle_digest(bundle, sums)
    storage.delete(storage.join(folder, _FACTS))
    for name, content in files.items():
        storage.write_bytes(storage.join(folder, name), content)
    tree = {**bundle.model_dump(mode="json"), "files": sums, "digest": digest}
    storage.write_text(storage.join(folder, _FACTS), yaml.safe_dump(tree, sort_keys=False))
    return digest


def read_bundle(folder: str) -> Bundle:
    """The bundle in a folder or under an `s3://` prefix.

    Raises:
        BundleError: a missing file, another schema version, a file or fact that was changed.
    """
    facts, sums, digest = _read_facts(folder)
    if _bundle_digest(facts, sums) != digest:
        raise BundleError(f"{folder}/{_FACTS} was changed: its digest is not {digest}")
    contents = {name: _read(folder, name) for name in (_MODEL, _CONFIG, _SPLIT)}
    for name, content in contents.items():
        found = _sha256(content)
        if found != sums.get(name):
            raise BundleError(
                f"{folder}/{name} was changed: its SHA-256 is {found}, expected {sums.get(name)}"
            )
    try:
        config = validate_config(yaml.safe_load(contents[_CONFIG]), f"{folder}/{_CONFIG}")
        split = parse_split(contents[_SPLIT], f"{folder}/{_SPLIT}")
    except (UsageError, yaml.YAMLError) as error:
        raise BundleError(f"{folder} was written by another version: {error}") from error
    return Bundle(facts, config, split, digest, contents[_MODEL])


def _read_facts(folder: str) -> tuple[BundleFacts, dict[str, str], str]:
    """Facts, sums of the files and digest, as they stand in `bundle.yaml`."""
    try:
        tree: Any = yaml.safe_load(_read(folder, _FACTS))
    except yaml.YAMLError as error:
        raise BundleError(f"{folder}/{_FACTS} is not YAML: {error}") from error
    if not isinstance(tree, dict) or "schema_version" not in tree:
        raise BundleError(f"{folder}/{_FACTS} has no schema_version: it is not a model bundle")
    if tree["schema_version"] != BUNDLE_SCHEMA_VERSION:
        raise BundleError(
            f"{folder}/{_FACTS} has schema version {tree['schema_version']!r}; this version of "
            f"mammo-ray ({__version__}) reads {BUNDLE_SCHEMA_VERSION!r}"
        )
    sums, digest = tree.pop("files", None), tree.pop("digest", None)
    if not isinstance(sums, dict) or not isinstance(digest, str):
        raise BundleError(f"{folder}/{_FACTS} lacks its files or its digest")
    try:
        return BundleFacts.model_validate(tree), sums, digest
    except ValidationError as error:
        raise BundleError(f"{folder}/{_FACTS} is not valid: {error}") from error


def _read(folder: str, name: str) -> bytes:
    try:
        return storage.read_bytes(storage.join(folder, name))
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a whole model bundle: it has no {name}") from error


def _bundle_digest(facts: BundleFacts, sums: dict[str, str]) -> str:
    return digest_of({"facts": facts.model_dump(mode="json"), "files": sums})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
