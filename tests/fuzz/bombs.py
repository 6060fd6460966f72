"""`python -m tests.fuzz.bombs`: small files that promise to fill the memory or never to end.

Each must be rejected by the sandbox's child within 50 ms and 200 MB above what it had in use;
exit code 1 where one is not.
"""

import io
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.header import read_header
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from tests.dicom.files import (
    DEFLATED,
    EXPLICIT,
    JPEG,
    NATIVE,
    RLE,
    dicom_file,
    encode,
    gradient,
)
from tests.fuzz.campaign import CONFIG, SYNTAXES, peak_kilobytes

MOST_MILLISECONDS, MOST_MEGABYTES = 50, 200
_SIZE, _HUGE = (24, 32), 65500
_PIXELS_TAG = b"\xe0\x7f\x10\x00"
_UNDEFINED = b"\xff" * 4


@dataclass(frozen=True)
class Verdict:
    """What became of a bomb.

    Attributes:
        reason: of its rejection, None where it was accepted.
        milliseconds: that the child took for it.
        megabytes: by which the child's memory grew at most.
    """

    reason: str | None
    milliseconds: float
    megabytes: float

    @property
    def harmless(self) -> bool:
        """Whether it was rejected fast enough and in little enough memory."""
        is_small = self.milliseconds < MOST_MILLISECONDS and self.megabytes < MOST_MEGABYTES
        return self.reason is not None and is_small


def defuse(content: bytes) -> Verdict:
    """Read and decode a bomb; runs in the child process."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is in use now
    before, started, reason = peak_kilobytes(), time.perf_counter(), None
    try:
        read_header(lambda start, length: content[start : start + length], len(content))
        decode_image(content, CONFIG)
    except ImageRejected as fault:
        reason = fault.reason
    milliseconds = (time.perf_counter() - started) * 1000
    return Verdict(reason, milliseconds, (peak_kilobytes() - before) / 1024)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names and files."""
    for syntax, (name, bits) in SYNTAXES.items():
        frame = _frame(syntax, bits, _SIZE)
        yield (
            f"{name}: {_HUGE} x {_HUGE} in header and stream",
            _file(syntax, bits, _frame(syntax, bits, (_HUGE, _HUGE)), Rows=_HUGE, Columns=_HUGE),
        )
        yield (
            f"{name}: {_HUGE} x {_HUGE} in the header",
            _file(syntax, bits, frame, Rows=_HUGE, Columns=_HUGE),
        )
        yield (
            f"{name}: 10000 x 9000 in the header",
            _file(syntax, bits, frame, Rows=10000, Columns=9000),
        )
        if syntax.startswith(JPEG):
            yield (
                f"{name}: {_HUGE} x {_HUGE} in the stream",
                _file(syntax, bits, _frame(syntax, bits, (_HUGE, _HUGE))),
            )
    for name in ("50", "51", "70"):  # a size that is allowed, in a stream that cannot hold it
        bits = 8 if name == "50" else 12
        yield (
            f"JPEG .{name}: 10000 x 9000 in header and stream",
            _file(
                JPEG + name,
                bits,
                _frame(JPEG + name, bits, (10000, 9000)),
                Rows=10000,
                Columns=9000,
            ),
        )
    yield from _format_bombs()
    yield from _structure_bombs()
    yield from _deflate_bombs()


def _format_bombs() -> Iterator[tuple[str, bytes]]:
    for keyword, value in (
        ("NumberOfFrames", 2**31 - 1), ("BitsAllocated", 65535), ("SamplesPerPixel", 65535),
    ):  # fmt: skip
        for syntax, name in ((EXPLICIT, "uncompressed"), (JPEG + "70", "JPEG lossless")):
            frame = None if syntax == EXPLICIT else [encode(gradient(12, _SIZE), syntax, 12)]
            content = dicom_file(gradient(12, _SIZE), syntax, 12, fragments=frame)
            yield f"{name}: {keyword} {value}", _with_element(content, keyword, value)
    for name, cells in (("tiles of 1 x 1", (1, 1)), ("a tile of 0 x 0", (0, 0))):
        stream = bytearray(_frame(JPEG + "90", 12, (10000, 9000)))
        stream[24:32] = struct.pack(">2L", *cells)
        yield f"JPEG 2000: {name}", _file(JPEG + "90", 12, bytes(stream), Rows=10000, Columns=9000)
    stream = bytearray(_frame(JPEG + "90", 12, _SIZE))
    style = stream.index(b"\xff\x52")
    levels = stream[style + 9]
    stream[style + 3] += levels + 1
    stream[style + 4] |= 1
    stream[style + 6 : style + 8] = b"\xff\xff"
    stream[style + 14 : style + 14] = bytes([0x11]) * (levels + 1)
    yield "JPEG 2000: 65535 layers of tiny precincts", _file(JPEG + "90", 12, bytes(stream))


def _structure_bombs() -> Iterator[tuple[str, bytes]]:
    content = dicom_file(gradient(12, _SIZE), EXPLICIT, 12)
    place = content.index(_PIXELS_TAG)
    head, pixels = content[:place], content[place:]
    nested = b"\x40\x00\x55\x05SQ\0\0" + _UNDEFINED + b"\xfe\xff\x00\xe0" + _UNDEFINED
    for depth in (100, 5000):
        yield f"sequences in sequences, {depth} deep, without an end", head + nested * depth
        closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth
        if depth > 1000:
            yield f"sequences in sequences, {depth} deep", head + nested * depth + closed + pixels
    for length, name in ((0xFFFFFFFE, "4 GB"), (0x7FFFFFFF, "2 GB")):
        for vr in (b"OB", b"UN", b"SQ", b"UT"):
            element = b"\x41\x00\x10\x10" + vr + b"\0\0" + struct.pack("<L", length)
            yield f"an element of {name}, {vr.decode()}", head + element + pixels
    yield "pixel data of 4 GB", content[: place + 8] + b"\xfe" + b"\xff" * 3 + pixels[12:]
    compressed = dicom_file(gradient(12, _SIZE), RLE, 12)
    item = compressed.index(_PIXELS_TAG) + 20
    yield "an item of 4 GB", compressed[: item + 4] + b"\xf0\xff\xff\xff" + compressed[item + 8 :]
    table = compressed[: item - 4] + b"\xf0\xff\xff\xff" + compressed[item:]
    yield "an offset table of 4 GB", table


def _deflate_bombs() -> Iterator[tuple[str, bytes]]:
    """A megabyte of zeros takes a kilobyte (RFC 1951)."""
    zeros = 400 << 20
    plain = dicom_file(gradient(12, _SIZE), EXPLICIT, 12)
    meta = dicom_file(gradient(12, _SIZE), DEFLATED, 12)
    meta = meta[: 144 + struct.unpack_from("<L", meta, 140)[0]]
    start = 144 + struct.unpack_from("<L", plain, 140)[0]
    place = plain.index(_PIXELS_TAG)
    element = b"\x41\x00\x10\x10OB\0\0" + struct.pack("<L", zeros)
    for name, parts in (
        ("before the pixels", (plain[start:place] + element, zeros, plain[place:])),
        ("as the pixels", (plain[start : place + 8] + struct.pack("<L", zeros), zeros, b"")),
        ("after the pixels", (plain[start:], zeros, b"")),
    ):
        yield f"deflated zeros {name}", meta + _deflated(*parts)


def _deflated(head: bytes, zeros: int, tail: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = io.BytesIO()
    stream.write(squeeze.compress(head))
    for _ in range(zeros >> 20):
        stream.write(squeeze.compress(bytes(1 << 20)))
    stream.write(squeeze.compress(tail) + squeeze.flush())
    return stream.getvalue()


def _frame(syntax: str, bits: int, size: tuple[int, int]) -> bytes | None:
    """A small stream that declares a size; None where a syntax has none."""
    if syntax in (*NATIVE, RLE):
        return None
    frame = bytearray(encode(gradient(bits, _SIZE), syntax, bits))
    if syntax in (JPEG + "90", JPEG + "201"):
        frame[8:16] = struct.pack(">2L", size[1], size[0])
        frame[24:32] = struct.pack(">2L", size[1], size[0])
        return bytes(frame)
    start = next(
        frame.index(marker)
        for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc3", b"\xff\xf7")
        if marker in frame
    )
    frame[start + 5 : start + 9] = struct.pack(">2H", *size)
    return bytes(frame)


def _file(syntax: str, bits: int, frame: bytes | None, **elements: object) -> bytes:
    fragments = None if frame is None else [frame]
    return dicom_file(gradient(bits, _SIZE), syntax, bits, fragments=fragments, **elements)


def _with_element(content: bytes, keyword: str, value: int) -> bytes:
    """The file with one element more or another value."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(content))
    setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def verdicts(report: Callable[[str, int, Verdict], None]) -> None:
    """Give every bomb to one child process, and its name, size and verdict to `report`."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(CONFIG.memory_megabytes) as sandbox:
        path = Path(folder) / "bomb.dcm"
        path.write_bytes(dicom_file(gradient(8, _SIZE), EXPLICIT, 8))
        sandbox.run(str(path), defuse, CONFIG.timeout_seconds)  # what is imported when first used
        for name, content in bombs():
            path.write_bytes(content)
            try:
                verdict = sandbox.run(str(path), defuse, CONFIG.timeout_seconds)
            except ImageRejected as fault:  # the child died or was ended
                verdict = Verdict(fault.reason, float("inf"), float("inf"))
            report(name, len(content), verdict)


def main() -> int:
    """Print a line for every bomb."""
    print(f"{'':58}{'bytes':>9}{'ms':>8}{'MB':>8}  rejected as")
    harmful = []

    def report(name: str, size: int, verdict: Verdict) -> None:
        numbers = f"{size:>9}{verdict.milliseconds:>8.1f}{verdict.megabytes:>8.1f}"
        print(f"{name:58}{numbers}  {verdict.reason}")
        if not verdict.harmless:
            harmful.append(name)

    verdicts(report)
    for name in harmful:
        print(f"FAILED {name}: not rejected below {MOST_MILLISECONDS} ms and {MOST_MEGABYTES} MB")
    return 1 if harmful else 0


if __name__ == "__main__":
    sys.exit(main())
