"""Archives: what is unpacked, and that an attack leaves nothing behind."""

import gzip
import io
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mammo_ray.datasets.fetching.unpack import is_archive, unpack_archive, unpack_tar, unpack_zip
from mammo_ray.datasets.fetching.unpack_rules import UnpackLimits
from mammo_ray.errors import InputError

FILES = {"table.csv": b"a,b\n1,2\n", "films/one.dcm": bytes(range(256)) * 40, "empty.txt": b""}


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_refused(archive: Path, message: str, limits: UnpackLimits | None = None) -> None:
    """The archive is refused, and what lies around it is what lay there before."""
    top = archive.parent
    before = sorted(top.rglob("*"))
    with pytest.raises(InputError, match=message):
        unpack_archive(archive, top / "out", limits)
    assert sorted(top.rglob("*")) == before


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_zip, "set.zip"),
        (make_tar, "set.tar.gz"),
        (lambda path, files: make_tar(path, files, "w"), "set.tar"),
    ],
)
def test_every_file_arrives_with_its_bytes_whatever_the_archive_is_called(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    archive = make(tmp_path / name, FILES).rename(tmp_path / "download")
    summary = unpack_archive(archive, tmp_path / "deep" / "out")
    assert tree(tmp_path / "deep" / "out") == FILES
    assert (summary.members, summary.bytes) == (3, sum(map(len, FILES.values())))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", FILES).read_bytes()
    archive = make_tar(tmp_path / "set.tar", {"inner.zip": inner}, "w")
    unpack_archive(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"inner.zip": inner}


def test_an_empty_folder_is_filled_and_a_full_one_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "set.zip", FILES)
    out = tmp_path / "out"
    out.mkdir()
    unpack_archive(archive, out)
    assert tree(out) == FILES
    with pytest.raises(InputError, match="holds files already"):
        unpack_archive(archive, out)
    assert tree(out) == FILES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../x", r"'\.\./x'.*leads out"),
        ("films/../../x", "leads out"),
        ("/etc/passwd", r"'/etc/passwd'.*absolute"),
        ("..\\x", "backslash"),
        ("C:/x", "drive letter"),
        ("films/a\nb", "control character"),
        ("a" * 300, "longer than"),
    ],
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_name_that_leaves_the_target_is_refused(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path], name: str, message: str
) -> None:
    assert_refused(make(tmp_path / "set", {"good.txt": b"1", name: b"evil"}), message)


@pytest.mark.parametrize(
    ("kind", "message"),
    [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "pipe"), (stat.S_IFCHR, "device")],
)
def test_a_link_or_device_in_a_zip_is_refused(tmp_path: Path, kind: int, message: str) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", b"1")
        info = zipfile.ZipInfo("films")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, b"/etc")
        archive.writestr("films/passwd", b"evil")
    assert_refused(path, f"'films': it is a.*{message}")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_pipe_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("films")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert_refused(path, "'films': it is no plain file")


def test_names_that_stand_twice_or_as_file_and_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", b"2")
    assert_refused(path, "'a.txt': the name stands twice")
    assert_refused(make_zip(tmp_path / "b.zip", {"a": b"1", "./a": b"2"}), "stands twice")
    assert_refused(make_zip(tmp_path / "c.zip", {"a": b"1", "a/b": b"2"}), "the same name")
    assert_refused(make_zip(tmp_path / "d.zip", {"a/b": b"2", "a": b"1"}), "the same name")


def zeros_zip(path: Path, mebibytes: int, declared: int | None = None) -> Path:
    """A zip with one member of zeros, written without deflating all of them.

    Args:
        path: the zip.
        mebibytes: how many are in the member.
        declared: the size that the headers give; None: the true one.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = block * mebibytes + packer.flush(zlib.Z_FINISH)
    size = mebibytes * 2**20 if declared is None else declared
    crc = zlib.crc32(bytes(size)) if declared is not None else 0
    name, wide = b"zeros.bin", size > 0xFFFFFFFE
    extra = struct.pack("<HHQQ", 1, 16, size, len(data)) if wide else b""
    sizes = (0xFFFFFFFF, 0xFFFFFFFF) if wide else (len(data), size)
    fields = struct.pack("<HHHHHLLLHH", 45, 0, 8, 0, 0x21, crc, *sizes, len(name), len(extra))
    local = b"PK\x03\x04" + fields + name + extra
    central = b"PK\x01\x02" + struct.pack("<H", 45) + fields + bytes(14) + name + extra
    start = len(local) + len(data)
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), start, 0)
    path.write_bytes(local + data + central + end)
    return path


def test_ten_gigabytes_of_zeros_are_refused_at_once(tmp_path: Path) -> None:
    bomb = zeros_zip(tmp_path / "bomb.zip", 10_000)
    started = time.monotonic()
    assert_refused(bomb, r"'zeros.bin': it has 10,485,760,000 bytes")
    generous = UnpackLimits(member_bytes=2**40)
    assert_refused(bomb, r"'zeros.bin': .* unpack to 10,485,760,000: more than 200 to 1", generous)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("declared", [0, 1000, 2**20 - 1])
def test_a_bomb_that_declares_a_small_size_is_refused(tmp_path: Path, declared: int) -> None:
    lie = zeros_zip(tmp_path / "lie.zip", 2_000, declared)
    assert_refused(lie, "'zeros.bin': 2,0.* bytes do not pack")


def test_a_member_never_gives_more_than_it_declares(tmp_path: Path) -> None:
    """Even where a lie is too small to be noticed, nothing beyond it reaches the disk."""
    lie = zeros_zip(tmp_path / "lie.zip", 50, 2**20)
    unpack_zip(lie, tmp_path / "out", UnpackLimits())
    assert tree(tmp_path / "out") == {"zeros.bin": bytes(2**20)}


def test_a_member_that_holds_less_than_it_declares_is_refused(tmp_path: Path) -> None:
    assert_refused(zeros_zip(tmp_path / "lie.zip", 1, 3 * 2**20), r"'zeros.bin'|damaged")


def test_many_small_bombs_are_refused_by_the_whole(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set.zip", {f"{n}.bin": bytes(2**20) for n in range(20)})
    limits = UnpackLimits(free_bytes=5 * 2**20, ratio=100)
    assert_refused(path, "unpacks to 6,291,456: more than 100 to 1", limits)
    unpack_zip(path, tmp_path / "out", UnpackLimits())
    assert len(tree(tmp_path / "out")) == 20


def test_members_that_share_their_packed_bytes_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set.zip", {"a.bin": bytes(5000), "b.bin": bytes(5000)})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    first = content.index(b"PK\x01\x02")
    content[second + 42 : second + 46] = content[first + 42 : first + 46]  # offset of the header
    path.write_bytes(content)
    assert_refused(path, "shares its bytes")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_caps_on_count_and_size_name_the_member(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    path = make(tmp_path / "set", {f"{n}.bin": bytes(100) for n in range(5)})
    assert_refused(path, r"'3.bin': .* more than 3 members", UnpackLimits(members=3))
    assert_refused(path, r"'0.bin': it has 100 bytes, at most 99", UnpackLimits(member_bytes=99))
    assert_refused(path, r"'2.bin': with it .* more than 250", UnpackLimits(total_bytes=250))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set.zip", {"a.bin": b"secret"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert_refused(path, "'a.bin': it is encrypted")


def test_a_packing_method_without_an_upper_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.bin", bytes(1000))
    assert_refused(path, "'a.bin': packed by method 12")


def test_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set.zip", FILES)
    content = bytearray(path.read_bytes())
    place = content.index(b"films/one.dcm") + 30
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert_refused(path, "damaged")
    packed = make_tar(tmp_path / "set.tgz", {"a.bin": bytes(range(256)) * 4000}).read_bytes()
    (tmp_path / "short.tgz").write_bytes(packed[: len(packed) // 2])
    assert_refused(tmp_path / "short.tgz", "damaged")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"no tar at all, only text" * 100))
    assert_refused(tmp_path / "text.gz", "is no archive")


def test_a_gzipped_bomb_is_refused_by_its_first_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tgz"
    info = tarfile.TarInfo("zeros.bin")
    info.size = 7 * 2**30
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
    started = time.monotonic()
    assert_refused(path, "'zeros.bin': .*more than 200 to 1")
    assert time.monotonic() - started < 2


def test_a_forged_long_name_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tgz"
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 10 * 2**30
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
    with pytest.raises(InputError, match="one of its headers has"):
        unpack_tar(path, tmp_path / "out", UnpackLimits())
    assert [entry.name for entry in tmp_path.iterdir()] == ["bomb.tgz"]


def test_what_is_no_archive_is_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.zip"
    page.write_text("<!doctype html><html></html>")
    assert not is_archive(page)
    assert_refused(page, "is no archive")
    assert_refused(make_zip(tmp_path / "empty.zip", {}), "holds no file")


def test_what_does_not_fit_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10})
    where = "mammo_ray.datasets.fetching.unpack_rules.shutil.disk_usage"
    monkeypatch.setattr(where, lambda _: usage)
    assert_refused(make_zip(tmp_path / "set.zip", FILES), "10,248 bytes are still to be")


def test_a_tar_larger_than_half_of_the_disk_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, out = 15_000, tmp_path / "out"

    def usage(folder: Path) -> object:
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return type("Usage", (), {"free": disk - used})

    monkeypatch.setattr("mammo_ray.datasets.fetching.unpack_rules.shutil.disk_usage", usage)
    files = {f"{number}.dcm": bytes(4_000) for number in range(3)}
    unpack_archive(make_tar(tmp_path / "set.tar", files, "w"), out)
    assert tree(out) == files
    large = make_tar(tmp_path / "large.tar", files | {"3.dcm": bytes(4_000)}, "w")
    with pytest.raises(InputError, match="still to be unpacked"):
        unpack_archive(large, tmp_path / "more")
    assert not (tmp_path / "more").exists()
