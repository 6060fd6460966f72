"""Case tables and file names in the form of CBIS-DDSM's, for a phantom without the real ones.

They hold the traps of the real tables: a line break inside one path field of every row, another
name for the density in calc tables, density, subtlety and assessment 0, a third pathology, file
names that are reversed between calc and mass tables, crops and masks in series of their own,
several lesions a film, films in two tables and women in both splits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mammo_ray.datasets.phantoms.cbis.cases import (
    TABLES,
    CaseTable,
    cbis_uid,
    parse_case_table,
    series_of,
)
from mammo_ray.schema import Kind

_CALC_COLUMNS = (
    "patient_id", "breast density", "left or right breast", "image view", "abnormality id",
    "abnormality type", "calc type", "calc distribution", "assessment", "pathology", "subtlety",
    "image file path", "cropped image file path", "ROI mask file path",
)  # fmt: skip
_MASS_COLUMNS = tuple(
    {
        "breast density": "breast_density",
        "calc type": "mass shape",
        "calc distribution": "mass margins",
    }.get(column, column)
    for column in _CALC_COLUMNS
)
_CALC_TYPES = ("PLEOMORPHIC", "AMORPHOUS", "PUNCTATE", "N/A", "ROUND_AND_REGULAR-LUCENT_CENTER")
_DISTRIBUTIONS = ("CLUSTERED", "SEGMENTAL", "LINEAR", "N/A", "CLUSTERED-LINEAR")
_SHAPES = ("IRREGULAR", "OVAL", "LOBULATED", "ROUND", "N/A", "IRREGULAR-ARCHITECTURAL_DISTORTION")
_MARGINS = ("SPICULATED", "CIRCUMSCRIBED", "ILL_DEFINED", "OBSCURED", "N/A")
_OWN_SERIES = 0.06  # share of mass rows
_TRAIN, _BOTH_VIEWS = 0.8, 0.75
_LESIONS = (0.85, 0.11, 0.04)  # shares of films with one, two, three
_TWO_TABLES_EVERY = 40  # women
_MISSING_FROM = 200  # rows from which on a series is missing from the JPEG edition
_STREAM_TABLES, _STREAM_TREE = 111, 112


@dataclass(frozen=True)
class _Film:
    """One film in one table."""

    woman: int
    calcification: bool
    split: str
    side: str
    view: str
    lesions: int


# The first films of every phantom: each table once, one film in two tables and splits, and one
# with three lesions.
_FIRST_FILMS = (
    _Film(0, True, "test", "LEFT", "CC", 1),
    _Film(1, True, "train", "RIGHT", "MLO", 1),
    _Film(2, False, "test", "RIGHT", "CC", 1),
    _Film(3, False, "train", "LEFT", "MLO", 1),
    _Film(4, True, "train", "RIGHT", "MLO", 1),
    _Film(4, False, "test", "RIGHT", "MLO", 1),
    _Film(5, False, "train", "LEFT", "CC", 3),
)


def invent_case_tables(count: int, seed: int, cancer_share: float) -> list[CaseTable]:
    """Four case tables with `count` rows in all.

    Args:
        count: at least 4.
        seed: of every draw.
        cancer_share: share of women whose first lesion is malignant, 0 to 1.
    """
    rng = np.random.default_rng([seed, _STREAM_TABLES])
    records: dict[str, list[str]] = {name: [] for name in TABLES}
    made = 0
    for film in _films(rng):
        if made == count:
            break
        table = f"{_stem(film)}_case_description_{film.split}_set"
        for lesion in range(1, min(film.lesions, count - made) + 1):
            records[table].append(_record(film, lesion, made, rng, (seed, cancer_share)))
            made += 1
    tables = []
    for name in TABLES:
        columns = _CALC_COLUMNS if name.startswith("calc") else _MASS_COLUMNS
        text = ",".join(columns) + "\r\n" + "".join(records[name])
        tables.append(parse_case_table(name, text.encode()))
    return tables


def invent_jpeg_tree(tables: Sequence[CaseTable], seed: int) -> dict[str, list[str]]:
    """File names for every series of the tables, as the JPEG edition has them: `1-172.jpg`.

    From 200 rows on, one series is missing, as in the real edition.
    """
    rng = np.random.default_rng([seed, _STREAM_TREE])
    rows = [row for table in tables for row in table.rows]
    tree: dict[str, list[str]] = {}
    for row in rows:
        for kind in (Kind.FULL, Kind.CROP, Kind.MASK):
            prefixes = (1, 2) if kind != Kind.FULL and row.one_series else (1,)
            series = series_of(row.paths[kind])
            if series not in tree:
                tree[series] = [f"{n}-{int(rng.integers(1, 290)):03d}.jpg" for n in prefixes]
    if len(rows) >= _MISSING_FROM:
        shared = [row for row in rows if row.one_series]
        del tree[series_of(shared[int(rng.integers(len(shared)))].paths[Kind.CROP])]
    return tree


def _films(rng: np.random.Generator) -> Iterator[_Film]:
    """Films without end, those of one woman one after the other."""
    yield from _FIRST_FILMS
    woman = _FIRST_FILMS[-1].woman + 1
    while True:
        calcification = bool(rng.uniform() < 0.5)
        split = "train" if rng.uniform() < _TRAIN else "test"
        side = str(rng.choice(["LEFT", "RIGHT"]))
        views = ["CC", "MLO"] if rng.uniform() < _BOTH_VIEWS else [str(rng.choice(["CC", "MLO"]))]
        for view in views:
            lesions = 1 + int(rng.choice(3, p=_LESIONS))
            yield _Film(woman, calcification, split, side, view, lesions)
        if woman % _TWO_TABLES_EVERY == 0:
            other = "test" if split == "train" else "train"
            yield _Film(woman, not calcification, other, side, views[-1], 1)
        woman += 1


def _stem(film: _Film) -> str:
    return "calc" if film.calcification else "mass"


def _record(
    film: _Film, lesion: int, made: int, rng: np.random.Generator, request: tuple[int, float]
) -> str:
    """One row as text; `made` rows stand before it in all tables together."""
    seed, cancer_share = request
    pathology = _pathology(film, lesion, cancer_share)
    first, second = (
        (_CALC_TYPES, _DISTRIBUTIONS) if film.calcification else (_SHAPES, _MARGINS)
    )  # fmt: skip
    assessment = int(rng.integers(4, 6)) if pathology == "MALIGNANT" else int(rng.integers(2, 5))
    fields = [
        f"P_{film.woman + 1:05d}",
        "0" if film.woman % 50 == 2 else str(1 + (film.woman * 7 + seed) % 4),
        film.side,
        film.view,
        str(lesion),
        "calcification" if film.calcification else "mass",
        str(rng.choice(first)),
        str(rng.choice(second)),
        "0" if made % 15 == 5 else str(assessment),
        pathology,
        "0" if made % 60 == 6 else str(rng.integers(1, 6)),
        *_paths(film, lesion, rng, seed),
    ]
    return ",".join(fields) + "\r\n"


def _pathology(film: _Film, lesion: int, cancer_share: float) -> str:
    """Malignant in the first lesion of that share of the women, spread evenly over them."""
    k = film.woman
    if lesion == 1 and int((k + 1) * cancer_share) > int(k * cancer_share):
        return "MALIGNANT"
    return "BENIGN_WITHOUT_CALLBACK" if (k + lesion) % 3 == 0 else "BENIGN"


def _paths(film: _Film, lesion: int, rng: np.random.Generator, seed: int) -> Iterable[str]:
    """The three path fields: quoted, with a line break, in the column where the table has them."""
    part = "Training" if film.split == "train" else "Test"
    case = f"{_stem(film).title()}-{part}_P_{film.woman + 1:05d}_{film.side}_{film.view}"
    full = f"{case}/{cbis_uid(seed, case, 'study')}/{cbis_uid(seed, case, 'series')}/000000.dcm"
    case = f"{case}_{lesion}"
    series = [f"{case}/{cbis_uid(seed, case, k)}/{cbis_uid(seed, case, k, 's')}" for k in range(2)]
    if film.calcification:
        return full, f'"{series[0]}/000001.dcm\n"', f"{series[0]}/000000.dcm"
    if rng.uniform() < _OWN_SERIES or (film.woman == _FIRST_FILMS[-1].woman and lesion == 1):
        return full, f"{series[0]}/000000.dcm", f'"{series[1]}/000000.dcm\n"'
    return full, f"{series[0]}/000000.dcm", f'"{series[0]}/000001.dcm\n"'
