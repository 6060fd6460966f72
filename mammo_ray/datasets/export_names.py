"""Names of exported files from a template such as `{patient_id}_{laterality}_{kind}`.

Names are relative, unique also where case does not count, and never leave their folder. They hold
what the template asks for: with `{patient_id}` they name patients.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from string import Formatter

import pandas as pd

from mammo_ray.errors import UsageError

DEFAULT_TEMPLATE = "{patient_id}_{laterality}_{view_position}_{kind}"
FIELDS = (
    "image_id", "patient_id", "study_uid", "study_date", "accession", "laterality",
    "view_position", "series_uid", "sop_uid", "film_id", "kind", "parent_image_id", "image_kind",
    "presentation_intent", "split", "cancer", "pathology", "birads", "density", "age", "implant",
    "site", "manufacturer", "model_name", "device_serial",
)  # fmt: skip
_MISSING = "unknown"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_VALUE = 64  # characters: a UID
_DIGITS = 8  # of the digest that tells values apart which would read alike
_LONGEST_PART = 180


def template_fields(template: str) -> list[str]:
    """The fields of a template, in its order.

    Raises:
        UsageError: not a template, an unknown field, or a path that leaves the folder.
    """
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--name {template!r} is not a template: {error}") from error
    plain = all(not form and not conversion for _, _, form, conversion in pieces)
    fields = [field for _, field, _, _ in pieces if field is not None]
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown or not plain:
        raise UsageError(
            f"--name {template!r} holds {unknown or 'a format'}; a field is one of: "
            + ", ".join(f"{{{field}}}" for field in FIELDS)
        )
    if not fields:
        raise UsageError(f"--name {template!r} holds no field: every file would have one name")
    literals = "".join(text for text, _, _, _ in pieces)
    parts = template.split("/")
    if template.startswith("/") or "\\" in literals or {"", ".", ".."} & set(parts):
        raise UsageError(f"--name {template!r} must be a relative path without `..`")
    return fields


def export_names(rows: pd.DataFrame, template: str) -> list[str]:
    """A name for every row, without a suffix such as `.png`.

    Values are cut to 64 characters and what is not in `A-Za-z0-9._-` becomes `_`; a missing value
    becomes `unknown`. Values that would then read alike get eight digits of their own. Of rows with
    one name the first keeps it, the others get `_2`, `_3` ...

    Args:
        rows: columns of the template's fields; their order decides who keeps a name.
        template: `/` in it makes folders.

    Returns:
        Relative paths with `/`, in row order; no two are equal, whatever their case.

    Raises:
        UsageError: as in `template_fields`.
    """
    template_fields(template)
    columns: list[Iterable[str]] = []
    for literal, field, _, _ in Formatter().parse(template):
        columns.append(repeat(_safe_literal(literal), len(rows)))
        if field is not None:
            columns.append(_values(rows[field].tolist()))
    return _unique([_safe_path("".join(pieces)) for pieces in zip(*columns, strict=True)])


def _safe_literal(literal: str) -> str:
    return "/".join(_UNSAFE.sub("_", part) for part in literal.split("/"))


def _values(column: list[object]) -> list[str]:
    """Values as safe text; two values never become one, or two women would look like one."""
    named = {value: _value_text(value) for value in dict.fromkeys(column)}
    count = Counter(named.values())
    for value, text in named.items():
        if count[text] > 1 and text not in (str(value), _MISSING):
            digest = hashlib.sha256(str(value).encode("utf-8", "surrogateescape")).hexdigest()
            named[value] = f"{text[: _LONGEST_VALUE - _DIGITS - 1]}-{digest[:_DIGITS]}"
    return [named[value] for value in column]


def _value_text(value: object) -> str:
    if value is None or value is pd.NA or value != value:  # NaN is no number of its own
        return _MISSING
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _UNSAFE.sub("_", str(value).strip())[:_LONGEST_VALUE] or _MISSING


def _safe_path(name: str) -> str:
    """A path whose parts are no hidden files, none too long, and never `.` or `..`."""
    parts = (part[:_LONGEST_PART].lstrip(".").rstrip(".") or _MISSING for part in name.split("/"))
    return "/".join(parts)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, later ones of equal ones numbered; a number never takes a name given already."""
    taken = {_key(name) for name in names}
    count: dict[str, int] = {}
    found = []
    for name in names:
        key = _key(name)
        number = count.get(key, 0) + 1
        if number > 1:
            while _key(f"{name}_{number}") in taken:
                number += 1
            taken.add(_key(f"{name}_{number}"))
        count[key] = number
        found.append(name if number == 1 else f"{name}_{number}")
    return found


def _key(name: str) -> str:
    return name.lower()
