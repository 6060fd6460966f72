"""Archives unpacked safely: everything is checked first, checked again on the way, and put at once.

Files land in a folder beside the target that takes its name at the end. Nothing is ever written
outside, links are never made, modes and owners are not taken over, and a refusal leaves nothing.
"""

import gzip
import io
import shutil
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mammo_ray.datasets.fetching.unpack_rules import (
    Tally,
    UnpackLimits,
    UnpackSummary,
    refused,
    require_plain,
    require_space,
    safe_name,
)
from mammo_ray.errors import InputError, StorageError

_PIECE = 2**20
_MOST_PIECE = 4 * 2**20  # bytes: long names and extended attributes of a tar fit many times
_GZIP = b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_LOCAL_HEADER = 30  # bytes before a member's name, APPNOTE 4.3.7
# Deflate never makes a file longer than by this (RFC 1951 3.2.4: stored blocks).
_DEFLATE_GROWTH, _DEFLATE_EXTRA = 0.01, 1024
_CLOSED = 0x1 | 0x20 | 0x40  # encrypted, patched, strongly encrypted: APPNOTE 4.4.4
# The methods of published data sets; the others unpack without an upper bound on one step.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    UnicodeDecodeError,
)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, a tar or a gzipped tar, by its content."""
    return _unpacker_of(path) is not None


def unpack_archive(archive: Path, out: Path, limits: UnpackLimits | None = None) -> UnpackSummary:
    """Unpack a zip, tar or gzipped tar.

    Args:
        archive: the file.
        out: the folder to be; it does not exist or is empty.
        limits: None: the defaults.

    Raises:
        InputError: no archive, or one that is refused, naming the member; `out` holds something.
        StorageError: it cannot be written.
    """
    unpacker = _unpacker_of(archive)
    if unpacker is None:
        raise InputError(f"{archive.name} is no archive: expected a zip, tar or gzipped tar")
    return unpacker(archive, out, limits or UnpackLimits())


def unpack_zip(archive: Path, out: Path, limits: UnpackLimits) -> UnpackSummary:
    """Unpack a zip; all of its central directory is checked before anything is written.

    Raises:
        InputError: a member is refused, or the archive is damaged; nothing is left.
        StorageError: it cannot be written.
    """
    with _explained(), zipfile.ZipFile(archive) as opened:
        tally = Tally(limits, archive.stat().st_size)
        infos = dict(_checked_infos(opened, tally))
        _require_apart(opened, tally.packed_bytes)
        _require_some(len(infos))
        with staged_folder(out) as folder:
            require_space(tally.total, folder)
            for name, info in infos.items():
                with opened.open(info) as content:
                    _write_member(content, folder, name, info.file_size)
    return UnpackSummary(len(infos), tally.total)


def unpack_tar(archive: Path, out: Path, limits: UnpackLimits) -> UnpackSummary:
    """Unpack a tar or gzipped tar, every member checked before its first byte is written.

    The sizes in a tar cannot lie, for they say where the next member stands.

    Raises:
        InputError: a member is refused, or the archive is damaged; nothing is left.
        StorageError: it cannot be written.
    """
    tally = Tally(limits, archive.stat().st_size)
    files = 0
    with _explained(), _opened_tar(archive) as opened, staged_folder(out) as folder:
        while (info := opened.next()) is not None:
            name = safe_name(info.name)
            if info.isdir():
                tally.add_folder(name)
                continue
            if not info.isreg() or info.issparse():
                raise refused(name, "it is no plain file")
            tally.add(name, info.size)
            require_space(info.size, folder)
            content = opened.extractfile(info)
            if content is None:
                raise refused(name, "it is no plain file")
            _write_member(content, folder, name, info.size)
            files += 1
        _require_some(files)
    return UnpackSummary(files, tally.total)


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """A fresh folder beside `out` that takes its place at the end, or goes where that fails.

    Raises:
        InputError: `out` holds something, or is a file.
        StorageError: it cannot be made.
    """
    require_vacant(out)
    folder = out.parent / f".{out.name}.{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True)
        yield folder
        folder.replace(out)
    except gzip.BadGzipFile:  # an OSError that speaks of the archive
        raise
    except OSError as error:
        raise StorageError(f"{out.name} could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_vacant(out: Path) -> None:
    """Refuse a target that is a file, a link or a folder with something in it.

    Raises:
        InputError: naming it.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} is there already and is no folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} holds files already: give a folder that is empty or not there")


def _unpacker_of(path: Path) -> Callable[[Path, Path, UnpackLimits], UnpackSummary] | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
    # The zip is last: a tar may end in one.
    packed_tar = head.startswith(_GZIP) and _may_hold_tar(path)
    if packed_tar or head[_TAR_MAGIC_AT:] == _TAR_MAGIC:
        return unpack_tar
    return unpack_zip if zipfile.is_zipfile(path) else None


def _may_hold_tar(path: Path) -> bool:
    """Whether a gzip starts with a tar header; a damaged one may, and is found out on the way."""
    try:
        with gzip.open(path) as file:
            tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    except _DAMAGED:
        return True
    return True


def _checked_infos(opened: zipfile.ZipFile, tally: Tally) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Every file of the central directory under its checked name."""
    for info in opened.infolist():
        name = safe_name(info.orig_filename)
        require_plain(name, info.external_attr >> 16)
        if info.flag_bits & _CLOSED:
            raise refused(name, "it is encrypted or patched")
        if info.compress_type not in _METHODS:
            raise refused(name, f"packed by method {info.compress_type}, expected 0 or 8 (deflate)")
        if info.is_dir():
            tally.add_folder(name)
            continue
        if info.compress_size > info.file_size * (1 + _DEFLATE_GROWTH) + _DEFLATE_EXTRA:
            raise refused(name, f"{info.compress_size:,} bytes do not pack {info.file_size:,}")
        tally.add(name, info.file_size, info.compress_size)
        yield name, info


def _require_apart(opened: zipfile.ZipFile, archive_bytes: int) -> None:
    """Members must not share packed bytes: a bomb unpacks one piece many times.

    Raises:
        InputError: naming the first member that reaches into the next.
    """
    infos = sorted(opened.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in infos), archive_bytes][1:]
    for info, end in zip(infos, ends, strict=True):
        if info.header_offset + _LOCAL_HEADER + info.compress_size > end:
            raise refused(info.filename, "it shares its bytes with another member")


@contextmanager
def _opened_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """A tar read by `_ModestReader`, through gzip where it is packed."""
    with archive.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        plain = _ModestReader(gzip.GzipFile(fileobj=file) if packed else file)
        with tarfile.open(fileobj=plain, mode="r:") as opened:
            yield opened


class _ModestReader(io.RawIOBase):
    """A file that refuses to be read in large pieces, as a forged header would have it read."""

    def __init__(self, file: gzip.GzipFile | io.BufferedReader) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """At most `_MOST_PIECE` bytes."""
        if not 0 <= size <= _MOST_PIECE:
            raise InputError(f"archive refused: one of its headers has {size:,} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place it is at."""
        return self._file.tell()


def _write_member(content: IO[bytes], folder: Path, name: str, size: int) -> None:
    """Write one file that is new, of exactly its declared size.

    Raises:
        InputError: it has another size, or the file system takes its name for another member's.
    """
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with target.open("xb") as file:
            while piece := content.read(_PIECE):
                written += len(piece)
                if written > size:
                    raise refused(name, f"it has more than the {size:,} bytes that it declares")
                file.write(piece)
    except FileExistsError as error:
        raise refused(name, "the file system takes its name for another member's") from error
    if written != size:
        raise refused(name, f"it has {written:,} bytes, it declares {size:,}")


def _require_some(files: int) -> None:
    if not files:
        raise InputError("the archive holds no file")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a damaged archive raises into an error of ours."""
    try:
        yield
    except _DAMAGED as error:
        raise InputError(f"the archive is damaged: {error}") from error
