"""How an image was made, as far as its header says: kinds are never pooled silently."""

from mammo_ray.dicom.described import find_words, words_pattern
from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.purpose import Signs
from mammo_ray.schema import ImageKind

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
_CT = "1.2.840.10008.5.1.4.1.1.2"
# Objects that held slices before there was a class for them.
_SLICE_CLASSES = {_CT, "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.2",
                  "1.2.840.10008.5.1.4.1.1.7.3"}  # fmt: skip

# Image Type values 3 to 5 (PS3.3 C.8.11.7.1.4, tables C.8-74c to C.8-74e), and vendors' own.
_CONTRAST_TYPES = {
    "PRE_CONTRAST", "POST_CONTRAST", "ADDITION", "SUBTRACTION", "LOW_ENERGY", "HIGH_ENERGY",
    "DUAL_ENERGY",
}  # fmt: skip
_SYNTHETIC_TYPE = "GENERATED_2D"
_TOMOSYNTHESIS_TYPES = {"TOMO", "TOMOSYNTHESIS", "TOMO_PROJ", "TOMO_SCOUT"}

_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "DerivationDescription",
                 "AcquisitionDeviceProcessingDescription")  # fmt: skip
_CONTRAST = words_pattern("CEDM", "CESM", "CEM", "CONTRAST ENHANCED MAMMO\\w*")
# Vendors' names: Hologic C-View and Intelligent 2D, Fujifilm S-View, GE V-Preview, Siemens Insight.
_SYNTHETIC = words_pattern(
    "C ?VIEW", "S ?VIEW", "V ?PREVIEW", "INTELLIGENT 2D", "INSIGHT 2D", "GENERATED 2D",
    "SYNTHETIC(?: 2D)?", "SYNTHE[SZ]I[SZ]ED(?: 2D)?",
)  # fmt: skip
_TOMO = words_pattern("TOMO", "TOMOSYNTHESIS", "DBT")
# A word for the stack beside one for tomosynthesis: the word alone also stands beside the plain
# exposure of a combined examination.
_STACK = words_pattern(
    r"(?:TOMO|TOMOSYNTHESIS|DBT)(?: \w+)?"
    r" (?:SLICES?|SLABS?|RECON\w*|PROJECTIONS?|PLANES?)"
)


def image_kind_of(elements: Elements, sop_class: str | None, signs: Signs) -> ImageKind | None:
    """The kind of an image; None where the header does not say.

    Where several fit, the one farther from a plain exposure counts: a synthetic image of a
    contrast examination is `contrast`.

    Args:
        elements: of the header.
        sop_class: SOP Class UID.
        signs: what `purpose.signs_of` found.
    """
    if signs.quality_control or signs.flat_field:
        return ImageKind.QUALITY_CONTROL
    if elements.text("DetectorType") == "FILM" or elements.text("ConversionType") == "DF":
        return ImageKind.FILM
    types = {value.upper() for value in elements.texts("ImageType")}
    if _is_contrast(elements, types):
        return ImageKind.CONTRAST
    if _SYNTHETIC_TYPE in types or find_words(elements, _DESCRIPTIONS, _SYNTHETIC):
        return ImageKind.SYNTHETIC_2D
    if _is_tomosynthesis(elements, types, sop_class):
        return ImageKind.TOMOSYNTHESIS
    return ImageKind.FFDM if sop_class in _DIGITAL_MAMMOGRAPHY else None


def _is_contrast(elements: Elements, types: set[str]) -> bool:
    """Contrast/Bolus module, Image Type, or a name of the technique."""
    agent = elements.text("ContrastBolusAgent") or elements.items("ContrastBolusAgentSequence")
    return bool(agent or types & _CONTRAST_TYPES or find_words(elements, _DESCRIPTIONS, _CONTRAST))


def _is_tomosynthesis(elements: Elements, types: set[str], sop_class: str | None) -> bool:
    """By class, by Image Type, by frames, or slices kept as CT or secondary capture."""
    if sop_class in _TOMOSYNTHESIS or types & _TOMOSYNTHESIS_TYPES:
        return True
    if sop_class in _DIGITAL_MAMMOGRAPHY:  # an exposure has one frame (PS3.3 A.26)
        frames = elements.integer("NumberOfFrames") or 1
        return frames > 1 or find_words(elements, _DESCRIPTIONS, _STACK) is not None
    if sop_class == _CT and elements.text("Modality") == "MG":
        return True
    in_words = find_words(elements, _DESCRIPTIONS, _TOMO) is not None
    return sop_class in _SLICE_CLASSES and in_words
