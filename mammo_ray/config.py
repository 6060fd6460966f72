"""One validated configuration for every stage.

A recipe (`mammo_ray/recipes/NAME.yaml`) or a user's own file gives the base, `a.b=c` overrides
change it, and the result is validated as a whole: unknown keys are errors. The resolved
configuration is written beside every result as `config.yaml`.
"""

import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from mammo_ray.errors import ConfigError
from mammo_ray.schema import ImageKind

# Raise when the same configuration starts to give other pixels.
PREPROCESS_VERSION = 2

# What a regular expression over file names may name.
FILE_NAME_GROUPS = ("patient_id", "laterality", "view_position")


class Section(BaseModel):
    """Base of every section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ExcludeConfig(Section):
    """What an archive holds beside screening images; each rule can be switched off."""

    other_modality: bool = True
    quality_control: bool = Field(True, description="quality-control and phantom images")
    flat_field: bool = True
    magnification: bool = True
    spot_compression: bool = True
    stereotactic: bool = Field(True, description="images of a biopsy")
    specimen: bool = Field(True, description="tissue that was taken out")
    processing_twin: bool = Field(True, description="FOR PROCESSING beside FOR PRESENTATION")


def _file_name_pattern(text: str | None) -> str | None:
    """The text, if it is a regular expression that names what a path can tell.

    Raises:
        ValueError: not a regular expression, another group, or no group `patient_id`.
    """
    if text is None:
        return None
    try:
        groups = set(re.compile(text).groupindex)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if "patient_id" not in groups or not groups <= set(FILE_NAME_GROUPS):
        raise ValueError(
            f"needs a named group patient_id and knows {', '.join(FILE_NAME_GROUPS)}; "
            f"found {sorted(groups) or 'none'}"
        )
    return text


FileNamePattern = Annotated[str | None, AfterValidator(_file_name_pattern)]
_Words = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[^/\\]+$")]], Field(min_length=1)
]


class FoldersConfig(Section):
    """What the file names of the layout `folders` tell."""

    pattern: FileNamePattern = Field(
        None,
        description="regular expression, searched in the path below the root; named groups "
        "patient_id, laterality, view_position; null: a file name is a woman of its own",
    )


class PairsConfig(Section):
    """How the layout `pairs` tells masks from images."""

    pattern: FileNamePattern = Field(None, description="as `folders.pattern`, for the images")
    mask_suffixes: _Words = Field(
        ["mask", "masks", "gt", "seg", "segmentation", "label"],
        description="words that end or begin the name of a mask: x_mask, x-mask-1, mask_x",
    )
    mask_folders: _Words = Field(
        [
            "mask", "masks", "label", "labels", "annotation", "annotations", "ground_truth",
            "groundtruth", "gt", "seg", "segmentation", "segmentations",
        ],
        description="folders of masks beside a folder of images",
    )  # fmt: skip


class FetchConfig(Section):
    """How a data set is downloaded, and what its archive may hold."""

    max_gigabytes: float = Field(2000, gt=0, description="of a download, and of all it unpacks to")
    max_file_gigabytes: float = Field(8, gt=0, description="of one unpacked file")
    max_files: int = Field(2_000_000, ge=1, description="files and folders of an archive")
    max_ratio: float = Field(200, ge=1, description="unpacked for packed bytes, above 128 MiB")
    timeout_seconds: float = Field(60, gt=0, description="for a server to say something")
    attempts: int = Field(6, ge=1, description="failures in a row before a server is given up")


class DataConfig(Section):
    """What goes in, how it is cut into shards, and how women are split."""

    dataset: str | None = Field(
        None, min_length=1, description="goes into every image_id; null: the name of the layout"
    )
    kind: Literal["full", "crop"] = Field("full", description="which rows of a manifest are used")
    image_kinds: tuple[ImageKind | Literal["unknown"], ...] | None = Field(
        None,
        min_length=1,
        description="kinds that training pools, others are left out; null: there must be one",
    )
    exclude: ExcludeConfig = ExcludeConfig()
    folders: FoldersConfig = FoldersConfig()
    pairs: PairsConfig = PairsConfig()
    fetch: FetchConfig = FetchConfig()
    shard_images: int | None = Field(None, ge=1, description="images a shard; null: from sizes")
    shard_megabytes: int = Field(512, ge=1, description="cap on the source bytes of one shard, MB")
    allowed_rejected_share: float = Field(0.01, ge=0, le=1)
    validation_fraction: float = Field(0.15, gt=0, lt=1, description="share of women")
    test_fraction: float = Field(0.25, gt=0, lt=1, description="share of women, never trained on")
    split_seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _leaves_women_to_train_on(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must be below 1")
        return self


class DecodeConfig(Section):
    """Decoding, and the limits of the child process that does it."""

    reduced: Literal["none", "4x", "2x"] = Field(
        "none",
        description="leave resolution levels of JPEG 2000 out while the crop keeps so many times "
        "its prepared size",
    )
    max_megapixels: float = Field(100.0, gt=0, description="Rows x Columns above this are rejected")
    sandbox: bool = Field(True, description="prepare each image in a child process")
    timeout_seconds: float = Field(60.0, gt=0, description="wall-clock limit for one image")
    memory_megabytes: int = Field(3072, ge=256, description="memory cap of the child, beyond start")
    voi: Literal["auto", "first-window", "first-lut", "none"] = Field(
        "auto", description="auto: the LUT explained NORMAL, else LUT 0, else window 0"
    )
    inversion: Literal["shape", "photometric"] = Field(
        "shape", description="who is right where PresentationLUTShape and photometric disagree"
    )


class CropConfig(Section):
    """Crop to the breast."""

    enabled: bool = True
    margin_fraction: float = Field(0.02, ge=0, le=0.5, description="of the box, on every side")
    border_fraction: float = Field(0.0, ge=0, lt=0.25, description="of the film, cut off first")
    remove_artefacts: bool = Field(True, description="black out labels and wedges off the breast")


class OrientConfig(Section):
    """Mirror images so that the chest wall is always on the left."""

    enabled: bool = True


class ClaheConfig(Section):
    """Contrast-limited adaptive histogram equalisation, on the resized image."""

    enabled: bool = False
    clip_limit: float = Field(2.0, gt=0)
    tiles: int = Field(8, ge=1)


class PreprocessConfig(Section):
    """From gray levels to the array that a model sees."""

    height: int = Field(512, ge=8, le=8192)
    width: int = Field(512, ge=8, le=8192)
    bits: Literal[8, 16] = 8
    resize: Literal["pad", "stretch"] = Field("pad", description="pad keeps the aspect ratio")
    crop: CropConfig = CropConfig()
    orient: OrientConfig = OrientConfig()
    clahe: ClaheConfig = ClaheConfig()

    @property
    def image_bytes(self) -> int:
        """Uncompressed size of one prepared image."""
        return self.height * self.width * self.bits // 8


class AugmentConfig(Section):
    """Random changes to training images."""

    enabled: bool = False
    vertical_flip: bool = False
    rotation_degrees: float = Field(10.0, ge=0, le=180)
    shift_fraction: float = Field(0.05, ge=0, lt=1)
    zoom_fraction: float = Field(0.1, ge=0, lt=1)
    contrast_fraction: float = Field(0.1, ge=0, lt=1)


class ModelConfig(Section):
    """Which network."""

    name: Literal["small-cnn"] = "small-cnn"
    width: int = Field(16, ge=1, description="channels of the first stage")
    dropout: float = Field(0.2, ge=0, lt=1)


class HeadsConfig(Section):
    """What the network answers."""

    label: Literal["cancer"] = "cancer"


class TrainConfig(Section):
    """How the network is fitted."""

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(16, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    class_weights: bool = Field(True, description="weight classes by inverse frequency")
    patience: int = Field(5, ge=1, description="epochs without a better validation AUC")
    workers: Literal[1] = 1
    threads: int = Field(1, ge=1, description="CPU threads of the worker")
    seed: int = Field(0, ge=0)


class ScoreConfig(Section):
    """How an archive is scored."""

    batch_size: int = Field(16, ge=1, description="fixed, padded batch; written into the plan")
    predictors: int = Field(1, ge=1, description="most model replicas at a time")
    predictor_cpus: float = Field(0.5, gt=0)
    predictor_gpus: float = Field(0.0, ge=0)
    protocol: Literal["four-view", "mlo-only", "unilateral", "any"] = "four-view"


class EvaluateConfig(Section):
    """How a model is judged."""

    bootstrap_samples: int = Field(2000, ge=100)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    threshold: float = Field(0.5, ge=0, le=1)
    seed: int = Field(0, ge=0)


class ReportConfig(Section):
    """How much of a run its page shows; a page stays small however large the archive."""

    rejections: int = Field(200, ge=0, le=5000, description="rows of rejected images")
    exams: int = Field(25, ge=0, le=500, description="rows of the worklist")
    examples: int = Field(4, ge=1, le=50, description="pictures a group")
    samples: int = Field(12, ge=0, le=50, description="pictures a class that explore shows")


class PhantomConfig(Section):
    """What a synthetic archive holds."""

    cancer_share: float = Field(0.25, ge=0, le=1, description="share of women with cancer")
    processes: int = Field(2, ge=1, description="processes that draw; they change no byte")


class Config(Section):
    """A whole recipe."""

    recipe: str
    description: str = ""
    data: DataConfig = DataConfig()
    decode: DecodeConfig = DecodeConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    heads: HeadsConfig = HeadsConfig()
    train: TrainConfig = TrainConfig()
    score: ScoreConfig = ScoreConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    phantom: PhantomConfig = PhantomConfig()

    def preprocess_digest(self) -> str:
        """Digest of everything that decides the pixels of a prepared image."""
        pixels = {
            "version": PREPROCESS_VERSION,
            "decode": self.decode.model_dump(include={"reduced", "voi", "inversion"}),
            "preprocess": self.preprocess.model_dump(),
        }
        return digest_of(pixels)

    def to_yaml(self) -> str:
        """The whole configuration as YAML, readable by `load_config`."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def digest_of(value: object) -> str:
    """SHA-256 (first 32 hex digits) of a JSON value, keys sorted."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package, sorted."""
    folder = resources.files("mammo_ray") / "recipes"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def load_config(
    recipe: str | None = None, path: Path | None = None, overrides: tuple[str, ...] = ()
) -> Config:
    """The validated configuration of a recipe or file with overrides.

    Args:
        recipe: name of a packaged recipe; `default` when neither is given.
        path: a YAML file instead of a packaged recipe.
        overrides: `section.key=value` strings; values are YAML scalars or lists.

    Raises:
        ConfigError: both or an unknown source, unreadable YAML, an unknown key, a wrong value.
    """
    if recipe and path:
        raise ConfigError("give either a recipe or a config file, not both")
    source = str(path) if path else f"recipe {recipe or 'default'}"
    tree = _parse_yaml(_read_source(recipe or "default", path), source)
    for override in overrides:
        _apply_override(tree, override)
    return validate_config(tree, source)


def overlay(base: Config, overrides: tuple[str, ...], source: str) -> Config:
    """A configuration with `section.key=value` overrides, validated as a whole.

    Raises:
        ConfigError: an unknown key or a wrong value.
    """
    tree = base.model_dump(mode="json")
    for override in overrides:
        _apply_override(tree, override)
    return validate_config(tree, source)


def validate_config(tree: dict[str, Any], source: str) -> Config:
    """The configuration in a parsed tree.

    Raises:
        ConfigError: naming every wrong key with its value and what was expected.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc']))}: {item['msg']} (found {item.get('input')!r})"
            for item in error.errors()
        ]
        raise ConfigError(f"{source} is not a valid configuration:\n" + "\n".join(lines)) from error


def _read_source(recipe: str, path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"config file {path} cannot be read: {error}") from error
    if recipe not in recipe_names():
        raise ConfigError(f"unknown recipe {recipe!r}; there are: {', '.join(recipe_names())}")
    return (resources.files("mammo_ray") / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8")


def _parse_yaml(text: str, source: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} must be a mapping of sections, found {type(tree).__name__}")
    return tree


def _apply_override(tree: dict[str, Any], override: str) -> None:
    """Set one `a.b=c` in place."""
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"override {override!r} must look like section.key=value")
    *parents, leaf = key.strip().split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override {override!r}: {parent!r} is a value, not a section")
        node = child
    try:
        node[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: value is not valid YAML: {error}") from error
