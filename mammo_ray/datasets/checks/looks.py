"""What one look at the pixels of an image says, for the checks that need it."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mammo_ray.config import DecodeConfig
from mammo_ray.image_files.decode import count_values, decode_file

# Fewer gray values or pixels may be shared by chance.
_FEWEST_VALUES = 32
_FEWEST_PIXELS = 4096

# `place` is -1 for the image itself, else the index of the mask in its row.
LOOKS = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("place", pa.int32()),
        pa.field("reason", pa.string()),
        pa.field("rows", pa.int32()),
        pa.field("columns", pa.int32()),
        pa.field("blank", pa.bool_()),
        pa.field("empty", pa.bool_()),
        pa.field("pixel_hash", pa.string()),
        pa.field("content_hash", pa.string()),
    ]
)


def look_at_image(content: bytes, config: DecodeConfig) -> dict[str, Any]:
    """Size, blankness and digests of an image, in columns of `LOOKS`.

    `pixel_hash` is a digest of the stored values in their order: files of two formats with the
    same pixels have the same. `content_hash` is one of how often every value occurs in the box
    around all that is not the darkest value: mirrored, turned and padded copies have the same.
    It is null where the values are too few to tell images apart.

    Raises:
        ImageRejected: the file does not give every pixel it promises.
    """
    stored = decode_file(content, config).stored
    return {
        "rows": stored.shape[0],
        "columns": stored.shape[1],
        "blank": bool(stored.min() == stored.max()),
        "pixel_hash": pixel_hash(stored),
        "content_hash": content_hash(stored),
    }


def pixel_hash(stored: NDArray[np.integer]) -> str:
    """Digest of the values and their places, whatever type holds them; shape (rows, columns)."""
    wide = np.ascontiguousarray(stored, dtype="<i4" if stored.dtype.kind == "i" else "<u2")
    if wide.dtype.kind == "i" and wide.min() >= 0:
        wide = wide.astype("<u2")
    digest = hashlib.blake2b(repr(stored.shape).encode(), digest_size=16)
    digest.update(wide.data)
    return digest.hexdigest()


def content_hash(stored: NDArray[np.integer]) -> str | None:
    """Digest of the values in the box of content, wherever they lie in it; None: too few."""
    lit = stored != stored.min()
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return None
    box = stored[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    values, counts = count_values(np.ascontiguousarray(box))
    if len(values) < _FEWEST_VALUES or box.size < _FEWEST_PIXELS:
        return None
    digest = hashlib.blake2b(repr(sorted(box.shape)).encode(), digest_size=16)
    digest.update(values.astype("<i8").tobytes() + counts.astype("<i8").tobytes())
    return digest.hexdigest()
