"""Keyed identifiers: what may leave the machine instead of DICOM ids."""

import hashlib
import os

# Used when MAMMO_HASH_KEY is unset; run records then say `unkeyed`.
_CONSTANT_KEY = "mammo-ray"


def hash_key() -> str:
    """The key of `MAMMO_HASH_KEY`, or the constant when it is unset."""
    return os.environ.get("MAMMO_HASH_KEY") or _CONSTANT_KEY


def is_keyed(key: str) -> bool:
    """Whether a key is a secret rather than the constant."""
    return key != _CONSTANT_KEY


def keyed_id(prefix: str, key: str, *parts: str) -> str:
    """A stable id such as `img-3f0c...`: 96 bits of keyed BLAKE2b over the parts.

    Args:
        prefix: the kind of thing named: `img`, `exam`, `woman`.
        key: from `hash_key`, handed to remote tasks as an argument.
        parts: for an image the dataset name, then SOP Instance UID or relative path.
    """
    # A key of any length is folded to the 64 bytes that BLAKE2b takes.
    folded = hashlib.blake2b(key.encode(), digest_size=32).digest()
    content = "\x1f".join(parts).encode("utf-8", "surrogateescape")
    return f"{prefix}-{hashlib.blake2b(content, key=folded, digest_size=12).hexdigest()}"
