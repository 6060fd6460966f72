"""Outcomes: a table of labels, checked as a whole before any image is opened.

A row speaks of an image (`sop_instance_uid`, or patient, side and view), else of a breast
(`patient_id`, `laterality`), else of a woman (`patient_id`). The level follows from the columns
that the table has, never from a guess.
"""

import csv
import io
import math
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from mammo_ray import storage
from mammo_ray.errors import InputError
from mammo_ray.schema import MANIFEST, LabelLevel, LabelSource, Laterality, ViewPosition

# Column of an outcomes table -> column of the manifest that it fills.
_FILLS = {
    "cancer": "cancer",
    "tissue": "density",
    "density": "density",
    "pathology": "pathology",
    "birads": "birads",
    "age": "age",
    "biopsy": "biopsy",
    "implant": "implant",
    "site": "site",
    "split": "split",
    "label_source": "label_source",
    "follow_up_months": "follow_up_months",
}
_KEYS = {"sop_instance_uid", "patient_id", "laterality", "view_position"}
_ALLOWED = _KEYS | set(_FILLS) | {"film", "abnormality"}
_BOOLEAN = {"0": False, "1": True, "false": False, "true": True}
_FILLED = {*_FILLS.values(), "abnormalities", "label_level"}
_SPLITS = {"train", "valid", "test"}


@dataclass(frozen=True)
class Outcomes:
    """Checked labels.

    Attributes:
        level: what one row speaks of.
        key: manifest columns that find a row's images.
        frame: indexed by the key; manifest columns, and `line` with the row's line in the file.
        others: manifest columns (side, view, patient) that must not disagree with the header.
    """

    level: LabelLevel
    key: tuple[str, ...]
    frame: pd.DataFrame
    others: tuple[str, ...]


@dataclass(frozen=True)
class Labelled:
    """Rows with their labels.

    Attributes:
        rows: the manifest rows, labels filled where an outcome was found.
        unmatched: rows of the outcomes table that speak of no image here.
        withheld: images whose header disagrees with their outcome: their labels stay null.
    """

    rows: pa.Table
    unmatched: int
    withheld: int


def read_outcomes(uri: str) -> Outcomes:
    """The checked outcomes of a CSV file.

    Raises:
        InputError: missing file, unreadable text, unknown or missing column, a row with more or
            fewer fields than the header, a value outside its range, a label that rests on a
            reading, or two rows that contradict each other; line numbers are given.
    """
    if not storage.exists(uri):
        raise InputError(f"outcomes table {uri} is not a file")
    try:
        text = storage.read_bytes(uri).decode("utf-8-sig")
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"outcomes table {uri} cannot be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"outcomes table {uri} is not text in UTF-8: {error}") from error
    return check_outcomes(*_parse_csv(text, uri))


def _parse_csv(text: str, uri: str) -> tuple[pd.DataFrame, list[int]]:
    """The rows of a CSV as strings, and the line that each ends on; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise InputError(
                    f"outcomes line {reader.line_num}: {len(fields)} fields, "
                    f"the header has {len(header)}"
                )
            rows.append(fields)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"outcomes line {reader.line_num}: not CSV: {error}") from error
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated or not rows:
        raise InputError(
            f"outcomes: columns {repeated} stand twice" if repeated else f"outcomes: {uri} is empty"
        )
    return pd.DataFrame(rows, columns=header, dtype=str), lines


def check_outcomes(table: pd.DataFrame, lines: list[int] | None = None) -> Outcomes:
    """The checked outcomes of a table of strings; see `read_outcomes`.

    Args:
        table: every value a string, empty where nothing is known.
        lines: the line of each row; by default those of a file with a header and no blank line.
    """
    unknown = sorted(set(table.columns) - _ALLOWED)
    if unknown:
        raise InputError(f"outcomes: unknown column {unknown}; expected {sorted(_ALLOWED)}")
    if "cancer" not in table.columns:
        raise InputError("outcomes: no column 'cancer'")
    table = table.apply(lambda column: column.str.strip())
    level, key = _level_and_key(table)
    frame = table.rename(columns={"sop_instance_uid": "sop_uid"})
    frame["line"] = lines or range(2, len(frame) + 2)
    _require_keys(frame, key)
    labels = _parse_labels(frame)
    _refuse_readings(labels)
    others = tuple(c for c in ("patient_id", "laterality", "view_position") if c in frame)
    merged = _merge_repeats(labels, key, others)
    return Outcomes(level, key, merged, tuple(c for c in others if c not in key))


def _refuse_readings(labels: pd.DataFrame) -> None:
    """A reading (BI-RADS) is an opinion: it may be given, but never as the outcome `cancer`."""
    if "label_source" not in labels:
        return
    wrong = labels["label_source"].eq(str(LabelSource.READING)) & labels["cancer"].notna()
    if wrong.any():
        line = labels.loc[wrong, "line"].iloc[0]
        raise InputError(
            f"outcomes line {line}: cancer is given with label_source 'reading'; a reading is no "
            "outcome: leave cancer empty, or name pathology or follow-up as its source"
        )


def apply_outcomes(rows: pa.Table, outcomes: Outcomes) -> Labelled:
    """The manifest rows with labels; a row whose header disagrees keeps null labels.

    A label's source is the one that comes with it; where none does, it is unknown.
    """
    header = rows.select([*outcomes.key, *outcomes.others]).to_pandas().astype(object)
    keys = pd.MultiIndex.from_frame(header[list(outcomes.key)])
    found = outcomes.frame.reindex(keys).reset_index(drop=True)
    matched = found["line"].notna()
    disagree = pd.Series(data=False, index=found.index)
    for column in outcomes.others:
        said, shown = found[column], header[column]
        disagree |= said.notna() & shown.notna() & (said != shown)
    use = matched & ~disagree
    found["label_level"] = str(outcomes.level)
    told = use & found["cancer"].notna() if "cancer" in found else use & False
    if "label_source" not in found:
        found["label_source"] = None
    for name in _filled_columns(found):
        field = MANIFEST.field(name)
        said = found[name].where(use & found[name].notna(), None).astype(object)
        old = pd.Series(rows.column(name).to_pylist(), dtype=object)
        if name == "label_source":  # that of a reading is not that of the outcome
            old = old.mask(told, None)
        new = said.where(said.notna(), old)
        values = pa.array([None if _is_null(v) else v for v in new], field.type)
        rows = rows.set_column(rows.schema.get_field_index(name), field, values)
    unmatched = len(set(outcomes.frame["line"]) - set(found.loc[matched, "line"].astype(int)))
    return Labelled(rows, unmatched, int(disagree.sum()))


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _filled_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name in _FILLED]


def _level_and_key(table: pd.DataFrame) -> tuple[LabelLevel, tuple[str, ...]]:
    if "sop_instance_uid" in table.columns:
        return LabelLevel.IMAGE, ("sop_uid",)
    if "patient_id" not in table.columns:
        raise InputError("outcomes: needs a column 'sop_instance_uid' or 'patient_id'")
    if "laterality" not in table.columns:
        return LabelLevel.WOMAN, ("patient_id",)
    if "view_position" in table.columns:
        return LabelLevel.IMAGE, ("patient_id", "laterality", "view_position")
    return LabelLevel.BREAST, ("patient_id", "laterality")


def _require_keys(frame: pd.DataFrame, key: tuple[str, ...]) -> None:
    for column in key:
        empty = frame.loc[frame[column] == "", "line"]
        if len(empty):
            raise InputError(f"outcomes line {empty.iloc[0]}: {column} is empty")


def _parse_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Strings to manifest values, column by column; empty becomes null."""
    parsed = frame.loc[:, [c for c in (*_KEYS, "sop_uid", "line") if c in frame]].replace("", None)
    for column, target in _FILLS.items():
        if column in frame:
            pairs = zip(frame[column], frame["line"], strict=True)
            values = pd.Series(
                [_parse(column, v, n) for v, n in pairs], index=frame.index, dtype=object
            )
            parsed[target] = values if target not in parsed else parsed[target].fillna(values)
    for column, words in (("laterality", Laterality), ("view_position", ViewPosition)):
        if column in frame:
            allowed = {"", *map(str, words)}
            for text, line in zip(frame[column], frame["line"], strict=True):
                _one_of(column, text, allowed, line)
    if "abnormality" in frame:
        parsed["abnormality"] = frame["abnormality"].replace("", None)
    return parsed


def _parse(column: str, text: str, line: int) -> object:
    """One value of a label column.

    Raises:
        InputError: the value is outside what the column may hold.
    """
    if text == "":
        return None
    if column == "cancer":
        return int(_one_of(column, text, {"0", "1"}, line))
    if column in {"biopsy", "implant"}:
        return _BOOLEAN[_one_of(column, text.lower(), set(_BOOLEAN), line)]
    if column == "split":
        return _one_of(column, text, _SPLITS, line)
    if column == "label_source":
        return _one_of(column, text, {str(s) for s in LabelSource}, line)
    if column in {"age", "follow_up_months"}:
        return _number(column, text, line)
    return text


def _one_of(column: str, text: str, expected: set[str], line: int) -> str:
    if text not in expected:
        raise InputError(
            f"outcomes line {line}: {column} is {text!r}, expected one of {sorted(expected)}"
        )
    return text


def _number(column: str, text: str, line: int) -> float | int:
    try:
        value = float(text) if column == "age" else int(text)
    except ValueError as error:
        raise InputError(f"outcomes line {line}: {column} is {text!r}, not a number") from error
    if not 0 <= value <= 1200:  # also turns NaN away
        raise InputError(f"outcomes line {line}: {column} is {text!r}, out of range")
    return value


def _merge_repeats(
    labels: pd.DataFrame, key: tuple[str, ...], others: tuple[str, ...]
) -> pd.DataFrame:
    """One row a key: repeats must agree, their abnormalities are gathered."""
    compared = [c for c in labels.columns if c in {*_FILLS.values(), *others} and c not in key]
    grouped = labels.groupby(list(key), sort=False, dropna=False)
    for column in compared:
        if (grouped[column].nunique(dropna=False) > 1).any():
            different = grouped[column].transform("nunique", dropna=False) > 1
            first = labels[different]
            same_key = (first[list(key)] == first.iloc[0][list(key)]).all(axis=1)
            lines = first.loc[same_key, "line"].tolist()
            raise InputError(f"outcomes lines {lines} contradict each other in {column!r}")
    merged = labels.drop_duplicates(subset=list(key)).set_index(list(key), drop=False)
    if "abnormality" in labels:
        lists = grouped["abnormality"].apply(lambda c: [_abnormality(v) for v in c.dropna()])
        merged["abnormalities"] = lists.reindex(merged.index).to_numpy()
    merged.index = pd.MultiIndex.from_frame(merged[list(key)].astype(object))
    return merged


def _abnormality(kind: str) -> dict[str, str]:
    return {"type": kind}
