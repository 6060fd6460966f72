"""What a header says about an image, from one small read of the file.

Nothing is guessed: an absent, empty or unreadable element gives None, the unreadable ones a note.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom._uid_dict import UID_dictionary

from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.parsing import ParsedHeader, parse_header
from mammo_ray.dicom.views import view_of
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import ImageKind, Laterality, PresentationIntent, RejectionReason

FIRST_READ = 64 * 1024  # bytes; holds the header of nearly every mammogram
_GROWTH = 4

# UIDs of PS3.4 annex B and PS3.6 table A-1 whose meaning decides the kind of image.
_DIGITAL_MAMMOGRAPHY = {
    "1.2.840.10008.5.1.4.1.1.1.2",
    "1.2.840.10008.5.1.4.1.1.1.2.1",
}
_TOMOSYNTHESIS = {
    "1.2.840.10008.5.1.4.1.1.13.1.3",
    "1.2.840.10008.5.1.4.1.1.13.1.4",
    "1.2.840.10008.5.1.4.1.1.13.1.5",
}


@dataclass(frozen=True)
class HeaderFacts:
    """One header in the words of the manifest.

    Attributes:
        row: manifest columns (`schema.MANIFEST`) that a header can fill; None is unknown.
        modality: Modality (0008,0060).
        has_pixel_data: whether a pixel data element follows the header.
        is_image_object: False for reports, presentation states, segmentations, directories.
        notes: elements that could not be read or that say something outside the vocabulary.
    """

    row: dict[str, object]
    modality: str | None
    has_pixel_data: bool
    is_image_object: bool
    notes: tuple[str, ...] = field(default=())


def read_header(fetch: Callable[[int, int], bytes], size: int) -> HeaderFacts:
    """The facts of one file's header, read in one piece of 64 KiB and more only where needed.

    Args:
        fetch: `fetch(start, length)` gives that range of the file.
        size: length of the file in bytes.

    Raises:
        ImageRejected: the file is empty, not DICOM, cut inside its header, or unparseable.
    """
    content = fetch(0, min(FIRST_READ, size)) if size else b""
    while True:
        complete = len(content) >= size
        header = parse_header(content, complete)
        if header is not None:
            return facts_of(header)
        wanted = min(size, len(content) * _GROWTH)
        more = fetch(len(content), wanted - len(content))
        if not more:
            raise ImageRejected(
                RejectionReason.FILE_CHANGED,
                f"the file ends at byte {len(content)}, its listing says {size}",
            )
        content += more


def facts_of(header: ParsedHeader) -> HeaderFacts:
    """The facts in a parsed header."""
    elements = Elements(header.dataset)
    sop_class = elements.text("SOPClassUID") or header.media_storage_class
    view = view_of(elements)
    row: dict[str, object] = {
        "patient_id": elements.text("PatientID"),
        "study_uid": elements.text("StudyInstanceUID"),
        "series_uid": elements.text("SeriesInstanceUID"),
        "sop_uid": elements.text("SOPInstanceUID"),
        "sop_class": sop_class,
        "study_date": elements.text("StudyDate"),
        "accession": elements.text("AccessionNumber"),
        "laterality": _laterality(elements),
        "view_position": view.position,
        "view_modifiers": list(view.modifiers),
        "image_kind": _image_kind(elements, sop_class),
        "presentation_intent": _presentation_intent(elements, sop_class),
        "age": _age_in_years(elements),
        "implant": _yes_or_no(elements, "BreastImplantPresent"),
        "site": elements.text("InstitutionName"),
        "manufacturer": elements.text("Manufacturer"),
        "model_name": elements.text("ManufacturerModelName"),
        "device_serial": elements.text("DeviceSerialNumber"),
        "software_versions": elements.text("SoftwareVersions"),
        "pixel_spacing_mm": _pixel_spacing(elements),
        "magnification": elements.number("EstimatedRadiographicMagnificationFactor"),
        "rows": elements.integer("Rows"),
        "columns": elements.integer("Columns"),
        "transfer_syntax": header.transfer_syntax,
    }
    has_pixel_data = header.pixel_tag is not None
    return HeaderFacts(
        row=row,
        modality=elements.text("Modality"),
        has_pixel_data=has_pixel_data,
        is_image_object=_is_image_object(sop_class, has_pixel_data),
        notes=tuple(elements.notes),
    )


def _laterality(elements: Elements) -> Laterality | None:
    """Image Laterality, then Laterality (PS3.3 C.8.11.7, C.7.3.1)."""
    for keyword in ("ImageLaterality", "Laterality"):
        side = elements.word(keyword, Laterality)
        if side is not None:
            return side
    return None


def _presentation_intent(elements: Elements, sop_class: str | None) -> PresentationIntent | None:
    """The tag, else what the SOP class is named for."""
    intent = elements.word("PresentationIntentType", PresentationIntent)
    if intent is not None:
        return intent
    name = sop_class_name(sop_class) or ""
    if name.endswith("For Presentation"):
        return PresentationIntent.PRESENTATION
    return PresentationIntent.PROCESSING if name.endswith("For Processing") else None


def _image_kind(elements: Elements, sop_class: str | None) -> ImageKind | None:
    """How the image was made, where the header says so."""
    if "YES" in (elements.text("QualityControlImage"), elements.text("QualityControlSubject")):
        return ImageKind.QUALITY_CONTROL
    if elements.text("DetectorType") == "FILM" or elements.text("ConversionType") == "DF":
        return ImageKind.FILM
    if "GENERATED_2D" in elements.texts("ImageType"):
        return ImageKind.SYNTHETIC_2D
    if elements.text("ContrastBolusAgent") or elements.items("ContrastBolusAgentSequence"):
        return ImageKind.CONTRAST
    if sop_class in _TOMOSYNTHESIS or "TOMOSYNTHESIS" in elements.texts("ImageType"):
        return ImageKind.TOMOSYNTHESIS
    return ImageKind.FFDM if sop_class in _DIGITAL_MAMMOGRAPHY else None


def _age_in_years(elements: Elements) -> float | None:
    """Patient's Age, an Age String such as `045Y` (PS3.5 table 6.2-1)."""
    text = elements.text("PatientAge") or ""
    units = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
    number, unit = text[:-1], text[-1:].upper()
    if number.isascii() and number.isdigit() and unit in units:
        return int(number) / units[unit]
    return None


def _yes_or_no(elements: Elements, keyword: str) -> bool | None:
    return {"YES": True, "NO": False}.get((elements.text(keyword) or "").upper())


def _pixel_spacing(elements: Elements) -> list[float] | None:
    """Imager Pixel Spacing: [row, column] spacing at the detector in mm."""
    spacing = elements.numbers("ImagerPixelSpacing")
    if len(spacing) == 2 and min(spacing) > 0:
        return spacing
    return None


def sop_class_name(sop_class: str | None) -> str | None:
    """The name of a SOP class in PS3.6, None where it is not there."""
    entry = UID_dictionary.get(sop_class or "")
    return entry[0] if entry else None


def _is_image_object(sop_class: str | None, has_pixel_data: bool) -> bool:
    """Whether the SOP class stores images; a class outside PS3.6 counts by its pixels."""
    if sop_class is None:
        return True
    name = sop_class_name(sop_class)
    return has_pixel_data if name is None else "Image Storage" in name
