"""What a header says about an image, from one small read of the file.

Nothing is guessed: an absent, empty or unreadable element gives None, the unreadable ones a note.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom._uid_dict import UID_dictionary

from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.image_kind import image_kind_of
from mammo_ray.dicom.parsing import ParsedHeader, parse_header
from mammo_ray.dicom.purpose import Signs, signs_of
from mammo_ray.dicom.views import view_of
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import Laterality, PresentationIntent, RejectionReason

FIRST_READ = 64 * 1024  # bytes; holds the header of nearly every mammogram
_GROWTH = 4


@dataclass(frozen=True)
class HeaderFacts:
    """One header in the words of the manifest.

    Attributes:
        row: manifest columns (`schema.MANIFEST`) that a header can fill; None is unknown.
        modality: Modality (0008,0060).
        has_pixel_data: whether a pixel data element follows the header.
        is_image_object: False for reports, presentation states, segmentations, directories.
        notes: elements that could not be read or that say something outside the vocabulary.
        signs: what speaks for an image that was not made to screen a breast.
        acquisition: columns that `schema.EXAMINED` has beyond the manifest's: which exposure an
            image comes from.
    """

    row: dict[str, object]
    modality: str | None
    has_pixel_data: bool
    is_image_object: bool
    notes: tuple[str, ...] = field(default=())
    signs: Signs = field(default_factory=Signs)
    acquisition: dict[str, object] = field(default_factory=dict)


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
    signs = signs_of(elements, view)
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
        "image_kind": image_kind_of(elements, sop_class, signs),
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
        signs=signs,
        acquisition=_acquisition(elements),
    )


def _laterality(elements: Elements) -> Laterality | None:
    """Image Laterality, then Laterality (PS3.3 C.8.11.7, C.7.3.1), then that of all frames."""
    for keyword in ("ImageLaterality", "Laterality"):
        side = elements.word(keyword, Laterality)
        if side is not None:
            return side
    for group in elements.items("SharedFunctionalGroupsSequence"):  # C.7.6.16.2.8
        for anatomy in group.items("FrameAnatomySequence"):
            return anatomy.word("FrameLaterality", Laterality)
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


def _acquisition(elements: Elements) -> dict[str, object]:
    """Which exposure an image comes from.

    Irradiation Event UID (0008,3010) and the moment of the acquisition to the second are those of
    the exposure (PS3.3 C.7.10.1), Source Image Sequence (0008,2112) names the images that one was
    derived from (C.12.4).
    """
    events = elements.texts("IrradiationEventUID")
    moment = elements.text("AcquisitionDateTime") or ""
    date, time = elements.text("AcquisitionDate"), elements.text("AcquisitionTime")
    if not moment and date and time:
        moment = date + time
    sources = [
        item.text("ReferencedSOPInstanceUID") for item in elements.items("SourceImageSequence")
    ]
    return {
        "irradiation_event": events[0] if len(events) == 1 else None,
        "acquired": moment.partition(".")[0] or None,
        "source_sop_uids": [uid for uid in sources if uid],
    }


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
