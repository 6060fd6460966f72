"""Whether the blocks of a sequential JPEG scan take all of its data and no more (ITU-T T.81 F.2).

Damage makes a Huffman decoder lose its place: it finds it again some codes later, having counted
too many blocks or too few, and the rest of the picture is shifted. libjpeg only warns, and the
warning is lost. But it can be asked: the frame header is made to promise a few rows of blocks more
than there are. Where data ends libjpeg leaves blocks zero, which is the middle of the gray scale,
so after a whole scan the added blocks are that gray, and after a damaged one they hold what is
left over.
"""

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

Samples = NDArray[np.integer]

_SEQUENTIAL, _LOSSLESS = (0xC0, 0xC1), 0xC3  # SOF0, SOF1 and SOF3, Huffman-coded
_SOS = 0xDA
_END = b"\xff\xd9"
_BLOCK = 8  # pixels
_ADDED_BLOCKS = 64
_FEWEST_BITS = 2  # of a block: one for its mean, one for the end of the rest
_MOST_ROWS = 65500  # that libjpeg decodes
# What blocks that lack their data would read instead.
_PROBES = (b"\x5a\xc3\x6d\x93" * 256, b"\x2e\x71\xcc\xcc" * 256)


def check_length(frame: bytes) -> None:
    """Compare the length of a JPEG stream with the least that its size takes, whatever its codes.

    Raises:
        ImageRejected: it is too short; decoding would fill memory with what is not there.
    """
    marker, place = _frame_header(frame)
    if not place:
        return
    rows, columns = struct.unpack_from(">HH", frame, place + 1)
    blocks = -(-rows // _BLOCK) * -(-columns // _BLOCK)
    fewest = rows * columns if marker == _LOSSLESS else _FEWEST_BITS * blocks
    if 8 * len(frame) < fewest:
        raise _damaged(f"{len(frame)} bytes cannot hold {rows} x {columns} pixels")


def decode_counted(frame: bytes, decode: Callable[[bytes], Samples]) -> Samples:
    """The samples of a JPEG stream, whose blocks are counted where that can be done.

    It can for one component in sequential mode; what else there is, is decoded as it stands.

    Args:
        frame: the stream, from SOI to EOI and padding.
        decode: libjpeg, from a stream to samples.

    Raises:
        ImageRejected: the scan has data for more blocks than the image, or for fewer.
        RuntimeError: whatever `decode` raises.
    """
    marker, place = _frame_header(frame)
    if marker not in _SEQUENTIAL:
        return decode(frame)
    precision, rows, columns, components = struct.unpack_from(">BHHB", frame, place)
    first = -(-rows // _BLOCK) * _BLOCK  # row of the first added block
    added = _BLOCK * -(-_ADDED_BLOCKS // max(1, -(-columns // _BLOCK)))
    if components > 1 or not rows * columns or first + added > _MOST_ROWS:
        return decode(frame)
    content = memoryview(frame)
    longer = b"".join(
        [content[: place + 1], struct.pack(">H", first + added), content[place + 3 :]]
    )
    middle = 1 << (precision - 1)
    samples = decode(longer)
    is_used = _used_blocks(samples[first:], middle)
    if is_used[_padding_blocks(frame) :].any():
        raise _damaged("data is left over after its last block")
    # Only where there is no data left, an added block is not touched at all.
    if not is_used[0] and any(
        not np.array_equal(samples[:first], decode(_with_codes(longer, codes))[:first])
        for codes in _PROBES
    ):
        raise _damaged("its data ends before its last block")
    return samples[:rows]


def _frame_header(frame: bytes) -> tuple[int, int]:
    """Marker of a Huffman-coded frame, and where its precision stands; zeros for any other."""
    offset = 2
    while offset + 10 <= len(frame) and frame[offset] == 0xFF:
        marker = frame[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker in _SEQUENTIAL or marker == _LOSSLESS:
            return marker, offset + 4
        if marker == _SOS or (0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xCC)):
            break
        offset += 2 + int.from_bytes(frame[offset + 2 : offset + 4], "big")
    return 0, 0


def _used_blocks(samples: Samples, middle: int) -> NDArray[np.bool_]:
    """Which whole blocks differ from the middle of the gray scale, in the order of the scan."""
    rows, columns = samples.shape
    across = -(-columns // _BLOCK)
    differs = np.zeros((rows, across * _BLOCK), dtype=bool)
    differs[:, :columns] = samples != middle
    blocks = differs.reshape(rows // _BLOCK, _BLOCK, across, _BLOCK)
    return np.asarray(blocks.any(axis=(1, 3)).ravel())


def _padding_blocks(frame: bytes) -> int:
    """How many blocks the bits after the last one may look like, with the one they begin.

    Ones are no code (T.81 F.1.2.3), but some encoders fill up with zeros, at most a byte more.
    """
    scan = frame[: frame.rindex(_END)].rstrip(b"\xff")
    zeros = 15 if scan.endswith(b"\0") else 7 if not scan[-1] & 1 else 0
    return 1 + zeros // _FEWEST_BITS


def _with_codes(frame: bytes, codes: bytes) -> bytes:
    """The stream with some more codes at the end of its scan."""
    end = frame.rindex(_END)
    return frame[:end].rstrip(b"\xff") + codes + frame[end:]


def _damaged(what: str) -> ImageRejected:
    return ImageRejected(RejectionReason.CODESTREAM_MISMATCH, f"the JPEG scan is damaged: {what}")
