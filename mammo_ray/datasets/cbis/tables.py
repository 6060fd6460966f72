"""The case description tables of CBIS-DDSM: one row an abnormality.

Mass and calcification tables name the breast density differently, every row holds a line break
inside a path, and 0 means unknown for density and subtlety, but BI-RADS 0 (incomplete) for the
assessment.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

import pandas as pd

from mammo_ray.datasets.cbis.case_names import SIDES, CaseName, case_in_path
from mammo_ray.datasets.source import Source, read_csv_table, require_relative_path, seen_names
from mammo_ray.errors import InputError
from mammo_ray.schema import Laterality
from mammo_ray.storage import StoredFile

_NAME = re.compile(r"(mass|calc)_case_description_(train|test)_set\.csv", re.IGNORECASE)
_PATTERN = "*_case_description_*_set.csv"

# Column of the tables -> column here.
_COLUMNS = {
    "patient_id": "patient_id",
    "left or right breast": "laterality",
    "image view": "view_position",
    "abnormality id": "number",
    "abnormality type": "type",
    "assessment": "assessment",
    "pathology": "pathology",
    "subtlety": "subtlety",
    "image file path": "full_path",
    "cropped image file path": "crop_path",
    "ROI mask file path": "mask_path",
}
_OF_TABLE = {
    "mass": {"breast_density": "density", "mass shape": "shape", "mass margins": "margins"},
    "calc": {
        "breast density": "density",
        "calc type": "calcification_type",
        "calc distribution": "distribution",
    },
}
_DENSITY = ("breast_density", "breast density")  # either spelling, whichever table
_TYPES = {"mass": "mass", "calc": "calcification"}
_WORDS = ("shape", "margins", "calcification_type", "distribution")
_PATHS = ("full_path", "crop_path", "mask_path")
_KEY = ["table", "split", "patient_id", "laterality", "view_position", "number"]

# From the most to the least serious.
PATHOLOGIES = ("MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK")


def read_case_tables(source: Source) -> pd.DataFrame:
    """Every abnormality row of the case tables that are there.

    Returns:
        One row an abnormality, identical repetitions dropped. Text: `file` (name of the table),
        `table` (mass, calc), `split` (train, test), `patient_id`, `laterality` (L, R),
        `view_position`, `type`, `shape`, `margins`, `calcification_type`, `distribution`,
        `pathology`; numbers (`Int64`): `record` (the table's data row, from 1), `number`,
        `density` (1 to 4), `assessment` (0 to 6), `subtlety` (1 to 5); and for full film, crop and
        mask `<kind>_path`, `<kind>_series`, in the columns where their case names put them. What
        is unknown or does not apply is null. `fault` says why a row cannot be used, null where it
        can.

    Raises:
        InputError: no table, one of them twice, not text in UTF-8, a column missing, or a path
            that leaves the data set.
    """
    return _without_repeats(
        pd.concat([_read(file, kind) for file, kind in _table_files(source)], ignore_index=True)
    )


def _table_files(source: Source) -> list[tuple[StoredFile, tuple[str, str]]]:
    """The tables, sorted by kind, with (mass or calc, train or test)."""
    found: dict[tuple[str, str], StoredFile] = {}
    for file in source.table_files():
        match = _NAME.fullmatch(PurePosixPath(file.relative_path).name)
        if match is None:
            continue
        kind = (match[1].lower(), match[2].lower())
        if kind in found:
            raise InputError(f"the {kind[0]} {kind[1]} case table is there twice: {_PATTERN}")
        found[kind] = file
    if not found:
        raise InputError(
            f"the case tables {_PATTERN} (mass and calc, train and test) were expected; seen: "
            f"{seen_names(source)}"
        )
    return [(found[kind], kind) for kind in sorted(found)]


def _read(file: StoredFile, kind: tuple[str, str]) -> pd.DataFrame:
    """One table in the words of `read_case_tables`."""
    own = _OF_TABLE[kind[0]]
    renames = {**_COLUMNS, **own}
    text = read_csv_table(file, [name for name in renames if name not in _DENSITY])
    spelled = [name for name in _DENSITY if name in text.columns]
    if len(spelled) != 1:
        raise InputError(f"table {_name(file)} needs one column of {list(_DENSITY)}, has {spelled}")
    text = text.rename(columns={**renames, spelled[0]: "density"})
    table = pd.DataFrame(
        {"file": _name(file), "record": range(1, len(text) + 1), "table": kind[0], "split": kind[1]}
    )
    faults = pd.Series(None, index=table.index, dtype=object)
    for column, check in _checks(kind[0]).items():
        values = text[column].str.strip().map(check).astype(object)
        invalid = values.map(lambda value: value is _INVALID)
        table[column] = values.where(~invalid, None)
        for row in faults.index[invalid & faults.isna()]:
            faults[row] = _fault(column, str(text.at[row, column]))
    for column in _WORDS:
        has = column in own.values()
        words = text[column].str.strip() if has else None
        table[column] = words.mask(words.isin(["N/A", ""])) if words is not None else None
    numbers = ("number", "density", "assessment", "subtlety")
    table = table.astype({"record": "Int64", **dict.fromkeys(numbers, "Int64")})
    table["fault"] = faults
    return _with_paths(table, text)


def _fault(column: str, text: str) -> str:
    """What is wrong with a field; a patient's name is not repeated."""
    return (
        f"{column} is {text[:40]!r}" if column != "patient_id" else "patient_id is not P_<digits>"
    )


_INVALID = object()  # what a field may not hold; null is a value: unknown


def _checks(table: str) -> dict[str, Callable[[str], object]]:
    """For every column with a vocabulary: its value from the text of a field."""
    sides = {name: str(side) for name, side in SIDES.items()}
    return {
        "patient_id": lambda text: text if re.fullmatch(r"P_\d+", text) else _INVALID,
        "laterality": lambda text: sides.get(text.upper(), _INVALID),
        "view_position": lambda text: text.upper() if text.upper() in {"CC", "MLO"} else _INVALID,
        "number": lambda text: _number(text, 1, 99, required=True),
        "type": lambda text: text.lower() if text.lower() == _TYPES[table] else _INVALID,
        "density": lambda text: _number(text, 0, 4) or None,
        "assessment": lambda text: _number(text, 0, 6),
        "subtlety": lambda text: _number(text, 0, 5) or None,
        "pathology": lambda text: text.upper() if text.upper() in PATHOLOGIES else _INVALID,
    }


def _number(text: str, low: int, high: int, *, required: bool = False) -> object:
    """A whole number; tables saved again by other programs write 3 as 3.0."""
    if text in {"", "N/A"} and not required:
        return None
    found = re.fullmatch(r"(\d{1,3})(\.0)?", text)
    return int(found[1]) if found and low <= int(found[1]) <= high else _INVALID


def _with_paths(table: pd.DataFrame, text: pd.DataFrame) -> pd.DataFrame:
    """The table with paths and series of its three files, and what is wrong with them."""
    rows = zip(cases_of(table), *(text[name] for name in _PATHS), strict=True)
    placed = []
    for record, (case, *texts) in enumerate(rows, start=1):
        where = f"table {table['file'].iloc[0]}, row {record}"
        paths = [require_relative_path(path, where) for path in texts]
        placed.append(_in_their_columns(paths, case))
    faults = pd.Series([fault for _, fault in placed], dtype=object)
    for place, name in enumerate(_PATHS):
        table[name] = [paths[place] for paths, _ in placed]
        table[name.replace("_path", "_series")] = table[name].map(_series)
    return table.assign(fault=table["fault"].where(table["fault"].notna(), faults))


def _in_their_columns(paths: list[str], case: CaseName | None) -> tuple[list[str], str | None]:
    """Full film, crop and mask by their case names, and why that does not work."""
    if case is None:
        return paths, None  # the row has another fault already
    if any(path.count("/") < 3 for path in paths):
        return paths, "a path has less than <case>/<study uid>/<series uid>/<file>"
    named = [case_in_path(path) for path in paths]
    full = [path for path, name in zip(paths, named, strict=True) if name == case.film()]
    lesion = [path for path, name in zip(paths, named, strict=True) if name == case]
    if len(full) != 1 or len(lesion) != 2:
        return paths, "its paths do not name one film and two files of its own case"
    return [*full, *lesion], None


def cases_of(table: pd.DataFrame) -> list[CaseName | None]:
    """The case of every row; None where a field that it needs is invalid."""
    known = table[_KEY].notna().all(axis=1)
    fields = zip(known, *(table[name] for name in _KEY), strict=True)
    return [
        CaseName(kind, split, patient, Laterality(side), view, int(number)) if whole else None
        for whole, kind, split, patient, side, view, number in fields
    ]


def _series(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _name(file: StoredFile) -> str:
    return PurePosixPath(file.relative_path).name


def _without_repeats(table: pd.DataFrame) -> pd.DataFrame:
    """Identical rows once; rows that give one abnormality in different words are faults."""
    content = [name for name in table.columns if name != "record"]
    table = table.drop_duplicates(subset=content, ignore_index=True)
    again = table.duplicated(subset=_KEY, keep=False) & table[_KEY].notna().all(axis=1)
    table.loc[again & table["fault"].isna(), "fault"] = "another row gives the same abnormality"
    return table
