"""What the name of a file tells: whether it is an image, and who belongs together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mammo_ray.errors import InputError
from mammo_ray.schema import Laterality, ViewPosition
from mammo_ray.storage import StoredFile

# Roboflow names an export `<name>_<suffix>.rf.<hash>`; copies of one image differ in the hash.
_ROBOFLOW = re.compile(r"(_[a-z0-9]{2,5})?\.rf\.[0-9a-f]{32}$", re.IGNORECASE)

_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,5}$", re.IGNORECASE)

# Files that lie beside images and that nobody takes for one: by suffix, by name, by what an
# operating system leaves in folders.
_DOCUMENT = re.compile(
    r"\.(bib|cfg|csv|docx?|html?|ini|ipynb|jsonl?|log|m|md|md5|ods|pdf|py|r|rst|rtf|sh|tsv|txt"
    r"|xlsx?|xml|ya?ml)$"
    r"|(^|/)(licen[cs]e|readme|makefile|copying|thumbs\.db)$"
    r"|(^|/)(\.|__macosx/)",
    re.IGNORECASE,
)

_SPLITS = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
_SIDES = {
    "l": Laterality.LEFT, "left": Laterality.LEFT, "r": Laterality.RIGHT, "right": Laterality.RIGHT,
}  # fmt: skip


@dataclass(frozen=True)
class NamedImage:
    """Whose image a file is, as far as its name tells.

    Attributes:
        file: the file.
        patient_id: who belongs together; None: the name does not tell although it should.
        laterality: L, R or None.
        view_position: a value of `ViewPosition` or None.
    """

    file: StoredFile
    patient_id: str | None
    laterality: str | None = None
    view_position: str | None = None


def is_document(relative_path: str) -> bool:
    """Whether a file is text, a program or what an operating system leaves in folders."""
    return _DOCUMENT.search(relative_path) is not None


def split_of(folder: str) -> str | None:
    """The split that a folder's name stands for: train, valid, test or None."""
    return _SPLITS.get(folder.lower())


def stem_of(relative_path: str) -> str:
    """A file's name without its suffix; the last digits of a UID are none."""
    name = relative_path.rpartition("/")[2]
    return _SUFFIX.sub("", name) or name


def original_stem(relative_path: str) -> str:
    """A file's stem without what Roboflow adds, so that copies of one image share it."""
    stem = stem_of(relative_path)
    return _ROBOFLOW.sub("", stem) or stem


def name_images(files: Iterable[StoredFile], pattern: str | None, setting: str) -> list[NamedImage]:
    """Whose images files are.

    Args:
        files: images.
        pattern: regular expression with the named groups patient_id, laterality and
            view_position, searched in the relative path; None: the stem names the patient.
        setting: the setting that holds the pattern, for the error message.

    Raises:
        InputError: the pattern fits no file at all.
    """
    if pattern is None:
        return [NamedImage(file, original_stem(file.relative_path)) for file in files]
    search = re.compile(pattern).search
    named = [_named(file, search(file.relative_path)) for file in files]
    if named and all(image.patient_id is None for image in named):
        raise InputError(f"{setting}: {pattern!r} tells the patient of none of {len(named)} images")
    return named


def _named(file: StoredFile, found: "re.Match[str] | None") -> NamedImage:
    """What one match tells; a side or view that is none makes the whole name untrusted."""
    groups = found.groupdict() if found else {}
    patient = (groups.get("patient_id") or "").strip()
    side_text, view_text = groups.get("laterality"), groups.get("view_position")
    side = _SIDES.get((side_text or "").lower())
    view = (view_text or "").upper()
    if not patient or (side_text and side is None) or (view and view not in set(ViewPosition)):
        return NamedImage(file, None)
    return NamedImage(file, patient, side and str(side), view or None)
