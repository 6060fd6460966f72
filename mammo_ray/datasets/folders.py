"""Layout `folders`: the folder of an image is its label, as in many sets on Kaggle.

::

    train/0/*   train/1/*   valid/0/*   valid/1/*   test/0/*   test/1/*
    0/*   1/*                                            (no split: it is null)

Class 1 is cancer. Images are of any type (PNG, JPEG, PGM, TIFF, BMP, DICOM), at any depth below
their class; `val` and `validation` mean `valid`; folders above the splits do not matter. An
example is `hayder17/breast-cancer-detection` on Kaggle: 3,383 films exported by Roboflow into
train, valid and test.

Nothing in such a folder says which woman an image shows. By default `patient_id` is the file's
name without what Roboflow adds to it: augmented copies of one image stay together, but two films
of one woman do not. These are groups of files, not women. Where names tell more,
`data.folders.pattern` takes patient, side and view from the path, for instance
`(?P<patient_id>P[0-9]+)_(?P<laterality>[LR])_(?P<view_position>[A-Z]+)`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mammo_ray.datasets.file_names import is_document, name_images, split_of
from mammo_ray.datasets.known_files import (
    LeftOut,
    filled_manifest,
    keep_named,
    known_table,
    named_columns,
)
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Request, Source, seen_names
from mammo_ray.errors import InputError
from mammo_ray.schema import ExclusionRule, Kind, LabelLevel

_EXPECTED = "folders train|valid|test/0|1 or 0|1 with images"
_CLASSES = {"0": 0, "1": 1}


@dataclass(frozen=True)
class _Place:
    """Where the layout has an image: the folders above class and split, and these two."""

    above: tuple[str, ...]
    split: str | None
    cancer: int


class FoldersReader:
    """Every file of a class folder is opened; the folders say label and split."""

    def __init__(self, source: Source) -> None:
        self._pattern = source.settings.folders.pattern
        self._left_out = LeftOut(source)
        self._places: dict[str, _Place] = {}
        images = []
        folders: dict[str, _Place | None] = {}
        for file in source.index.files:
            if is_document(file.relative_path):
                self._left_out.exclude(file, ExclusionRule.NOT_AN_IMAGE, "a document")
                continue
            folder = file.relative_path.rpartition("/")[0]
            if folder not in folders:
                folders[folder] = _place(folder.split("/"))
            place = folders[folder]
            if place is None:
                self._left_out.exclude(file, ExclusionRule.NOT_IN_LAYOUT, "not in a class folder")
            else:
                self._places[file.uri] = place
                images.append(file)
        _require_classes(source, folders)
        named = name_images(images, self._pattern, "data.folders.pattern")
        self._named = keep_named(named, self._left_out, "data.folders.pattern")

    def requests(self) -> Iterable[Request]:
        """The images of the class folders."""
        return [Request(image.file) for image in self._named]

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest.

        The patient of a DICOM header goes before the name of its file, but not before
        `data.folders.pattern`, which somebody wrote for these files.
        """
        places = [self._places[image.file.uri] for image in self._named]
        known = known_table(
            {
                **named_columns(self._named),
                "kind": [str(Kind.FULL)] * len(places),
                "split": [place.split for place in places],
                "cancer": [place.cancer for place in places],
                "label_level": [str(LabelLevel.IMAGE)] * len(places),
            }
        )
        header_first = ("patient_id",) if self._pattern is None else ()
        return filled_manifest(examined, known, self._left_out, header_first)


def _place(folders: list[str]) -> _Place | None:
    """The place of an image in these folders; None outside class folders.

    Raises:
        InputError: a split below a class.
    """
    at = next((k for k, name in enumerate(folders) if name in _CLASSES), None)
    if at is None:
        return None
    if any(split_of(name) for name in folders[at + 1 : at + 2]):
        raise InputError(f"{folders[at]}/{folders[at + 1]}: splits are expected above the classes")
    split, above = _without_split(folders[:at])
    return _Place(tuple(above), split, _CLASSES[folders[at]])


def _without_split(folders: list[str]) -> tuple[str | None, list[str]]:
    """The last split that folders name, and the other folders."""
    for k in reversed(range(len(folders))):
        if split_of(folders[k]):
            return split_of(folders[k]), folders[:k] + folders[k + 1 :]
    return None, folders


def _require_classes(source: Source, folders: Mapping[str, _Place | None]) -> None:
    """Refuse a set without class folders, with further ones, or with several sets in it.

    Args:
        source: the data set.
        folders: every folder with images, and what place it is.

    Raises:
        InputError: naming the folders found.
    """
    places = [place for place in folders.values() if place is not None]
    aboves = {place.above for place in places} or {()}
    if len(aboves) > 1:
        names = ", ".join(sorted("/".join(above) or "the root" for above in aboves)[:5])
        raise InputError(
            f"class folders 0 and 1 lie below {len(aboves)} folders: {names}; take one as the root"
        )
    splits = any(place.split for place in places) or not places
    others = _other_classes(folders, aboves.pop(), splits=splits)
    found = f"; class folders found: {', '.join(others[:8])}" if others else ""
    if not places:
        raise InputError(f"{_EXPECTED} were expected; seen: {seen_names(source)}{found}")
    if others:
        raise InputError(f"class folders are named 0 (no cancer) and 1 (cancer){found}")


def _other_classes(folders: Iterable[str], above: tuple[str, ...], *, splits: bool) -> list[str]:
    """Folders with images where a class folder belongs and that are named otherwise."""
    others = set()
    for folder in filter(None, folders):
        split, rest = _without_split(folder.split("/"))
        inside = rest[: len(above)] == list(above) and len(rest) > len(above)
        if inside and bool(split) is splits and rest[len(above)] not in _CLASSES:
            others.add("/".join(filter(None, [split, rest[len(above)]])))
    return sorted(others)
