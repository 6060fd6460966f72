"""What an archive may hold: names that stay inside the target, plain files, and sizes with an end.

Nothing here opens a file. Every refusal is an `InputError` that names the member.
"""

import re
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mammo_ray.errors import InputError

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_PART = 255  # bytes of one name on common file systems
_LONGEST_NAME = 2048
_SHOWN = 120  # characters of a name in a message
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True)
class UnpackLimits:
    """How much an archive may hold.

    Attributes:
        members: files and folders.
        member_bytes: unpacked bytes of one file.
        total_bytes: unpacked bytes of all files.
        ratio: unpacked bytes for one packed byte, of any file above `free_bytes` and of the whole.
        free_bytes: up to here a ratio is no reason: a mask of one colour packs 1000 to 1.
    """

    members: int = 2_000_000
    member_bytes: int = 8 * 2**30
    total_bytes: int = 2 * 2**40
    ratio: float = 200.0
    free_bytes: int = 128 * 2**20


@dataclass(frozen=True)
class UnpackSummary:
    """What was unpacked: files, and their bytes in all."""

    members: int
    bytes: int


@dataclass
class Tally:
    """Counts what an archive declares, and refuses what goes over a limit or stands twice.

    Args:
        limits: the caps.
        packed_bytes: size of the archive, against which the whole is compared.
    """

    limits: UnpackLimits
    packed_bytes: int
    members: int = 0
    total: int = 0
    _files: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)

    def add(self, name: str, size: int, packed: int | None = None) -> None:
        """Count one file.

        Args:
            name: from `safe_name`.
            size: unpacked bytes.
            packed: packed bytes of this file, where the archive says.

        Raises:
            InputError: naming the member and the limit.
        """
        self._count(name)
        self._place(name)
        limits = self.limits
        if size > limits.member_bytes:
            raise refused(name, f"it has {size:,} bytes, at most {limits.member_bytes:,}")
        if packed is not None and size > limits.free_bytes and size > limits.ratio * packed:
            raise refused(name, f"{packed:,} bytes unpack to {size:,}: {_bomb(limits)}")
        self.total += size
        if self.total > limits.total_bytes:
            raise refused(name, f"with it the files have more than {limits.total_bytes:,} bytes")
        if self.total > limits.free_bytes and self.total > limits.ratio * self.packed_bytes:
            raise refused(
                name,
                f"with it an archive of {self.packed_bytes:,} bytes unpacks to {self.total:,}: "
                f"{_bomb(limits)}",
            )

    def add_folder(self, name: str) -> None:
        """Count one folder.

        Raises:
            InputError: it is a file as well, or one member too many.
        """
        self._count(name)
        if name in self._files:
            raise refused(name, "it stands there as a file and as a folder")
        if name:  # else the root itself
            self._folders.update(_with_parents(name))

    def _count(self, name: str) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise refused(name, f"the archive has more than {self.limits.members:,} members")

    def _place(self, name: str) -> None:
        if not name:
            raise refused(name, "a file without a name")
        if name in self._files:
            raise refused(name, "the name stands twice in the archive")
        parents = _with_parents(name)[:-1]
        inside_file = next((parent for parent in parents if parent in self._files), None)
        if inside_file is not None or name in self._folders:
            raise refused(name, "a file and a folder have the same name")
        self._files.add(name)
        self._folders.update(parents)


def safe_name(name: str) -> str:
    """A member's name as a relative path with `/`; empty for the archive's own root.

    Raises:
        InputError: the name would leave the target, or no file system takes it.
    """
    if name.startswith("/"):
        raise refused(name, "its name is absolute")
    if "\\" in name:
        raise refused(name, "its name holds a backslash")
    if _DRIVE.match(name):
        raise refused(name, "its name starts with a drive letter")
    if _CONTROL.search(name):
        raise refused(name, "its name holds a control character")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused(name, "its name leads out of the target (..)")
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    if any(len(part) > _LONGEST_PART for part in encoded) or sum(map(len, encoded)) > _LONGEST_NAME:
        raise refused(name, f"its name is longer than {_LONGEST_PART} bytes a part")
    return "/".join(parts)


def require_plain(name: str, mode: int) -> None:
    """Refuse what is neither a file nor a folder.

    Args:
        name: of the member.
        mode: Unix mode; 0 where the archive gives none.

    Raises:
        InputError: a link, a device, a pipe or a socket.
    """
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(name, f"it is {_KINDS.get(kind, 'no plain file')}")


def require_space(size: int, folder: Path) -> None:
    """Refuse what does not fit on the disk.

    Args:
        size: bytes that are still to be written.
        folder: where to.

    Raises:
        InputError: with what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(f"{size:,} bytes are still to be unpacked, {free:,} are free")


def refused(name: str, why: str) -> InputError:
    """The refusal of an archive because of one member."""
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
    return InputError(f"archive refused: member {shown!r}: {why}")


def _with_parents(name: str) -> list[str]:
    """A name and every folder above it, the top first."""
    parts = name.split("/")
    return ["/".join(parts[: k + 1]) for k in range(len(parts))]


def _bomb(limits: UnpackLimits) -> str:
    return f"more than {limits.ratio:g} to 1"
