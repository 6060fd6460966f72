"""Tells the cropped image from the ROI mask of a lesion of CBIS-DDSM.

Neither the columns of the case tables nor the names of files tell: both are interchanged in
places. A mask is drawn over the whole film, in 8 bits and two values; a crop is a small piece of
the film, in 16 bits and many values. Each piece of evidence gives a vote, and votes that
contradict each other decide nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from mammo_ray.schema import Kind

# JPEG blurs a mask into 17 to 65 gray values; crops lie far below this share.
NEAR_BINARY = 0.99

_SAME_SIZE = 0.01  # of the film: rows and columns that differ by less are the same
_SMALLER = 0.9  # of an area: a difference that is no rounding

Size = tuple[int, int]


class Status(StrEnum):
    """What became of a file that a table names."""

    RESOLVED = "resolved"
    NEEDS_PIXELS = "needs-pixels"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True)
class Evidence:
    """What is known of one file; None is unknown.

    Attributes:
        told_kind: what its series description says it shows.
        told_bits: bits allocated, by a table.
        told_size: rows and columns, by a table.
        size: rows and columns that the file itself has.
        bits: nominal bits of its stored values, where the file format tells crop from mask.
        near_binary: share of pixels near black or near white, from its pixels.
        fault: why it cannot be the file that the tables mean: another case, another series.
    """

    told_kind: Kind | None = None
    told_bits: int | None = None
    told_size: Size | None = None
    size: Size | None = None
    bits: int | None = None
    near_binary: float | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Which of two files is the mask.

    Attributes:
        status: resolved, needs-pixels or ambiguous.
        how: what decided, or why nothing did.
        mask_is_first: where resolved: the first file is the mask, the second the crop; else the
            other way round.
        by_pixels: whether text alone does not decide.
    """

    status: Status
    how: str
    mask_is_first: bool = False
    by_pixels: bool = True


@dataclass(frozen=True)
class _Vote:
    """+1: the first file is the mask; -1: the second one; 0: says nothing."""

    side: int = 0
    contradicts: bool = False


def tell_apart(first: Evidence, second: Evidence | None, film: Evidence | None) -> Verdict:
    """Which of the two files of a lesion is the mask and which the crop.

    Pixels decide where they were looked at, and sizes and bits must not say otherwise. Before
    that, text decides only where description, bits and size of both files and the size of the
    film are all there and agree, and where the sizes of the opened files do not contradict it.

    Args:
        first: one file of the lesion.
        second: the other one; None where only one is there.
        film: the whole film, where it is there.
    """
    fault = first.fault or (second.fault if second else None)
    if fault is not None:
        return Verdict(Status.AMBIGUOUS, fault, by_pixels=False)
    other = second or Evidence()
    film = film or Evidence()
    if first.near_binary is not None or other.near_binary is not None:
        return _by_pixels(first, other, film)
    return _by_text(first, other, film)


def judge_film(film: Evidence) -> Verdict:
    """Whether the one file of a film's series can be the film."""
    if film.fault is not None:
        return Verdict(Status.AMBIGUOUS, film.fault, by_pixels=False)
    told = [film.told_kind in {None, Kind.FULL}, film.told_bits in {None, 16}]
    if film.near_binary is not None and film.near_binary >= NEAR_BINARY:
        how = f"a film was expected, {film.near_binary:.3f} of its pixels are black or white"
        return Verdict(Status.AMBIGUOUS, how, by_pixels=not all(told))
    if film.told_kind == Kind.CROP:  # a crop looks like a film: pixels cannot tell
        how = "its series is named as a film's, its description says cropped image"
        return Verdict(Status.AMBIGUOUS, how, by_pixels=False)
    if all(told):
        return Verdict(Status.RESOLVED, "series UID", by_pixels=False)
    if film.near_binary is None:
        return Verdict(Status.NEEDS_PIXELS, "its description or bits are those of a mask")
    return Verdict(Status.RESOLVED, "series UID and pixels")


def _by_pixels(first: Evidence, second: Evidence, film: Evidence) -> Verdict:
    look = _opposed(_looks(first), _looks(second))
    if look.contradicts:
        shares = f"{first.near_binary:.3f} and {second.near_binary:.3f}"
        how = f"both files look alike: {shares} of their pixels are black or white"
        return Verdict(Status.AMBIGUOUS, how)
    votes = {
        "sizes": _sizes(first.size, second.size, film.size),
        "bits": _stored_bits(first.bits, second.bits),
    }
    against = [name for name, vote in votes.items() if vote.side == -look.side]
    if against:
        how = f"pixels and {' and '.join(against)} contradict each other"
        return Verdict(Status.AMBIGUOUS, how)
    agreeing = [name for name, vote in votes.items() if vote.side == look.side]
    return Verdict(Status.RESOLVED, " and ".join(["pixels", *agreeing]), look.side > 0)


def _by_text(first: Evidence, second: Evidence, film: Evidence) -> Verdict:
    votes = (
        _opposed(_kind(first), _kind(second)),
        _opposed(_bits(first.told_bits), _bits(second.told_bits)),
        _sizes(first.told_size, second.told_size, film.told_size),
    )
    sides = {vote.side for vote in votes}
    if sides not in ({1}, {-1}) or not (_is_told(first) and _is_told(second) and film.told_size):
        contrary = any(vote.contradicts for vote in votes) or {1, -1} <= sides
        how = "what tables say contradicts itself" if contrary else "tables do not tell"
        return Verdict(Status.NEEDS_PIXELS, how)
    told = sides.pop()
    found = _sizes(first.size, second.size, film.size).side
    if found == told or not (first.size or second.size):
        return Verdict(Status.RESOLVED, "text", told > 0, by_pixels=False)
    if (first.size, second.size) == (second.told_size, first.told_size):
        how = "text, its two records interchanged as the sizes show"
        return Verdict(Status.RESOLVED, how, found > 0, by_pixels=False)
    how = "the sizes of the files are not those that tables tell"
    return Verdict(Status.AMBIGUOUS, how, by_pixels=False)


def _is_told(file: Evidence) -> bool:
    """Whether tables say everything of a file."""
    return None not in (file.told_kind, file.told_bits, file.told_size)


def _opposed(first: int, second: int) -> _Vote:
    """The vote of two files judged alone: +1 a mask, -1 a crop, 0 unknown."""
    if first and first == second:
        return _Vote(contradicts=True)
    return _Vote(first or -second)


def _kind(file: Evidence) -> int:
    return {Kind.MASK: 1, Kind.CROP: -1}.get(file.told_kind, 0) if file.told_kind else 0


def _bits(bits: int | None) -> int:
    return 0 if bits is None else 1 if bits <= 8 else -1


def _stored_bits(first: int | None, second: int | None) -> _Vote:
    """Equal bits say nothing: the files may have been converted."""
    return _Vote() if first == second else _opposed(_bits(first), _bits(second))


def _looks(file: Evidence) -> int:
    if file.near_binary is None:
        return 0
    return 1 if file.near_binary >= NEAR_BINARY else -1


def _sizes(first: Size | None, second: Size | None, film: Size | None) -> _Vote:
    """A mask has the size of its film, or at least it is the larger of the two."""
    if first is None or second is None:
        return _opposed(_size(first, film), _size(second, film))
    fits = [_is_size(size, film) for size in (first, second)]
    if fits[0] != fits[1]:
        side = 1 if fits[0] else -1
        larger = _is_smaller(first, second) if fits[0] else _is_smaller(second, first)
        return _Vote() if larger else _Vote(side)  # a crop larger than its film tells nothing
    if _is_smaller(second, first):
        return _Vote(1)
    return _Vote(-1) if _is_smaller(first, second) else _Vote()


def _size(size: Size | None, film: Size | None) -> int:
    """One file against its film."""
    if size is None or film is None:
        return 0
    return 1 if _is_size(size, film) else -1 if _is_smaller(size, film) else 0


def _is_size(size: Size, film: Size | None) -> bool:
    return film is not None and all(
        abs(length - whole) <= _SAME_SIZE * whole for length, whole in zip(size, film, strict=True)
    )


def _is_smaller(size: Size, than: Size) -> bool:
    """Smaller in rows and columns, and clearly so in area."""
    inside = size[0] <= than[0] and size[1] <= than[1]
    return inside and size[0] * size[1] < _SMALLER * than[0] * than[1]
