"""What in a header speaks for an image that was not made to screen a breast.

Every sign is something that the header says; an element that is absent is no sign. Free text is
taken for a sign only where a whole word leaves no other reading, and in elements that describe
one series or protocol, never in those of a whole visit (Study Description).

No signs are: Partial View (0028,1350), a piece of a breast larger than the detector (PS3.3
C.8.11.7.1.3), which is a screening image; Positioner Type (0018,1508), which knows MAMMOGRAPHIC
and NONE alone; the angles of the tube, which stereotactic pairs share with ordinary views;
Calibration Image (0050,0004), an object of known size beside the patient.
"""

import re
from dataclasses import dataclass

from mammo_ray.dicom.described import find_words, plain_words, words_pattern
from mammo_ray.dicom.elements import Elements, name_of
from mammo_ray.dicom.views import View

_SERIES = ("SeriesDescription", "ProtocolName")
_NAMES = ("PatientName", "PatientID")

# PS3.3 table C.8-74a (stereotactic) and table C.8.21.6-1a (biopsy under tomosynthesis), Image Type
# value 3.
_BIOPSY_TYPES = frozenset(
    f"{step}{sign}"
    for step in ("STEREO", "PREFIRE", "POSTFIRE", "POSTBIOPSY", "POSTMARKER")
    for sign in ("_MINUS", "_PLUS", "")
) - {"STEREO"} | {"STEREO_SCOUT", "TOMO_SCOUT"}  # fmt: skip

# Estimated Radiographic Magnification Factor (0018,1114) of a magnified view. On the support it is
# 1.0 to 1.1; a stand gives 1.4 to 2.0 (21 CFR 900.12(b)(6)), a few more. Beyond 4 it is no factor.
_MAGNIFIED = (1.3, 4.0)

_STEREO = words_pattern(r"STEREO(?:TA[CKX]\w*)?", "PRONE TABLE", "PRONE BIOPSY", "PREFIRE",
                        "POSTFIRE")  # fmt: skip
_SPECIMEN = words_pattern("SPECIMENS?")
_PHANTOM = words_pattern("PHANTOM", "QC", "QUALITY CONTROL", "QUALITY ASSURANCE")
_FLAT_FIELD = words_pattern("FLAT ?FIELD", "DARK ?FIELD", "GAIN CALIBRATION", "OFFSET CALIBRATION")
_PADDLE_SPOT = words_pattern(r"(?:SPOT|SPT)\w*")
_PADDLE_MAGNIFIES = words_pattern(r"(?:SPOT|SPT)?MAG(?:NIF\w*)?\d*")

# A name made of these words alone is nobody's: people at the machine type it for a test object.
_TEST_NAME = {
    "ACR", "ANNUAL", "ASSURANCE", "CALIBRATION", "CONTROL", "DAILY", "FIELD", "FLAT", "FLATFIELD",
    "MAMMO", "MONTHLY", "PHANTOM", "QA", "QC", "QUALITY", "TEST", "WEEKLY",
}  # fmt: skip


@dataclass(frozen=True)
class Signs:
    """What was found for each purpose, in words without identifiers; None where nothing was."""

    quality_control: str | None = None
    flat_field: str | None = None
    specimen: str | None = None
    stereotactic: str | None = None
    magnification: str | None = None
    spot_compression: str | None = None


def signs_of(elements: Elements, view: View) -> Signs:
    """The signs in one header.

    Args:
        elements: of the header.
        view: what `views.view_of` found in it.
    """
    return Signs(
        quality_control=_quality_control(elements),
        flat_field=_flat_field(elements),
        specimen=_specimen(elements, view),
        stereotactic=_stereotactic(elements),
        magnification=_magnification(elements, view),
        spot_compression=_spot_compression(elements, view),
    )


def _quality_control(elements: Elements) -> str | None:
    """Quality Control Image (0028,0300) and Subject (0010,0200); BOTH shows a patient as well."""
    for keyword in ("QualityControlImage", "QualityControlSubject"):
        if (elements.text(keyword) or "").upper() == "YES":
            return f"{name_of(keyword)} is 'YES'"
    words = find_words(elements, ("ImageType", *_SERIES), _PHANTOM)
    return words or _test_name(elements, _PHANTOM)


def _flat_field(elements: Elements) -> str | None:
    words = find_words(elements, ("ImageType", *_SERIES), _FLAT_FIELD)
    return words or _test_name(elements, _FLAT_FIELD)


def _test_name(elements: Elements, means: re.Pattern[str]) -> str | None:
    """A patient's name or ID made of the words of a test alone."""
    for keyword in _NAMES:
        words = plain_words(elements.text(keyword) or "")
        if words and set(words.split()) <= _TEST_NAME and means.search(words):
            return f"{name_of(keyword)} is made of words for tests alone"
    return None


def _specimen(elements: Elements, view: View) -> str | None:
    if view.specimen:
        return "view code tissue specimen from breast"
    if elements.items("SpecimenDescriptionSequence"):
        return f"{name_of('SpecimenDescriptionSequence')} describes a specimen"
    return find_words(elements, _SERIES, _SPECIMEN)


def _stereotactic(elements: Elements) -> str | None:
    """Image Type value 3 (PS3.3 C.8.11.7.1.4), Biopsy Target Sequence (0018,2041), or words."""
    for value in elements.texts("ImageType"):
        if value.upper() in _BIOPSY_TYPES:
            return f"{name_of('ImageType')} has {value.upper()!r}"
    if elements.items("BiopsyTargetSequence"):
        return f"{name_of('BiopsyTargetSequence')} names a target"
    return find_words(elements, _SERIES, _STEREO)


def _magnification(elements: Elements, view: View) -> str | None:
    """View modifier, else the factor; the paddle's name only where no factor is given."""
    if "magnification" in view.modifiers:
        return "view modifier magnification"
    keyword = "EstimatedRadiographicMagnificationFactor"
    factor = elements.number(keyword)
    if factor is None:
        return find_words(elements, ("PaddleDescription",), _PADDLE_MAGNIFIES)
    lowest, highest = _MAGNIFIED
    return f"{name_of(keyword)} is {factor:g}" if lowest <= factor <= highest else None


def _spot_compression(elements: Elements, view: View) -> str | None:
    if "spot-compression" in view.modifiers:
        return "view modifier spot-compression"
    return find_words(elements, ("PaddleDescription",), _PADDLE_SPOT)
