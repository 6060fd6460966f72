"""The projection of a mammogram: view code, its modifiers, then the View Position tag."""

import re
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
_SPECIMEN = {"127457009", "G-8310"}  # CID 4014, "tissue specimen from breast"

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

# The labels of the ACR's quality control manual, column "ACR MQCM 1999 Equivalent" of CID 4015:
# letters in front of a view's own label (MCC) or behind it (MLOID).
_BEFORE = {"M": "magnification", "S": "spot-compression"}
_AFTER = {
    "RL": "rolled-lateral", "RM": "rolled-medial", "RI": "rolled-inferior",
    "RS": "rolled-superior", "ID": "implant-displaced", "NP": "nipple-in-profile",
    "AC": "anterior-compression", "IMF": "infra-mammary-fold", "AX": "axillary-tissue",
}  # fmt: skip
_LABEL = re.compile(
    rf"(M|S|MS|SM|)({'|'.join(sorted(ViewPosition, key=len, reverse=True))})"
    rf"((?:{'|'.join(_AFTER)})*)"
)
# Words that vendors write into View Position beside the view, as in CCSPOT.
_WORDS = {"SPOT": "spot-compression", "MAG": "magnification"}


@dataclass(frozen=True)
class View:
    """Projection and its modifiers.

    Attributes:
        position: None where the header does not say.
        modifiers: names of CID 4015 concepts, each once.
        specimen: the image shows tissue that was taken out, not a breast.
    """

    position: ViewPosition | None
    modifiers: tuple[str, ...] = ()
    specimen: bool = False


def view_of(elements: Elements) -> View:
    """The view that a header declares.

    View Code Sequence (0054,0220) with its View Modifier Code Sequence (0054,0222) goes before
    View Position (0018,5101): the code is required in digital mammography, the tag is not
    (PS3.3 C.8.11.7). Modifiers of both count.
    """
    position: ViewPosition | None = None
    modifiers = _modifiers_in(elements)
    specimen = False
    for item in elements.items("ViewCodeSequence"):
        code = _snomed_code(item) or ""
        position = position or _VIEWS.get(code)
        specimen = specimen or code in _SPECIMEN
        modifiers += _modifiers_in(item)
    label = _view_of_label((elements.text("ViewPosition") or "").upper())
    if position is None:
        position = label.position or elements.word("ViewPosition", ViewPosition)
    return View(position, tuple(dict.fromkeys([*modifiers, *label.modifiers])), specimen)


def _view_of_label(text: str) -> View:
    """View and modifiers of an ACR label; the modifiers alone of a text with other words."""
    match = _LABEL.fullmatch(text)
    if match is None:
        return View(None, tuple(name for word, name in _WORDS.items() if word in text))
    before = [_BEFORE[letter] for letter in match[1]]
    after = [_AFTER[label] for label in re.findall("|".join(_AFTER), match[3])]
    return View(ViewPosition(match[2]), (*before, *after))


def _modifiers_in(elements: Elements) -> list[str]:
    found = []
    for item in elements.items("ViewModifierCodeSequence"):
        code = _snomed_code(item)
        if code in _MODIFIERS:
            found.append(_MODIFIERS[code])
        elif code is not None:
            elements.notes.append(f"view modifier code {code[:16]!r} is not in CID 4015")
    return found


def _snomed_code(item: Elements) -> str | None:
    """Code Value of a SNOMED code, None for any other scheme."""
    scheme = (item.text("CodingSchemeDesignator") or "").upper()
    return item.text("CodeValue") if scheme in _SNOMED else None
