"""What a header says about turning stored values into gray levels (PS3.3 C.11)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammo_ray.dicom.elements import Elements, name_of
from mammo_ray.dicom.parsing import quiet_pydicom
from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
_FUNCTIONS: dict[str, VoiFunction] = {
    "": "LINEAR",
    "LINEAR": "LINEAR",
    "LINEAR_EXACT": "LINEAR_EXACT",
    "SIGMOID": "SIGMOID",
}


@dataclass(frozen=True)
class LookupTable:
    """One LUT item.

    Attributes:
        values: (entries,) output values, uint16.
        first: input value of entry 0, as written (unsigned 16 bit where negative).
        bits: nominal bits of an output value.
        explanation: LUT Explanation (0028,3003).
    """

    values: NDArray[np.uint16]
    first: int
    bits: int
    explanation: str | None


@dataclass(frozen=True)
class Window:
    """One window: center and width in modality units."""

    center: float
    width: float


@dataclass(frozen=True)
class GrayscaleFacts:
    """Everything that decides the gray levels of one image.

    Attributes:
        bits_allocated: bits of a stored value, 8 or 16.
        bits_stored: nominal bits.
        signed: whether stored values are signed.
        photometric: MONOCHROME1 or MONOCHROME2.
        presentation_shape: Presentation LUT Shape (2050,0020): IDENTITY, INVERSE or None.
        slope, intercept: of the rescale; ignored where there is a modality LUT.
        padding: lowest and highest stored value that is padding, None where there is none.
    """

    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric: str
    presentation_shape: str | None = None
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: LookupTable | None = None
    windows: tuple[Window, ...] = ()
    voi_function: VoiFunction = "LINEAR"
    voi_luts: tuple[LookupTable, ...] = ()
    padding: tuple[int, int] | None = None


def plain_facts(pixel_format: PixelFormat) -> GrayscaleFacts:
    """Facts of pixels that already are gray levels, 0 black (colour turned to gray)."""
    return GrayscaleFacts(
        bits_allocated=pixel_format.bits_allocated,
        bits_stored=pixel_format.bits_stored,
        signed=False,
        photometric="MONOCHROME2",
    )


@quiet_pydicom()
def read_grayscale(elements: Elements, pixel_format: PixelFormat) -> GrayscaleFacts:
    """The grayscale facts of a header.

    Raises:
        ImageRejected: an element contradicts itself or is outside its vocabulary.
    """
    modality_items = elements.items("ModalityLUTSequence")
    slope = elements.number("RescaleSlope")
    intercept = elements.number("RescaleIntercept")
    return GrayscaleFacts(
        bits_allocated=pixel_format.bits_allocated,
        bits_stored=pixel_format.bits_stored,
        signed=pixel_format.signed,
        photometric=pixel_format.photometric,
        presentation_shape=_presentation_shape(elements),
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        modality_lut=_lookup_table(modality_items[0]) if modality_items else None,
        windows=_windows(elements),
        voi_function=_voi_function(elements),
        voi_luts=tuple(_lookup_table(item) for item in elements.items("VOILUTSequence")),
        padding=_padding(elements, pixel_format),
    )


def invalid(detail: str) -> ImageRejected:
    """The rejection of gray levels that cannot be computed."""
    return ImageRejected(RejectionReason.GRAYSCALE_INVALID, detail)


def _presentation_shape(elements: Elements) -> str | None:
    shape = (elements.text("PresentationLUTShape") or "").upper()
    if shape not in ("", "IDENTITY", "INVERSE"):
        elements.notes.append(f"{name_of('PresentationLUTShape')} is {shape[:16]!r}, ignored")
        return None
    return shape or None


def _voi_function(elements: Elements) -> VoiFunction:
    text = (elements.text("VOILUTFunction") or "").upper()
    if text not in _FUNCTIONS:
        raise invalid(
            f"{name_of('VOILUTFunction')} is {text[:16]!r}, "
            "expected LINEAR, LINEAR_EXACT or SIGMOID"
        )
    return _FUNCTIONS[text]


def _windows(elements: Elements) -> tuple[Window, ...]:
    centers, widths = elements.numbers("WindowCenter"), elements.numbers("WindowWidth")
    if len(centers) != len(widths):
        raise invalid(
            f"{name_of('WindowCenter')} has {len(centers)} values and "
            f"{name_of('WindowWidth')} {len(widths)}"
        )
    return tuple(Window(center, width) for center, width in zip(centers, widths, strict=True))


def _padding(elements: Elements, pixel_format: PixelFormat) -> tuple[int, int] | None:
    """Pixel Padding Value to Range Limit, on stored values (PS3.3 C.7.5.1.1.2)."""
    value = elements.integer("PixelPaddingValue")
    if value is None:
        return None
    limit = elements.integer("PixelPaddingRangeLimit")
    ends = [value, value if limit is None else limit]
    # Some write it in the other sign than the pixels; the bits are the same.
    every_bit = (1 << pixel_format.bits_allocated) - 1
    ends = [end & every_bit for end in ends]
    if pixel_format.signed:
        ends = [end - every_bit - 1 if end > every_bit // 2 else end for end in ends]
    return min(ends), max(ends)


def _lookup_table(item: Elements) -> LookupTable:
    """One item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""
    descriptor = item.integers("LUTDescriptor")
    if len(descriptor) != 3:
        raise invalid(f"{name_of('LUTDescriptor')} has {len(descriptor)} values, expected 3")
    entries = (descriptor[0] & 0xFFFF) or 65536
    bits = descriptor[2]
    if not 8 <= bits <= 16:
        raise invalid(f"{name_of('LUTDescriptor')} has {bits} bits an entry, expected 8 to 16")
    values = _table_values(item, entries)
    if len(values) < entries:
        raise invalid(f"{name_of('LUTData')} has {len(values)} values, expected {entries}")
    return LookupTable(values[:entries], descriptor[1], bits, item.text("LUTExplanation"))


def _table_values(item: Elements, entries: int) -> NDArray[np.uint16]:
    """LUT Data, written as numbers, as words or as packed bytes."""
    packed = item.raw_bytes("LUTData")
    if packed is None:
        numbers = np.array(item.integers("LUTData"), dtype=np.int64)
        return (numbers & 0xFFFF).astype(np.uint16)
    if len(packed) < 2 * entries:
        return np.frombuffer(packed, np.uint8).astype(np.uint16)
    order = ">" if item.is_big_endian else "<"
    return np.frombuffer(packed[: len(packed) // 2 * 2], f"{order}u2").astype(np.uint16)
