"""The data elements in front of the pixels, from bytes that may be only the start of a file.

pydicom answers a short file with a partial dataset and no error. So a header counts as whole only
when pydicom stopped at the pixel data itself, or when the last element ends exactly where the file
ends (PS3.10 section 7, PS3.5 section 7.1).
"""

import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO

import pydicom.config
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
UNDEFINED_LENGTH = 0xFFFFFFFF

# What pydicom raises on damaged bytes, found by feeding it damaged bytes.
PARSE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,  # with NotImplementedError and RecursionError
    TypeError,
    ValueError,  # with UnicodeError
    struct.error,
    zlib.error,
)

_PIXEL_TAGS = (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA)
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_DATASET_START = 132  # after the preamble and `DICM`
# Bytes of a deflated dataset that are inflated for its header, at first and at most.
_FIRST_INFLATED, _MOST_INFLATED = 1 << 18, 1 << 22


@dataclass(frozen=True)
class ParsedHeader:
    """A whole header and where the pixels lie.

    Attributes:
        dataset: every element in front of the pixel data; values are converted when read.
        transfer_syntax: Transfer Syntax UID (0002,0010), None where the file meta has none.
        media_storage_class: Media Storage SOP Class UID (0002,0002).
        body: the bytes that `pixel_offset` counts in (the file, or the start of the inflated
            dataset).
        pixel_tag: tag of the pixel data element, None where there is none.
        pixel_offset: first byte of its value.
        pixel_length: its declared length; `UNDEFINED_LENGTH` for encapsulated frames.
        pixel_vr: its value representation, None in an implicit dataset.
        inflated: whether a deflated dataset reached its end; True for any other.
        deflated: the bytes that `body` was inflated from, where it did not.
    """

    dataset: Dataset
    transfer_syntax: str | None
    media_storage_class: str | None
    body: bytes
    pixel_tag: int | None = None
    pixel_offset: int = 0
    pixel_length: int = 0
    pixel_vr: str | None = None
    inflated: bool = True
    deflated: bytes = b""


@dataclass
class _Watch:
    """Sees every top-level element go by and stops pydicom at the pixel data."""

    stream: BytesIO
    tag: int | None = None
    length: int = 0
    value_start: int = 0
    vr: str | None = None
    stopped: bool = False

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self.tag, self.length, self.value_start = int(tag), length, self.stream.tell()
        self.vr = vr
        self.stopped = self.tag in _PIXEL_TAGS
        return self.stopped


_quiet = threading.local()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings and log lines, which may quote identifiers, from the user.

    Also a decorator, of what reads many elements: inside, it costs nothing for each of them.
    """
    if getattr(_quiet, "is_on", False):
        yield
        return
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        _quiet.is_on = True
        try:
            yield
        finally:
            _quiet.is_on = False
            logger.setLevel(level)


def tag_text(tag: int) -> str:
    """A tag as people write it: `(0028,0010)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def parse_header(content: bytes, complete: bool) -> ParsedHeader | None:
    """The header at the start of a file.

    Args:
        content: the file, or its first bytes.
        complete: whether `content` is the whole file.

    Returns:
        The header, or None when more of the file is needed to be sure of it.

    Raises:
        ImageRejected: the bytes are no DICOM file, or the file ends inside its header, or its
            header cannot be parsed.
    """
    if complete and not content:
        raise ImageRejected(RejectionReason.EMPTY_FILE, "the file has 0 bytes")
    if len(content) < _DATASET_START and not complete:
        return None
    if content[128:_DATASET_START] != b"DICM":
        raise ImageRejected(
            RejectionReason.NOT_DICOM,
            "bytes 128 to 131 are not b'DICM' (PS3.10 section 7.1)",
        )
    with quiet_pydicom():
        try:
            header, watch = _read(content)
        except PARSE_ERRORS as error:
            if not complete:
                return None
            raise ImageRejected(
                RejectionReason.HEADER_INVALID,
                f"the header cannot be parsed: {type(error).__name__}",
            ) from error
    if complete:
        _require_whole(header, watch)
    return header if complete or header.pixel_tag is not None else None


def inflate(deflated: bytes, most: int) -> tuple[bytes, bool]:
    """At most so many bytes of a deflated dataset, and whether it ends there.

    Raises:
        zlib.error: it is damaged.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return inflater.decompress(deflated, most), inflater.eof


def _read(content: bytes) -> tuple[ParsedHeader, _Watch]:
    """Parse as far as the bytes go."""
    stream = BytesIO(content)
    stream.seek(_DATASET_START)
    meta = read_dataset(stream, False, True, stop_when=_beyond_file_meta)
    if _uid(meta, "TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return _read_deflated(stream.read(), meta)
    return _read_dataset(stream, meta, content)


def _read_deflated(deflated: bytes, meta: Dataset) -> tuple[ParsedHeader, _Watch]:
    """Inflate and parse no more than it takes to come to the pixel data.

    Raises:
        ImageRejected: that is too much.
    """
    for most in (_FIRST_INFLATED, _MOST_INFLATED):
        body, ended = inflate(deflated, most)
        is_all = len(body) < most or ended
        try:
            header, watch = _read_dataset(BytesIO(body), meta, body)
        except PARSE_ERRORS:
            if is_all:
                raise
            continue
        if is_all or watch.stopped:
            rest = b"" if ended else deflated
            return replace(header, inflated=ended, deflated=rest), watch
    raise ImageRejected(
        RejectionReason.HEADER_INVALID,
        f"there is no pixel data within the first {_MOST_INFLATED} bytes of the deflated dataset",
    )


def _read_dataset(stream: BytesIO, meta: Dataset, body: bytes) -> tuple[ParsedHeader, _Watch]:
    """Parse the dataset up to its pixel data."""
    transfer_syntax = _uid(meta, "TransferSyntaxUID")
    implicit = transfer_syntax == ImplicitVRLittleEndian or (
        transfer_syntax is None and _looks_implicit(stream)
    )
    watch = _Watch(stream)
    dataset = read_dataset(
        stream, implicit, transfer_syntax != ExplicitVRBigEndian, stop_when=watch
    )
    header = ParsedHeader(
        dataset=dataset,
        transfer_syntax=transfer_syntax,
        media_storage_class=_uid(meta, "MediaStorageSOPClassUID"),
        body=body,
        pixel_tag=watch.tag if watch.stopped else None,
        pixel_offset=watch.value_start if watch.stopped else 0,
        pixel_length=watch.length if watch.stopped else 0,
        pixel_vr=watch.vr if watch.stopped else None,
    )
    return header, watch


def _beyond_file_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != 2


def _looks_implicit(stream: BytesIO) -> bool:
    """Whether the next element has no VR letters; for files whose meta names no syntax."""
    start = stream.tell()
    letters = stream.read(6)[4:]
    stream.seek(start)
    return not (letters.isalpha() and letters.isupper())


def _uid(meta: Dataset, keyword: str) -> str | None:
    value = meta.get(keyword)
    return str(value).strip("\0 ") or None if value else None


def _require_whole(header: ParsedHeader, watch: _Watch) -> None:
    """Reject a file without pixel data unless its last element ends where the file ends."""
    if header.pixel_tag is not None:
        return
    if not header.inflated:
        raise ImageRejected(
            RejectionReason.HEADER_TRUNCATED,
            f"the deflated dataset does not come to its end or its pixels in {len(header.body)} "
            "bytes",
        )
    size = len(header.body)
    if watch.tag is None:
        raise ImageRejected(
            RejectionReason.HEADER_TRUNCATED, "the file ends before the first data element"
        )
    if watch.length == UNDEFINED_LENGTH:
        whole = header.body.endswith(_SEQUENCE_END)
    else:
        whole = watch.value_start + watch.length == size
    if not whole:
        raise ImageRejected(
            RejectionReason.HEADER_TRUNCATED,
            f"the file ends at byte {size} inside or after element {tag_text(watch.tag)} "
            f"(value at {watch.value_start}, length {watch.length}), before any pixel data",
        )
