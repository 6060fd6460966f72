"""The projection of a mammogram: view code, its modifiers, then the View Position tag."""

from dataclasses import dataclass

from mammo_ray.dicom.elements import Elements
from mammo_ray.schema import ViewPosition

# PS3.16 CID 4014 "View for Mammography": SNOMED CT, then the retired SNOMED-RT code.
_VIEWS = {
    "399260004": ViewPosition.ML, "R-10224": ViewPosition.ML,
    "399368009": ViewPosition.MLO, "R-10226": ViewPosition.MLO,
    "399352003": ViewPosition.LM, "R-10228": ViewPosition.LM,
    "399099002": ViewPosition.LMO, "R-10230": ViewPosition.LMO,
    "399162004": ViewPosition.CC, "R-10242": ViewPosition.CC,
    "399196006": ViewPosition.FB, "R-10244": ViewPosition.FB,
    "399188001": ViewPosition.SIO, "R-102D0": ViewPosition.SIO,
    "441555000": ViewPosition.ISO, "R-40AAA": ViewPosition.ISO,
    "399265009": ViewPosition.XCC, "R-102CF": ViewPosition.XCC,
    "399192008": ViewPosition.XCCL, "R-1024A": ViewPosition.XCCL,
    "399101009": ViewPosition.XCCM, "R-1024B": ViewPosition.XCCM,
}  # fmt: skip

# PS3.16 CID 4015 "View Modifier for Mammography", in the same two codes.
_MODIFIERS = {
    "399161006": "cleavage", "R-102D2": "cleavage",
    "399011000": "axillary-tail", "R-102D1": "axillary-tail",
    "399197002": "rolled-lateral", "R-102D3": "rolled-lateral",
    "399226006": "rolled-medial", "R-102D4": "rolled-medial",
    "414493004": "rolled-inferior", "R-102CA": "rolled-inferior",
    "415670009": "rolled-superior", "R-102C9": "rolled-superior",
    "399209000": "implant-displaced", "R-102D5": "implant-displaced",
    "399163009": "magnification", "R-102D6": "magnification",
    "399055006": "spot-compression", "R-102D7": "spot-compression",
    "399110001": "tangential", "R-102C2": "tangential",
    "442581004": "nipple-in-profile", "R-40AB3": "nipple-in-profile",
    "441752004": "anterior-compression", "P2-00161": "anterior-compression",
    "442593008": "infra-mammary-fold", "R-40ABE": "infra-mammary-fold",
    "442580003": "axillary-tissue", "R-40AB2": "axillary-tissue",
}  # fmt: skip

_SNOMED = {"SCT", "SRT", "SNM3", "99SDM"}


@dataclass(frozen=True)
class View:
    """Projection and its modifiers; None where the header does not say."""

    position: ViewPosition | None
    modifiers: tuple[str, ...]


def view_of(elements: Elements) -> View:
    """The view that a header declares.

    View Code Sequence (0054,0220) with its View Modifier Code Sequence (0054,0222) goes before
    View Position (0018,5101): the code is required in digital mammography, the tag is not
    (PS3.3 C.8.11.7).
    """
    position: ViewPosition | None = None
    modifiers: list[str] = []
    for item in elements.items("ViewCodeSequence"):
        position = position or _VIEWS.get(_snomed_code(item) or "")
        for modifier in item.items("ViewModifierCodeSequence"):
            code = _snomed_code(modifier)
            if code is None:
                continue
            if code in _MODIFIERS:
                modifiers.append(_MODIFIERS[code])
            else:
                elements.notes.append(f"view modifier code {code[:16]!r} is not in CID 4015")
    if position is None:
        position = elements.word("ViewPosition", ViewPosition)
    return View(position, tuple(dict.fromkeys(modifiers)))


def _snomed_code(item: Elements) -> str | None:
    """Code Value of a SNOMED code, None for any other scheme."""
    scheme = (item.text("CodingSchemeDesignator") or "").upper()
    return item.text("CodeValue") if scheme in _SNOMED else None
