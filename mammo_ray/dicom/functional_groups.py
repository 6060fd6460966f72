"""What an enhanced image says about one of its frames (PS3.3 C.7.6.16)."""

from pydicom.dataset import Dataset

from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.parsing import PARSE_ERRORS, quiet_pydicom

# Pixel Value Transformation and Frame VOI LUT macros: C.7.6.16.2.9 and C.7.6.16.2.10.
_MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def elements_of_frame(dataset: Dataset, frame: int) -> Elements:
    """The elements of an image with the gray levels of one frame.

    An enhanced image has its rescale and its windows in functional groups: those that all frames
    share, then the frame's own.

    Args:
        dataset: of the image; it is not changed.
        frame: number of the frame, from 0.
    """
    elements = Elements(dataset)
    try:
        with quiet_pydicom():
            shared = dataset.get("SharedFunctionalGroupsSequence") or []
            own = dataset.get("PerFrameFunctionalGroupsSequence") or []
            macros = [
                item
                for group in (*shared[:1], *own[frame : frame + 1])
                for keyword in _MACROS
                for item in (group.get(keyword) or [])[:1]
            ]
            if not macros:
                return elements
            merged = Dataset(dataset)
            for macro in macros:
                merged.update(macro)
    except PARSE_ERRORS as error:
        elements.notes.append(f"functional groups cannot be read: {type(error).__name__}")
        return elements
    return Elements(merged)
