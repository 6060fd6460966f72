"""How the paths of CBIS-DDSM were resolved, in numbers and in words."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mammo_ray.datasets.cbis.lesions import Lesion
from mammo_ray.datasets.cbis.paths import CasePaths, Found, KnownFiles
from mammo_ray.datasets.cbis.pixels import Status
from mammo_ray.schema import Kind

_WORDS = {Kind.FULL: "full films", Kind.CROP: "crops", Kind.MASK: "masks"}


def path_statement(
    paths: CasePaths, lesions: Sequence[Lesion], known: KnownFiles
) -> dict[str, Any]:
    """What a reader says of its paths once they are settled.

    Returns:
        `paths`: for full, crop and mask, how many the tables name, and of these how many names and
        texts resolved, how many needed pixels, are missing or ambiguous, which add up to `named`;
        `missing_series`: Series Instance UIDs of the tables without a file; `said`: lines for
        people.
    """
    found = {kind: paths.of_kind(kind) for kind in _WORDS}
    missing = missing_series(lesions, known)
    said = [_line(kind, files) for kind, files in found.items()]
    if missing:
        said.append(f"series without a file: {', '.join(missing[:10])}" + _more(len(missing) - 10))
    return {
        "paths": {str(kind): _counts(files) for kind, files in found.items()},
        "missing_series": missing,
        "said": said,
    }


def missing_series(lesions: Sequence[Lesion], known: KnownFiles) -> list[str]:
    """Series that the tables name and of which no file is there, sorted."""
    named = {name.series for lesion in lesions for name in (lesion.full, lesion.crop, lesion.mask)}
    return sorted(series for series in named if not known.by_series.get(series))


def _counts(files: Sequence[Found]) -> dict[str, int]:
    statuses = Counter(found.status for found in files)
    by_pixels = sum(found.status == Status.RESOLVED and found.by_pixels for found in files)
    return {
        "named": len(files),
        "resolved": statuses[Status.RESOLVED] - by_pixels,
        "needed_pixels": statuses[Status.NEEDS_PIXELS] + by_pixels,
        "missing": statuses[Status.MISSING],
        "ambiguous": statuses[Status.AMBIGUOUS],
    }


def _line(kind: Kind, files: Sequence[Found]) -> str:
    """`crops: 3,568 named = 3,463 resolved + 104 told by pixels + 1 missing + 0 ambiguous`."""
    counts = _counts(files)
    unseen = any(found.status == Status.NEEDS_PIXELS for found in files)
    return (
        f"{_WORDS[kind]}: {counts['named']:,} named = {counts['resolved']:,} resolved + "
        f"{counts['needed_pixels']:,} {'undecided without pixels' if unseen else 'told by pixels'}"
        f" + {counts['missing']:,} missing + {counts['ambiguous']:,} ambiguous"
    )


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""
