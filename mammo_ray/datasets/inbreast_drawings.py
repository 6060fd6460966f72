"""Which XML files and mask images of INbreast belong to which image, and what they draw."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pyarrow as pa

from mammo_ray import storage
from mammo_ray.datasets.inbreast_xml import LARGEST_FILE, Lesions, read_lesions
from mammo_ray.datasets.manifest import Row, excluded_row, rejected_row
from mammo_ray.datasets.source import Source
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import ABNORMALITY, OUTLINE, ExclusionRule, RejectionReason
from mammo_ray.storage import StoredFile

_MASK_FOLDER = re.compile(r"mask|roi", re.IGNORECASE)
_MUSCLE = re.compile(r"muscle|pectoral", re.IGNORECASE)  # no lesions
_NUMBER = re.compile(r"\d+")
_MASK_SUFFIXES = (".png", ".tif", ".tiff")
_ANNOTATION_SUFFIXES = (".xml", ".roi")


@dataclass(frozen=True)
class Drawings:
    """Lesions of the images of the table, in its order, and an account of the files they are in.

    Attributes:
        lesions: of each image; None where they are unknown.
        masks: URIs of mask images, for images whose lesions are unknown.
        exclusions: annotation and mask files.
        rejections: annotation files that cannot be used.
    """

    lesions: list[Lesions | None]
    masks: list[list[str] | None]
    exclusions: list[Row] = field(default_factory=list)
    rejections: list[Row] = field(default_factory=list)

    def columns(self) -> dict[str, pa.Array]:
        """Manifest columns, a value an image."""
        return {
            "abnormalities": pa.array(
                [found and found.abnormalities for found in self.lesions], pa.list_(ABNORMALITY)
            ),
            "outlines": pa.array(
                [found and found.outlines for found in self.lesions], pa.list_(OUTLINE)
            ),
            "mask_uris": pa.array(self.masks, pa.list_(pa.string())),
        }


def read_drawings(
    source: Source, images: Sequence[str], files: Sequence[StoredFile | None]
) -> Drawings:
    """The lesions of every image whose file is there.

    Args:
        source: the data set.
        images: their numbers, by which XML files and masks are named.
        files: their files, None where one is missing.

    Raises:
        StorageError: storage failed.
    """
    drawings = Drawings([None] * len(images), [None] * len(images))
    annotations = source.index.with_suffix(*_ANNOTATION_SUFFIXES)
    drawn: defaultdict[str, list[StoredFile]] = defaultdict(list)
    for file in annotations:
        if file.relative_path.lower().endswith(".xml"):
            drawn[PurePosixPath(file.relative_path).stem].append(file)
    masks, muscles = _masks(source, frozenset(images))
    for row, (image, shown) in enumerate(zip(images, files, strict=True)):
        if shown is not None:
            image_id = source.image_id(shown.relative_path)
            if drawn and not source.tables_only:
                drawings.lesions[row] = _read(source, drawn[image], image_id, drawings)
            if drawings.lesions[row] is None and image in masks:
                drawings.masks[row] = [mask.uri for mask in masks[image]]
    _exclude(source, drawings, [*annotations, *muscles], ExclusionRule.ANNOTATION)
    of_lesions = [mask for found in masks.values() for mask in found]
    _exclude(source, drawings, of_lesions, ExclusionRule.MASK_OF_AN_IMAGE)
    return drawings


def _masks(
    source: Source, images: frozenset[str]
) -> tuple[dict[str, list[StoredFile]], list[StoredFile]]:
    """Mask images of lesions by the number of their image, and those of muscles."""
    masks: defaultdict[str, list[StoredFile]] = defaultdict(list)
    muscles = []
    for file in source.index.with_suffix(*_MASK_SUFFIXES):
        folder, _, name = file.relative_path.rpartition("/")
        number = _NUMBER.match(name)
        if number is None or number[0] not in images or not _MASK_FOLDER.search(folder):
            continue
        if _MUSCLE.search(file.relative_path):
            muscles.append(file)
        else:
            masks[number[0]].append(file)
    return dict(masks), muscles


def _read(
    source: Source, files: list[StoredFile], image_id: str, drawings: Drawings
) -> Lesions | None:
    """The lesions of one image; files that cannot be used are rejected, and they are unknown."""
    if not files:
        return Lesions([], [])
    try:
        if len(files) > 1:
            raise ImageRejected(RejectionReason.AMBIGUOUS_FILE, "several files of this name")
        return read_lesions(_content(files[0]))
    except ImageRejected as fault:
        detail = f"{fault.detail}; the lesions of {image_id} are unknown"
        said = ImageRejected(fault.reason, detail)
        for file in files:  # of no woman's exam: the image itself is there
            own_id = source.image_id(file.relative_path)
            drawings.rejections.append(rejected_row(own_id, file.uri, said, {}))
    return None


def _content(file: StoredFile) -> bytes:
    """A file, cut just above the size at which it is refused."""
    try:
        return storage.read_bytes(file.uri, 0, LARGEST_FILE + 1)
    except (FileNotFoundError, PermissionError) as error:
        detail = f"the file could not be opened: {type(error).__name__}"
        raise ImageRejected(RejectionReason.UNREADABLE_FILE, detail) from error


def _exclude(
    source: Source, drawings: Drawings, files: list[StoredFile], rule: ExclusionRule
) -> None:
    rejected = {row["uri"] for row in drawings.rejections}
    for file in files:
        if file.uri not in rejected:
            image_id = source.image_id(file.relative_path)
            detail = "what it draws belongs to an image"
            drawings.exclusions.append(excluded_row(image_id, file.uri, rule, detail, {}))
