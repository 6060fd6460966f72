"""Damaged files through the sandbox, and what became of them.

Every case is accepted or rejected with a reason. Accepted pixels that differ from the original's
are counted as silently different: what a codec cannot notice, nothing after it can.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason
from tests.dicom.files import EXPLICIT, JPEG, RLE, dicom_file, gradient
from tests.fuzz.mutations import MUTATIONS, Original, read_original

# Syntax -> (name, bits).
SYNTAXES = {
    EXPLICIT: ("uncompressed", 12),
    RLE: ("RLE", 12),
    JPEG + "50": ("JPEG baseline", 8),
    JPEG + "51": ("JPEG extended", 12),
    JPEG + "70": ("JPEG lossless", 12),
    JPEG + "80": ("JPEG-LS", 16),
    JPEG + "90": ("JPEG 2000", 12),
    JPEG + "201": ("HTJ2K", 16),
}
CONFIG = DecodeConfig(timeout_seconds=20)
_SHAPE = (320, 256)
_ELEMENTS = {
    "StudyDate": "20200102", "PatientName": "Nobody^Known", "StationName": "ROOM-17",
    "WindowCenter": ["2048", "1024"], "WindowWidth": ["4096", "2048"], "ImageLaterality": "L",
}  # fmt: skip
_HARMLESS = ("harmless", "unchanged")
_MUST_BE_THE_SAME = 0.99


@dataclass(frozen=True)
class Answer:
    """What the child process says of one file.

    Attributes:
        reason: of the rejection, None where the file was accepted.
        same: whether the pixels are the original's.
        peak_kilobytes: most memory that the child has ever had in use.
    """

    reason: str | None
    same: bool
    peak_kilobytes: int


@dataclass
class Tally:
    """What became of the cases of one syntax."""

    outcomes: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    peak_megabytes: float = 0.0
    slowest_seconds: float = 0.0

    @property
    def cut_accepted(self) -> int:
        """Truncated files that gave pixels, and closed ones that gave others than the whole."""
        whole = self.same["truncated"] + self.different["truncated"]
        return whole + self.different["cut and closed"]


def judge(content: bytes, original: bytes) -> Answer:
    """The answer on a file; runs in the child process.

    Args:
        content: the damaged file.
        original: the good file's pixels.
    """
    reason, same = None, False
    try:
        stored = decode_image(content, CONFIG).stored
        same = stored.shape == _SHAPE and stored.astype(np.int64).tobytes() == original
    except ImageRejected as fault:
        reason = fault.reason
    return Answer(reason, same, peak_kilobytes())


def peak_kilobytes() -> int:
    """Most memory that this process has ever had in use since it began its program."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def good_file(syntax: str) -> bytes:
    """An undamaged file in one of `SYNTAXES`."""
    bits = SYNTAXES[syntax][1]
    return dicom_file(gradient(bits, _SHAPE), syntax, bits, **_ELEMENTS)


def fuzz_syntax(syntax: str, cases: int, seed: int, sandbox: Sandbox, folder: Path) -> Tally:
    """So many damaged copies of a good file of one syntax, the kinds of damage in turn."""
    original: Original = read_original(good_file(syntax))
    pixels = decode_image(original.content, CONFIG).stored.astype(np.int64).tobytes()
    tally, path, kinds = Tally(), folder / "case.dcm", list(MUTATIONS)
    for number in range(cases):
        kind = kinds[number % len(kinds)]
        rng = np.random.default_rng([seed, list(SYNTAXES).index(syntax), number])
        path.write_bytes(MUTATIONS[kind](original, rng))
        _run_case(tally, kind, path, partial(judge, original=pixels), sandbox)
    return tally


def _run_case(
    tally: Tally, kind: str, path: Path, work: "partial[Answer]", sandbox: Sandbox
) -> None:
    """One damaged file, its outcome added to the tally."""
    tally.cases[kind] += 1
    started = time.monotonic()
    try:
        answer = sandbox.run(str(path), work, CONFIG.timeout_seconds)
    except ImageRejected as fault:  # the child did not answer
        answer = Answer(fault.reason, same=False, peak_kilobytes=0)
    tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - started)
    tally.peak_megabytes = max(tally.peak_megabytes, answer.peak_kilobytes / 1024)
    if answer.reason is None:
        tally.outcomes["same" if answer.same else "different"] += 1
        (tally.same if answer.same else tally.different)[kind] += 1
        return
    outcome = {
        RejectionReason.DECODER_CRASH: "deaths",
        RejectionReason.DECODER_TIMEOUT: "hangs",
    }.get(RejectionReason(answer.reason), "rejected")
    tally.outcomes[outcome] += 1
    tally.reasons[answer.reason] += 1


def failures(tally: Tally) -> list[str]:
    """What may not happen, and did."""
    found = [f"{tally.outcomes[bad]} {bad}" for bad in ("deaths", "hangs") if tally.outcomes[bad]]
    if tally.cut_accepted:
        found.append(f"{tally.cut_accepted} truncated files were accepted")
    harmless = sum(tally.cases[kind] for kind in _HARMLESS)
    same = sum(tally.same[kind] for kind in _HARMLESS)
    if same < _MUST_BE_THE_SAME * harmless:
        found.append(f"{same} of {harmless} good files kept their pixels")
    if tally.peak_megabytes > CONFIG.memory_megabytes:
        found.append(f"the child took {tally.peak_megabytes:.0f} MB, above its cap")
    return found
