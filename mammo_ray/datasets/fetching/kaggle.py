"""Kaggle data sets by `kagglehub`, which knows the user's credentials and keeps a cache.

It unpacks by itself, and does so inside its own cache: names cannot leave it and no links are made.
What it leaves is checked against the same limits, and hard-linked or copied into place.
"""

import os
import re
import shutil
import tarfile
import zipfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

import requests

from mammo_ray.datasets.fetching.unpack import staged_folder
from mammo_ray.datasets.fetching.unpack_rules import (
    Tally,
    UnpackLimits,
    UnpackSummary,
    refused,
    safe_name,
)
from mammo_ray.errors import InputError, MammoError, StorageError

_HANDLE = re.compile(r"[\w-]+/[\w-]+(?:/versions/\d+)?")


def fetch_kaggle(handle: str, out: Path, limits: UnpackLimits) -> UnpackSummary:
    """Put a Kaggle data set into a folder.

    Args:
        handle: `OWNER/NAME` or `OWNER/NAME/versions/N`.
        out: the folder to be.
        limits: what it may hold.

    Raises:
        InputError: not a handle, no such data set, or one over the limits.
        MammoError: kagglehub is not installed.
        StorageError: it cannot be written.
    """
    if not _HANDLE.fullmatch(handle):
        raise InputError(f"kaggle:{handle!r} must look like kaggle:OWNER/NAME")
    folder = _download(handle)
    tally = Tally(limits, packed_bytes=2**62)  # its size on the way is not known
    names = _checked_names(folder, tally)
    with staged_folder(out) as staged:
        for name in names:
            target = staged / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(folder / name, target)
    return UnpackSummary(len(names), tally.total)


def _download(handle: str) -> Path:
    hub = _kagglehub()
    known: tuple[type[Exception], ...] = (
        requests.RequestException,
        ValueError,
        zipfile.BadZipFile,
        tarfile.TarError,
        *(
            error
            for error in vars(import_module("kagglehub.exceptions")).values()
            if isinstance(error, type) and issubclass(error, Exception)
        ),
    )
    try:
        return Path(hub.dataset_download(handle)).resolve()
    except known as error:
        raise InputError(
            f"kaggle:{handle} cannot be fetched: {type(error).__name__}; a private or gated data "
            "set needs KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY"
        ) from error
    except OSError as error:
        raise StorageError(f"kagglehub could not write its cache: {error.strerror}") from error


def _kagglehub() -> ModuleType:
    try:
        return import_module("kagglehub")
    except ModuleNotFoundError as error:
        raise MammoError(
            "kaggle: needs kagglehub, which is not installed: pip install 'mammo-ray[kaggle]'"
        ) from error


def _checked_names(folder: Path, tally: Tally) -> list[str]:
    """Relative names of all files below a folder, sorted.

    Raises:
        InputError: a link, an odd name, too many or too large files, or none.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        name = safe_name(path.relative_to(folder).as_posix())
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise refused(name, "it is no plain file")
        if path.is_file():
            tally.add(name, path.stat().st_size)
            found.append(name)
    if not found:
        raise InputError("the data set holds no file")
    return found


def _link_or_copy(source: Path, target: Path) -> None:
    """A hard link, or a copy where the cache lies on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
