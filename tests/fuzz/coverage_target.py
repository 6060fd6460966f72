"""Coverage-guided fuzzing of everything in front of the decoders, for as long as anyone likes.

    python -m tests.fuzz.coverage_target CORPUS [-max_total_time=300] [libFuzzer's other options]

It needs atheris (`pip install mammo-ray[fuzz]`). CORPUS is a folder for inputs that reach new code;
good files of every transfer syntax are put there first. An input that raises anything but a
rejection, or takes more than ten seconds, is written beside it as `CORPUS-crash-*`.
"""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from mammo_ray.dicom.codecs import Frame, Samples

_OPTIONS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=16384")


def refuse(_frame: "Frame") -> "Samples":
    """A decoder in place of all others: the walk ends where they begin.

    Raises:
        ValueError: always.
    """
    raise ValueError("not decoded")


def walk(content: bytes) -> None:
    """Take a file through the header, its facts, its frame, and the checks of the frame."""
    from mammo_ray.config import DecodeConfig
    from mammo_ray.dicom.codecs import DECODERS, Decoder
    from mammo_ray.dicom.decode import decode_image
    from mammo_ray.dicom.header import read_header
    from mammo_ray.errors import ImageRejected

    decoders = dict.fromkeys(DECODERS, Decoder("none", refuse))
    for work in (
        lambda: read_header(lambda start, length: content[start : start + length], len(content)),
        lambda: decode_image(content, DecodeConfig()),
    ):
        try:
            with patch.dict(DECODERS, decoders):
                work()
        except ImageRejected:
            continue


def write_seeds(corpus: Path) -> None:
    """Small good files, one a transfer syntax."""
    from tests.dicom.files import ALL_SYNTAXES, dicom_file, gradient

    corpus.mkdir(parents=True, exist_ok=True)
    for syntax in ALL_SYNTAXES:
        bits = 12 if syntax.endswith(".51") else 8
        (corpus / f"seed-{syntax}.dcm").write_bytes(
            dicom_file(gradient(bits, (24, 20)), syntax, bits)
        )


def main(arguments: list[str]) -> int:
    """Fuzz until stopped."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install 'mammo-ray[fuzz]'")
        return 2
    if not arguments or arguments[0].startswith("-"):
        print("name a folder for the corpus first")
        return 2
    import atheris

    with atheris.instrument_imports(include=["mammo_ray", "pydicom"]):
        walk(b"")
    corpus = Path(arguments[0])
    write_seeds(corpus)
    found = f"-artifact_prefix={corpus}-"
    atheris.Setup([sys.argv[0], *_OPTIONS, found, *arguments], walk)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
