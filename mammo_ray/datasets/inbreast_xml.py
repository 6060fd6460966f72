"""Lesions in the XML files of INbreast: property lists of regions that OsiriX wrote.

`Images` > `ROIs` > `Name`, `NumberOfPoints` and `Point_px`, a list of `(x, y)` strings, that is
(column, row) in source pixels.
"""

import plistlib
import re
from dataclasses import dataclass
from math import dist
from typing import Final
from xml.parsers.expat import ExpatError

from mammo_ray.datasets.manifest import Row
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import OutlineForm, RejectionReason

# The largest published file has about 2 MB.
LARGEST_FILE: Final = 16 << 20
# A calcification that was marked by one click still covers this many pixels around it.
POINT_RADIUS: Final = 1.0

_POINT = re.compile(r"\(\s*(-?\d{1,6}(?:\.\d+)?)\s*,\s*(-?\d{1,6}(?:\.\d+)?)\s*\)")
# The published names hold slips of the pen; `Point 1` and `Point 3` are the program's own names.
_NAMES = {
    "calcifications": "Calcification",
    "assymetry": "Asymmetry",
    "espiculated region": "Spiculated Region",
    "spiculated region": "Spiculated Region",
    "point 1": "Unnamed",
    "point 3": "Unnamed",
    "": "Unnamed",
}
# What plistlib raises on XML that is not a property list.
_PARSE_ERRORS = (ExpatError, ValueError, LookupError, AttributeError, TypeError, OverflowError)


@dataclass(frozen=True)
class Lesions:
    """What one file draws: entry k of both lists is the same lesion.

    Attributes:
        abnormalities: of `schema.ABNORMALITY`, its number and type.
        outlines: of `schema.OUTLINE`.
    """

    abnormalities: list[Row]
    outlines: list[Row]


def read_lesions(content: bytes) -> Lesions:
    """The lesions of one file.

    Three points or more are a polygon. One point is a circle of `POINT_RADIUS`, two are the circle
    that has them as diameter: a polygon of either would cover nothing. A region without points
    draws nothing and is passed over.

    Raises:
        ImageRejected: `annotation-invalid`: too large, XML with entities of its own, not a property
            list of regions, or a region whose points cannot be read or are not all there.
    """
    if len(content) > LARGEST_FILE:
        raise _invalid(f"{len(content)} bytes, at most {LARGEST_FILE} are read")
    if b"<!ENTITY" in content.replace(b"\x00", b""):  # UTF-16 too
        raise _invalid("it declares entities")
    try:
        tree = plistlib.loads(content, fmt=plistlib.FMT_XML)
    except _PARSE_ERRORS as error:
        raise _invalid(f"not an XML property list ({type(error).__name__})") from error
    found = Lesions([], [])
    for region in _regions(tree):
        points = _points(region)
        if points:
            name = str(region.get("Name", "")).strip()
            number = len(found.outlines) + 1
            kind = _NAMES.get(name.lower(), name)
            found.abnormalities.append({"number": number, "type": kind})
            found.outlines.append(_outline(points))
    return found


def _regions(tree: object) -> list[dict[str, object]]:
    """The regions of all images in the list."""
    images = tree.get("Images") if isinstance(tree, dict) else None
    if not isinstance(images, list) or not images:
        raise _invalid("no list 'Images' in it")
    regions: list[dict[str, object]] = []
    for image in images:
        listed = image.get("ROIs") if isinstance(image, dict) else None
        if not isinstance(listed, list) or not all(isinstance(r, dict) for r in listed):
            raise _invalid("an image without a list 'ROIs'")
        regions.extend(listed)
    return regions


def _points(region: dict[str, object]) -> list[tuple[float, float]]:
    """Points of a region as (row, column)."""
    texts = region.get("Point_px")
    if not isinstance(texts, list):
        raise _invalid("a region without a list 'Point_px'")
    said = region.get("NumberOfPoints", len(texts))
    if said != len(texts):
        raise _invalid(f"a region says {said} points and has {len(texts)}")
    points = []
    for text in texts:
        found = _POINT.fullmatch(str(text).strip())
        if found is None:
            raise _invalid(f"{str(text)[:40]!r} is not a point '(x, y)'")
        points.append((float(found[2]), float(found[1])))
    return points


def _outline(points: list[tuple[float, float]]) -> Row:
    if len(points) > 2:
        flat = [value for point in points for value in point]
        return {"form": str(OutlineForm.POLYGON), "points": flat, "radius": None}
    first, last = points[0], points[-1]
    center = [(a + b) / 2 for a, b in zip(first, last, strict=True)]
    radius = max(dist(first, last) / 2, POINT_RADIUS)
    return {"form": str(OutlineForm.CIRCLE), "points": center, "radius": radius}


def _invalid(detail: str) -> ImageRejected:
    return ImageRejected(RejectionReason.ANNOTATION_INVALID, detail)
