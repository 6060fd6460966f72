"""A data set out of its zip: unpacked below the result, and put back where the run then fails."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.datasets.fetching.fetch import FetchOptions
from mammo_ray.datasets.fetching.unpack import unpack_archive
from mammo_ray.distributed.origin import Origin
from mammo_ray.errors import InputError, StorageError, UsageError

_SUCCESS = "_SUCCESS"


@contextmanager
def unpacked(origin: Origin, config: Config, out: str) -> Iterator[Origin]:
    """The data set with a folder as its root; a zip is unpacked into `out/files`, anew every time.

    What an earlier run left in `out` stays as it was where the archive is refused or the body
    fails.
    The body reads; whatever replaces the earlier tables comes after it.

    Args:
        origin: the data set.
        config: limits of unpacking.
        out: folder of the result.

    Raises:
        InputError: an archive that is refused, or one in or for object storage.
        UsageError: `out/files` is there and no earlier run made it.
        StorageError: files cannot be put in their place.
    """
    if not origin.root.lower().endswith(".zip"):
        yield origin
        return
    if storage.is_s3(origin.root) or storage.is_s3(out):
        raise InputError("a zip is read from a local path, into a local --out")
    folder = Path(out)
    _require_ours(folder)
    fresh = folder / ".files.fresh"
    created = not folder.exists()
    shutil.rmtree(fresh, ignore_errors=True)  # of a run that was ended from outside
    limits = FetchOptions.of(config.data.fetch, None).limits
    unpack_archive(Path(origin.root), fresh, limits)
    with _in_place(folder, fresh, created=created):
        yield replace(origin, root=str(folder / "files"))


def _require_ours(folder: Path) -> None:
    """Refuse to replace files that no run has unpacked."""
    files = folder / "files"
    if files.exists() and not (folder / "run.json").exists():
        raise UsageError(f"{files} is there already: give another --out, or remove it")


@contextmanager
def _in_place(folder: Path, fresh: Path, *, created: bool) -> Iterator[None]:
    """Fresh files under their name; the earlier ones are aside until the body has ended well."""
    files, earlier, mark = folder / "files", folder / ".files.earlier", folder / _SUCCESS
    finished = mark.read_bytes() if mark.exists() else None
    storage.delete(str(mark))
    shutil.rmtree(earlier, ignore_errors=True)
    if files.exists():
        _move(files, earlier)
    _move(fresh, files)
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            shutil.rmtree(files, ignore_errors=True)
            if earlier.exists():
                _move(earlier, files)
            if finished is not None:
                storage.write_bytes(str(mark), finished)
            if created:
                folder.rmdir()
        shutil.rmtree(earlier, ignore_errors=True)


def _move(folder: Path, to: Path) -> None:
    try:
        folder.replace(to)
    except OSError as error:
        raise StorageError(f"unpacked files could not be put in place: {error.strerror}") from error
