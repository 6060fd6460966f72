"""Expected exams: a list from the scheduling side, held against what came.

An expected exam of which no screening image came is `missing`, by name: it must not drop out of
sight because no file speaks of it.
"""

import csv
import io
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from mammo_ray import storage
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.errors import InputError
from mammo_ray.schema import MISSING_EXAMS

_KEYS = ("accession", "study_uid")
_COLUMNS = (*_KEYS, "patient_id", "study_date")


@dataclass(frozen=True)
class ExpectedExams:
    """Checked exams, each once.

    Attributes:
        frame: `accession`, `study_uid`, `patient_id`, `study_date`, null where not given, and
            `line` in the file; every row has an accession or a study UID.
    """

    frame: pd.DataFrame


def read_expected(uri: str) -> ExpectedExams:
    """The exams of a CSV file with the columns `accession` and/or `study_uid`, one a row.

    `patient_id` and `study_date` (YYYYMMDD or YYYY-MM-DD) are taken where they stand; any other
    column is left aside. A row that stands twice counts once.

    Raises:
        InputError: missing file, unreadable text, neither column, a row with more or fewer fields
            than the header or without both keys, a date that is none, a study UID or accession
            with two patients, or a study UID with two accessions; line numbers are given.
    """
    if not storage.exists(uri):
        raise InputError(f"expected exams {uri} is not a file")
    try:
        text = storage.read_bytes(uri).decode("utf-8-sig")
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"expected exams {uri} cannot be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"expected exams {uri} is not text in UTF-8: {error}") from error
    return check_expected(_parse_csv(text, uri))


def check_expected(table: pd.DataFrame) -> ExpectedExams:
    """The checked exams of a table of strings with a column `line`; see `read_expected`."""
    if not set(_KEYS) & set(table.columns):
        raise InputError(
            f"expected exams: needs a column 'accession' or 'study_uid', "
            f"found {sorted(set(table.columns) - {'line'})}"
        )
    frame = table.reindex(columns=[*_COLUMNS, "line"])
    for name in _COLUMNS:
        text = frame[name].astype("string").str.strip()
        frame[name] = text.mask(text.eq("").fillna(False))
    keyless = frame.loc[frame[list(_KEYS)].isna().all(axis=1), "line"]
    if len(keyless):
        raise InputError(
            f"expected exams line {keyless.iloc[0]}: accession and study_uid are empty"
        )
    frame["study_date"] = _dates(frame)
    frame = frame.drop_duplicates(list(_COLUMNS)).reset_index(drop=True)
    _refuse_contradictions(frame, "study_uid", "patient_id")
    _refuse_contradictions(frame, "accession", "patient_id")
    _refuse_contradictions(frame, "study_uid", "accession")
    return ExpectedExams(_one_row_an_exam(frame))


def reconcile(expected: ExpectedExams, manifest: Manifest) -> pa.Table:
    """The expected exams of which no screening image came.

    An exam came when a row or a rejection bears its study UID; else its accession, on a file
    without a study UID or where none is expected, and with no other patient; else its patient and
    date, on a file with neither. A rejected file counts: its exam is in sight and will be failed or
    incomplete. A file that a rule left out does not, but is named in `detail`.

    Returns:
        `schema.MISSING_EXAMS`, sorted by study UID and accession.
    """
    exams = expected.frame
    arrived = _identities(pa.concat_tables(
        [manifest.rows.select(_COLUMNS), manifest.rejections.select(_COLUMNS)]
    ))  # fmt: skip
    missing = exams[~_came(exams, arrived)].copy()
    nameless = _nameless(manifest.rejections)
    missing["detail"] = "never came" + (f"; {nameless}" if nameless else "")
    elsewhere = missing["accession"].isin(arrived["accession"].dropna())
    missing.loc[elsewhere, "detail"] = "its accession came with another study or patient"
    left_out = _left_out(missing, manifest.exclusions)
    missing["detail"] = left_out.reindex(missing.index).fillna(missing["detail"])
    missing = missing.sort_values(["study_uid", "accession"])
    arrays = [
        pa.array(missing[field.name], field.type, from_pandas=True) for field in MISSING_EXAMS
    ]
    return pa.table(arrays, schema=MISSING_EXAMS)


def _parse_csv(text: str, uri: str) -> pd.DataFrame:
    """Rows of strings with the line that each ends on; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        header = [name.strip() for name in next(reader, [])]
        for fields in reader:
            if fields and len(fields) != len(header):
                raise InputError(
                    f"expected exams line {reader.line_num}: {len(fields)} fields, "
                    f"the header has {len(header)}"
                )
            if fields:
                rows.append([*fields, reader.line_num])
    except csv.Error as error:
        raise InputError(f"expected exams line {reader.line_num}: not CSV: {error}") from error
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"expected exams: columns {repeated} stand twice")
    if not rows:
        raise InputError(f"expected exams: {uri} names no exam")
    if "line" in header:
        header[header.index("line")] = "their line"
    return pd.DataFrame(rows, columns=[*header, "line"])


def _dates(frame: pd.DataFrame) -> "pd.Series[str]":
    """Study dates as DICOM writes them (PS3.5 6.2, DA)."""
    given = frame["study_date"]
    text = given.str.replace(r"^(\d{4})-(\d{2})-(\d{2})$", r"\1\2\3", regex=True)
    parsed = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    wrong = given.notna() & (parsed.isna() | ~text.str.fullmatch(r"\d{8}").fillna(False))
    if wrong.any():
        raise InputError(
            f"expected exams line {frame.loc[wrong, 'line'].iloc[0]}: study_date is not a date "
            "such as 20260131"
        )
    return text


def _refuse_contradictions(frame: pd.DataFrame, one: str, other: str) -> None:
    """A value of one column stands beside one value of the other at most."""
    pairs = frame[[one, other, "line"]].dropna().drop_duplicates([one, other])
    twice = pairs[pairs[one].duplicated(keep=False)]
    if len(twice):
        lines = twice.loc[twice[one] == twice[one].iloc[0], "line"].tolist()
        raise InputError(f"expected exams lines {lines}: one {one} with several values of {other}")


def _one_row_an_exam(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of one study UID as one row, and of one accession where none of them has a study UID."""
    studied = frame.loc[frame["study_uid"].notna(), "accession"].dropna()
    frame = frame[frame["study_uid"].notna() | ~frame["accession"].isin(studied)]
    key = frame["study_uid"].where(frame["study_uid"].notna(), "\x1f" + frame["accession"])
    return frame.groupby(key.rename("exam"), sort=False).first().reset_index(drop=True)


def _identities(table: pa.Table) -> pd.DataFrame:
    """The distinct identities of files; empty text is null."""
    frame: pd.DataFrame = table.group_by(list(_COLUMNS)).aggregate([]).to_pandas()
    frame = frame[list(_COLUMNS)].astype("string")
    return frame.replace("", pd.NA)


def _came(exams: pd.DataFrame, files: pd.DataFrame) -> "pd.Series[bool]":
    """Whether any of the files belongs to each exam."""
    return pd.Series(exams.index.isin(_matches(exams, files)["exam"]), index=exams.index)


def _matches(exams: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """Index pairs `exam`, `file` of the exams and the files that belong to them."""
    exams, files = exams.assign(exam=exams.index), files.assign(file=files.index)
    unstudied = files[files["study_uid"].isna()]
    keyless = unstudied[unstudied["accession"].isna()]
    with_study = exams["study_uid"].notna()
    found = [
        _merge(exams, files, ["study_uid"]),
        _merge(exams[with_study], unstudied, ["accession"]),
        _merge(exams[~with_study], files, ["accession"]),
        _merge(exams, keyless, ["patient_id", "study_date"]),
    ]
    return pd.concat(found, ignore_index=True).drop_duplicates()


def _merge(exams: pd.DataFrame, files: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Pairs with the same known keys; by accession no file of a different patient."""
    exams, files = exams.dropna(subset=keys), files.dropna(subset=keys)
    pairs = exams.merge(files, on=keys, suffixes=("", "_file"))
    if keys == ["accession"]:
        one, other = pairs["patient_id"], pairs["patient_id_file"]
        pairs = pairs[one.isna() | other.isna() | one.eq(other).fillna(False)]
    return pairs[["exam", "file"]]


def _left_out(exams: pd.DataFrame, exclusions: pa.Table) -> "pd.Series[str]":
    """For the exams that came with nothing but files left out by rules: how many, by which."""
    columns = [*_COLUMNS, "rule"]
    counted = exclusions.select(columns).group_by(columns).aggregate([([], "count_all")])
    files: pd.DataFrame = counted.to_pandas()
    files[columns] = files[columns].astype("string")
    pairs = _matches(exams, files)
    pairs = pairs.join(files[["rule", "count_all"]], on="file")
    rules = pairs.groupby(["exam", "rule"])["count_all"].sum().reset_index()
    rules["text"] = rules["rule"] + " " + rules["count_all"].astype("string")
    grouped = rules.groupby("exam")
    total = grouped["count_all"].sum().astype("string")
    return (
        "no screening image came: " + total + " files left out by rule ("
        + grouped["text"].agg(", ".join) + ")"
    )  # fmt: skip


def _nameless(rejections: pa.Table) -> str:
    """A remark on rejected files that bear no name and may belong to any exam."""
    frame = rejections.select(_COLUMNS).to_pandas()
    count = int(frame.isna().all(axis=1).sum())
    return f"{count} rejected files of this data set name no exam" if count else ""
