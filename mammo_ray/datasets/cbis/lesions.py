"""The rows of the CBIS-DDSM case tables as objects: one lesion, and the three files it names."""

from collections.abc import Hashable
from dataclasses import dataclass

import pandas as pd

from mammo_ray.datasets.cbis.case_names import CaseName
from mammo_ray.datasets.cbis.tables import cases_of

_WORDS = (
    "number", "type", "pathology", "shape", "margins", "calcification_type", "distribution",
    "assessment", "subtlety",
)  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A file as a table names it."""

    path: str
    series: str


@dataclass(frozen=True)
class Lesion:
    """One row of `read_case_tables`.

    Attributes:
        case: of the lesion; None where the row does not tell.
        identity: `patient_id`, `laterality` and `view_position`, as far as they are known.
        split: train or test.
        abnormality: `schema.ABNORMALITY`.
        density: 1 to 4 as text, or None.
        full: the film.
        crop: what the table calls the cropped image.
        mask: what the table calls the mask.
        fault: why the row cannot be used.
    """

    case: CaseName | None
    identity: dict[str, str | None]
    split: str
    abnormality: dict[str, object]
    density: str | None
    full: Named
    crop: Named
    mask: Named
    fault: str | None

    @property
    def pathology(self) -> str:
        """One of `cbis.tables.PATHOLOGIES`, where the row has no fault."""
        return str(self.abnormality["pathology"])

    @property
    def birads(self) -> str | None:
        """The assessment as text."""
        return _text(self.abnormality["assessment"])


def lesions_of(table: pd.DataFrame) -> list[Lesion]:
    """The rows of `read_case_tables` as objects, in their order."""
    plain = table.astype(object).where(table.notna(), None).to_dict("records")
    return [_lesion(row, case) for row, case in zip(plain, cases_of(table), strict=True)]


def _lesion(row: dict[Hashable, object], case: CaseName | None) -> Lesion:
    identity = {name: _text(row[name]) for name in ("patient_id", "laterality", "view_position")}
    return Lesion(
        case=case,
        identity=identity,
        split=str(row["split"]),
        abnormality={name: row[name] for name in _WORDS},
        density=_text(row["density"]),
        full=Named(str(row["full_path"]), str(row["full_series"])),
        crop=Named(str(row["crop_path"]), str(row["crop_series"])),
        mask=Named(str(row["mask_path"]), str(row["mask_series"])),
        fault=_text(row["fault"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
