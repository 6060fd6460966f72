"""Which lesions a CBIS-DDSM phantom holds: rows of the four case description tables.

The rows are those of the real tables, or invented ones (`cbis.invented`) in the same form. What is
written out again is the bytes of the rows as they came, so that every quirk of a table survives:
the line break inside a path field, the line ends, the names of columns.
"""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from mammo_ray.datasets.source import require_relative_path
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind

TABLES = (
    "calc_case_description_test_set",
    "calc_case_description_train_set",
    "mass_case_description_test_set",
    "mass_case_description_train_set",
)
PATH_COLUMNS = {
    Kind.FULL: "image file path",
    Kind.CROP: "cropped image file path",
    Kind.MASK: "ROI mask file path",
}
_COLUMNS = (
    "patient_id", "left or right breast", "image view", "abnormality id", "pathology",
    *PATH_COLUMNS.values(),
)  # fmt: skip
_DENSITIES = ("breast_density", "breast density")
_SIDES = {"LEFT": "L", "RIGHT": "R"}
# The root of every UID in CBIS-DDSM.
_UID_ROOT = "1.3.6.1.4.1.9590.100.1.2"
_STREAM_CHOICE = 101

FilmKey = tuple[str, str, str]


@dataclass(frozen=True)
class CaseRow:
    """One row of a case table: one lesion on one film.

    Attributes:
        table: name of the table, without suffix.
        number: its place among the rows of its table, from 1.
        record: its bytes, line end included.
        patient_id: as in the table, `P_00005`.
        laterality: L or R.
        view_position: CC or MLO.
        abnormality: number of the lesion on the film, in its table.
        pathology: MALIGNANT, BENIGN or BENIGN_WITHOUT_CALLBACK.
        density: 1 to 4; 0 is unknown.
        paths: what the three path columns say, by kind: case, study, series and file.
    """

    table: str
    number: int
    record: bytes
    patient_id: str
    laterality: str
    view_position: str
    abnormality: str
    pathology: str
    density: int
    paths: Mapping[Kind, str]

    @property
    def film(self) -> FilmKey:
        """Patient, side and view: one film, whichever tables name it."""
        return self.patient_id, self.laterality, self.view_position

    @property
    def label(self) -> str:
        """Table and row number: `mass_case_description_test_set:12`."""
        return f"{self.table}:{self.number}"

    @property
    def calcification(self) -> bool:
        """Whether the lesion is calcifications; else it is a mass."""
        return self.table.startswith("calc")

    @property
    def split(self) -> str:
        """The official split: train or test."""
        return "train" if "_train_" in self.table else "test"

    @property
    def malignant(self) -> bool:
        """Whether pathology found cancer."""
        return self.pathology == "MALIGNANT"

    @property
    def one_series(self) -> bool:
        """Whether crop and mask share a series folder, as nearly all do."""
        return series_of(self.paths[Kind.CROP]) == series_of(self.paths[Kind.MASK])


@dataclass(frozen=True)
class CaseTable:
    """One case description table.

    Attributes:
        name: without suffix.
        header: bytes of the first line.
        rows: in their order.
    """

    name: str
    header: bytes
    rows: tuple[CaseRow, ...]

    @property
    def content(self) -> bytes:
        """The table as a file."""
        return self.header + b"".join(row.record for row in self.rows)


def series_of(path: str) -> str:
    """The Series Instance UID in a path of a case table."""
    return path.split("/")[2]


def cbis_uid(*parts: object) -> str:
    """An invented UID in the shape of CBIS-DDSM's own: its root and 39 digits."""
    text = "/".join(map(str, ("mammo-ray cbis phantom", *parts)))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return f"{_UID_ROOT}.{10**38 + int.from_bytes(digest, 'big') % (9 * 10**38)}"


def text_number(text: str) -> int:
    """A stable number for a text, to seed a generator with."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def read_case_tables(folder: Path) -> list[CaseTable]:
    """The four case tables of a folder.

    Raises:
        InputError: one is not there, or not a case table of CBIS-DDSM.
    """
    return [parse_case_table(name, _read(folder, f"{name}.csv")) for name in TABLES]


def read_jpeg_tree(folder: Path) -> dict[str, list[str]]:
    """The file names of every series folder of the JPEG edition, from `kaggle_jpeg_tree.csv`.

    Raises:
        InputError: it is not there, or has other columns, or a name that is a path.
    """
    name = "kaggle_jpeg_tree.csv"
    rows = csv.DictReader(io.StringIO(_text(name, _read(folder, name)), newline=""))
    if rows.fieldnames is None or not {"series_instance_uid", "file"} <= set(rows.fieldnames):
        raise InputError(f"{name} lacks the columns series_instance_uid and file")
    tree: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        series, file = str(row["series_instance_uid"]), str(row["file"])
        if require_relative_path(f"{series}/{file}", name).count("/") != 1:
            raise InputError(f"{name}: {series[:80]!r}, {file[:80]!r} are not a folder and a file")
        tree[series].append(file)
    return {series: sorted(files) for series, files in tree.items()}


def parse_case_table(name: str, content: bytes) -> CaseTable:
    """A case table from its bytes.

    Raises:
        InputError: it lacks a column, or a row is not one of CBIS-DDSM.
    """
    header, *records = list(_split_records(content)) or [b""]
    columns = _fields(name, header)
    density = next((column for column in _DENSITIES if column in columns), None)
    missing = [column for column in _COLUMNS if column not in columns]
    if missing or density is None:
        raise InputError(
            f"table {name}.csv lacks the columns {missing or [_DENSITIES[0]]}; it has {columns}"
        )
    rows = []
    for number, record in enumerate(records, start=1):
        values = _fields(name, record)
        if len(values) != len(columns):
            raise InputError(f"table {name}.csv, row {number}: {len(values)} fields")
        fields = dict(zip(columns, values, strict=True))
        rows.append(_case_row(name, number, record, {**fields, "density": fields[density]}))
    return CaseTable(name, header, tuple(rows))


def choose_rows(tables: Sequence[CaseTable], count: int, seed: int) -> list[CaseTable]:
    """The tables cut to `count` rows, numbered anew: the rows of films drawn at random.

    All rows of a film come along until the number is reached. What is rare comes first, so that it
    is there wherever the number allows: every table, a film in mass and calc tables, a woman in
    both splits, a film with several lesions, a crop and a mask in series of their own.

    Raises:
        InputError: fewer rows than tables, or more than there are.
    """
    available = sum(len(table.rows) for table in tables)
    if not len(tables) <= count <= available:
        raise InputError(f"this phantom has {len(tables)} to {available} rows, not {count}")
    films: defaultdict[FilmKey, list[CaseRow]] = defaultdict(list)
    for table in tables:
        for row in table.rows:
            films[row.film].append(row)
    keys = sorted(films)
    rng = np.random.default_rng([seed, _STREAM_CHOICE])
    order = [films[keys[k]] for k in rng.permutation(len(keys))]
    taken: dict[str, CaseRow] = {}
    for film in [*_rare_films(order), *order]:
        if film[0].label not in taken:
            taken.update((row.label, row) for row in film[: count - len(taken)])
    return [_cut(table, taken) for table in tables]


def _rare_films(order: Sequence[list[CaseRow]]) -> Iterator[list[CaseRow]]:
    """The first film of every sort that a small phantom would else hardly hold."""
    for name in TABLES:
        yield from _first(film for film in order if [row.table for row in film] == [name])
    yield from _first(film for film in order if len({row.calcification for row in film}) > 1)
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for film in order:
        splits[film[0].patient_id].update(row.split for row in film)
    woman = next((film[0].patient_id for film in order if len(splits[film[0].patient_id]) > 1), "")
    hers = [film for film in order if film[0].patient_id == woman]
    for split in ("train", "test"):
        yield from _first(film for film in hers if split in {row.split for row in film})
    yield from _first(film for film in order if len(film) > 2)
    yield from _first(film for film in order if not all(row.one_series for row in film))


def _first(films: Iterable[list[CaseRow]]) -> list[list[CaseRow]]:
    return list(islice(films, 1))


def _cut(table: CaseTable, taken: Mapping[str, CaseRow]) -> CaseTable:
    rows = [row for row in table.rows if row.label in taken]
    return replace(table, rows=tuple(replace(row, number=k) for k, row in enumerate(rows, start=1)))


def _case_row(table: str, number: int, record: bytes, fields: Mapping[str, str]) -> CaseRow:
    where = f"table {table}.csv, row {number}"
    paths = {}
    for kind, column in PATH_COLUMNS.items():
        paths[kind] = require_relative_path(fields[column], f"{where}, {column}")
        if paths[kind].count("/") != 3:
            raise InputError(f"{where}, {column}: expected case/study/series/file")
    side, density = fields["left or right breast"], fields["density"]
    if side not in _SIDES or density not in {"0", "1", "2", "3", "4"}:
        raise InputError(f"{where}: side {side!r}, density {density!r}")
    return CaseRow(
        table=table,
        number=number,
        record=record,
        patient_id=fields["patient_id"],
        laterality=_SIDES[side],
        view_position=fields["image view"],
        abnormality=fields["abnormality id"],
        pathology=fields["pathology"],
        density=int(density),
        paths=paths,
    )


def _split_records(content: bytes) -> Iterator[bytes]:
    """The records of a CSV file, each with its line end; a line break in quotes ends none."""
    record = b""
    for line in content.splitlines(keepends=True):
        record += line
        if record.count(b'"') % 2 == 0:
            yield record
            record = b""
    if record:
        yield record


def _fields(name: str, record: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(_text(name, record), newline="")), [])


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"table {name} is not text in UTF-8: {error}") from error


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InputError(
            f"{name} was expected in the folder of tables: {error.strerror}"
        ) from error
