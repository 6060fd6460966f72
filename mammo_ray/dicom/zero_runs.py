"""Zeros in the coded data of JPEG 2000 and HTJ2K, where a lost disk block left them.

Decoders take a run of zeros for coefficients and answer with a smear. Arithmetic-coded data looks
like noise, so that it holds no long run of zeros: in real films at most 18 bytes. What can be all
zeros is the header of an empty packet (ITU-T T.800 B.10.3), or the part of a header that speaks of
blocks without data in this layer, so a codestream may have as many zeros as these could be. HTJ2K
writes magnitudes as plain bits (T.814 7.3), which a drawn picture can make zero over a whole block.
"""

import re
import struct
from dataclasses import dataclass

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_COD, _TILE_PART, _START_OF_DATA, _END = b"\xff\x52", b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_NOT_ZERO = re.compile(rb"[^\0]")
_PRECINCTS, _BYPASS, _HIGH_THROUGHPUT = 0x01, 0x01, 0x40  # bits of Scod and of SPcod's style
_DEFAULT_PRECINCT = 15  # log2 of its width and height
_CHANCE = 64  # bytes: an arithmetic coder writes so many zeros once in 2**512
_WIDE_ROW = 256  # bytes: a row of quads whose magnitudes have as many bits as the row above needed


@dataclass(frozen=True)
class _Coding:
    """What COD says of every tile (T.800 A.6.1)."""

    layers: int
    levels: int
    block_width: int
    block_height: int
    style: int
    precincts: tuple[tuple[int, int], ...]  # log2 (width, height), lowest resolution first


def check_zero_runs(frame: bytes) -> None:
    """Look for more zeros than the coded data of a whole codestream can have.

    Zeros in front of a tile-part's end may be padding and are left out.

    Args:
        frame: a JPEG 2000 or HTJ2K codestream whose tile-parts were checked.

    Raises:
        ImageRejected: there are.
    """
    start = frame.find(_START_OF_DATA)
    coding = _coding(frame[:start])
    if coding is None or _is_raw(coding):
        return
    limit = min(_longest_run(frame, coding), len(frame))
    place = frame.find(bytes(limit + 1), start)
    while place >= 0:
        beyond = _NOT_ZERO.search(frame, place)
        end = beyond.start() if beyond else len(frame)
        if not frame.startswith((_TILE_PART, _END), end):
            raise ImageRejected(
                RejectionReason.CODESTREAM_MISMATCH,
                f"the JPEG 2000 codestream has {end - place} zeros from byte {place} on, "
                f"expected at most {limit} in coded data",
            )
        place = frame.find(bytes(limit + 1), end)


def _coding(main_header: bytes) -> _Coding | None:
    """The COD segment in the main header, None where it has none."""
    offset = 2
    while offset + 4 <= len(main_header) and main_header[offset] == 0xFF:
        (length,) = struct.unpack_from(">H", main_header, offset + 2)
        if main_header.startswith(_COD, offset) and offset + 14 <= len(main_header):
            flags, layers, levels, width, height, style = struct.unpack_from(
                ">BxHxBBBB", main_header, offset + 4
            )
            sizes = main_header[offset + 14 : offset + 15 + levels] if flags & _PRECINCTS else b""
            precincts = tuple((size & 0x0F, size >> 4) for size in sizes)
            default = ((_DEFAULT_PRECINCT, _DEFAULT_PRECINCT),) * (levels + 1)
            return _Coding(
                layers, levels, 4 << (width & 0x0F), 4 << (height & 0x0F), style,
                precincts if len(precincts) > levels else default,
            )  # fmt: skip
        offset += 2 + length
    return None


def _is_raw(coding: _Coding) -> bool:
    """Whether some arithmetic coding is bypassed: low bits of shifted samples are all zero."""
    return bool(coding.style & _BYPASS) and not coding.style & _HIGH_THROUGHPUT


def _longest_run(frame: bytes, coding: _Coding) -> int:
    """Bytes of zeros that packet headers and chance can put in a row."""
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6L", frame, 8)
    width, height = int(min(right - left, tile_width)), int(min(bottom - top, tile_height))
    components = int.from_bytes(frame[40:42], "big")
    packets = 0
    for resolution, (log_width, log_height) in enumerate(coding.precincts):
        shrunk = coding.levels - resolution
        across = ((width - 1) >> (shrunk + log_width)) + 2  # a tile may begin inside a precinct
        down = ((height - 1) >> (shrunk + log_height)) + 2
        packets += across * down
    across, down = width // coding.block_width + 2, height // coding.block_height + 2
    # A block without data takes one bit in a later layer; in the first, its tree takes it together
    # with its neighbours unless they have data.
    header_bits = 2 * across * down if coding.layers > 1 else 3 * across
    is_plain = bool(coding.style & _HIGH_THROUGHPUT)
    block = coding.block_width * coding.block_height // 8 + _WIDE_ROW if is_plain else 0
    return _CHANCE + block + components * coding.layers * packets + header_bits // 8
