"""Case names of CBIS-DDSM: `Mass-Training_P_00001_LEFT_CC_1` says whose image a file is.

Folders of the DICOM edition, PatientID (0010,0020) and `dicom_info.csv` carry them. Some masks
have a shorter form, `P_00562_LEFT_CC_2.dcm`, which tells neither table nor split.
"""

import re
from dataclasses import dataclass

from mammo_ray.schema import Laterality

_CASE = re.compile(
    r"(?:(?P<table>mass|calc)-(?P<split>training|train|test)_)?(?P<patient>p_\d+)"
    r"_(?P<side>left|right)_(?P<view>[a-z]+)(?:_(?P<number>\d+))?(?:\.dcm)?",
    re.IGNORECASE,
)
SIDES = {"LEFT": Laterality.LEFT, "RIGHT": Laterality.RIGHT}


@dataclass(frozen=True)
class CaseName:
    """One case: a film, or a lesion on it.

    Attributes:
        table: `mass` or `calc`; None in the short form.
        split: `train` or `test`; None in the short form.
        patient_id: such as `P_00001`.
        laterality: L or R.
        view_position: CC or MLO.
        number: of the abnormality; None for the film itself.
    """

    table: str | None
    split: str | None
    patient_id: str
    laterality: Laterality
    view_position: str
    number: int | None

    def film(self) -> "CaseName":
        """The film of a lesion."""
        return CaseName(
            self.table, self.split, self.patient_id, self.laterality, self.view_position, None
        )

    def fits(self, other: "CaseName") -> bool:
        """Whether two names can be those of one case; the short form fits mass and calc."""
        ours, theirs = (self.table, self.split), (other.table, other.split)
        same = self._on_film() == other._on_film()
        return same and (ours == theirs or (None, None) in (ours, theirs))

    def _on_film(self) -> tuple[object, ...]:
        return (self.patient_id, self.laterality, self.view_position, self.number)


def parse_case_name(text: str | None) -> CaseName | None:
    """The case that a text names; None where it names none."""
    found = _CASE.fullmatch((text or "").strip())
    if found is None:
        return None
    table, split, number = found["table"], found["split"], found["number"]
    return CaseName(
        table=table.lower() if table else None,
        split=("test" if split.lower() == "test" else "train") if split else None,
        patient_id=found["patient"].upper(),
        laterality=SIDES[found["side"].upper()],
        view_position=found["view"].upper(),
        number=int(number) if number else None,
    )


def case_in_path(relative_path: str) -> CaseName | None:
    """The case that a folder of a path names in the long form, the innermost one; else None."""
    for folder in reversed(relative_path.split("/")[:-1]):
        case = parse_case_name(folder)
        if case is not None and case.table is not None:
            return case
    return None
