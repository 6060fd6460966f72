"""What real archives hold beside screening images, as further files of a phantom archive.

Two women of their own: the first with FOR PROCESSING twins, the second with views that are not for
screening and with images of other kinds; and a test object without a woman. Nothing that
`phantoms.archive` has written is changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray import storage
from mammo_ray.datasets.phantoms.archive import draw_image
from mammo_ray.datasets.phantoms.folder import csv_text
from mammo_ray.datasets.phantoms.headers import image_header, patient_id, phantom_uid
from mammo_ray.datasets.phantoms.vendors import EXPLICIT_LITTLE_ENDIAN, VENDORS, store_pixels
from mammo_ray.datasets.phantoms.women import PlannedImage, Woman, plan_woman
from mammo_ray.dicom.encode import encode_file
from mammo_ray.schema import ExclusionRule, ImageKind, Laterality, ViewPosition

_FIRST_WOMAN = 9000  # beyond the women of any archive
_SHAPE = (256, 208)  # rows, columns
_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_CT = "1.2.840.10008.5.1.4.1.1.2"
_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
_SECONDS = 40  # between two exposures
_TRUTH_COLUMNS = ("path", "name", "excluded_by", "image_kind")

_Header = dict[str, object]


@dataclass(frozen=True)
class OtherObject:
    """One added file.

    Attributes:
        path: below the archive, with `/`.
        name: what it is.
        excluded_by: the rule that leaves it out, None where it stays.
        image_kind: a value of `schema.ImageKind`.
    """

    path: str
    name: str
    excluded_by: ExclusionRule | None
    image_kind: ImageKind | None


@dataclass(frozen=True)
class _Planned:
    """One file to be made: what it changes in the header of an ordinary image; None drops."""

    name: str
    laterality: str = Laterality.LEFT
    view: str = ViewPosition.CC
    changes: _Header | None = None
    rule: ExclusionRule | None = None
    kind: ImageKind | None = ImageKind.FFDM
    flat: bool = False


def _code(value: str, meaning: str, **more: object) -> _Header:
    named = {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}
    return {**named, **more}


def _view(modifier: str, meaning: str) -> list[_Header]:
    modifiers = [_code(modifier, meaning)]
    return [_code("399162004", "cranio-caudal", ViewModifierCodeSequence=modifiers)]


def _type(*values: str) -> _Header:
    return {"ImageType": list(values)}


_TEST_OBJECT: _Header = {
    "PatientName": "QC^Phantom", "PatientID": "QC-1", "ImageLaterality": None,
    "ViewPosition": None, "ViewCodeSequence": None,
}  # fmt: skip

_OTHERS = (
    _Planned("magnification", changes={
        "ViewCodeSequence": _view("399163009", "Magnification")},
        rule=ExclusionRule.MAGNIFICATION),
    _Planned("magnification by factor", changes={
        "EstimatedRadiographicMagnificationFactor": 1.5}, rule=ExclusionRule.MAGNIFICATION),
    _Planned("spot compression", changes={
        "ViewCodeSequence": _view("399055006", "Spot Compression")},
        rule=ExclusionRule.SPOT_COMPRESSION),
    _Planned("spot compression by paddle", changes={"PaddleDescription": "10CM SPOT"},
             rule=ExclusionRule.SPOT_COMPRESSION),
    _Planned("stereotactic scout", changes=_type("ORIGINAL", "PRIMARY", "STEREO_SCOUT"),
             rule=ExclusionRule.STEREOTACTIC),
    _Planned("stereotactic by words", changes={"SeriesDescription": "L Stereotactic"},
             rule=ExclusionRule.STEREOTACTIC),
    _Planned("specimen", changes={
        "ViewCodeSequence": [_code("127457009", "tissue specimen from breast")],
        "ViewPosition": None}, rule=ExclusionRule.SPECIMEN),
    _Planned("ultrasound", changes={"Modality": "US", "SOPClassUID": _ULTRASOUND},
             rule=ExclusionRule.OTHER_MODALITY, kind=None),
    _Planned("test object", changes={**_TEST_OBJECT, "QualityControlImage": "YES"},
             rule=ExclusionRule.QUALITY_CONTROL, kind=ImageKind.QUALITY_CONTROL, flat=True),
    _Planned("test object by name", changes=_TEST_OBJECT | {"PatientID": "QC PHANTOM"},
             rule=ExclusionRule.QUALITY_CONTROL, kind=ImageKind.QUALITY_CONTROL, flat=True),
    _Planned("flat field", changes={**_TEST_OBJECT, "SeriesDescription": "Flat Field 28 kV"},
             rule=ExclusionRule.FLAT_FIELD, kind=ImageKind.QUALITY_CONTROL, flat=True),
    _Planned("implant displaced", changes={
        "ViewCodeSequence": _view("399209000", "Implant Displaced"),
        "BreastImplantPresent": "YES"}),
    _Planned("partial view", changes={"PartialView": "YES"}),
    _Planned("synthetic", changes=_type("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"),
             kind=ImageKind.SYNTHETIC_2D),
    _Planned("tomosynthesis", changes={
        "SOPClassUID": _TOMOSYNTHESIS, **_type("DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE")},
        kind=ImageKind.TOMOSYNTHESIS),
    _Planned("tomosynthesis as CT", changes={
        "SOPClassUID": _CT, "Modality": "CT", "SeriesDescription": "L CC Tomosynthesis Slices"},
        kind=ImageKind.TOMOSYNTHESIS),
    _Planned("contrast", changes={
        **_type("DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION"),
        "ContrastBolusAgent": "iohexol"}, kind=ImageKind.CONTRAST),
)  # fmt: skip


def others_truth_path(out: Path) -> Path:
    """Where the truth of the added files lies: beside the archive."""
    return out.with_name(f"{out.name}.others.truth.csv")


def add_other_objects(out: Path, seed: int) -> tuple[OtherObject, ...]:
    """Add files to a phantom archive, and write their truth beside it.

    The same seed gives the same bytes. The files are small and uncompressed.

    Args:
        out: folder of the archive.
        seed: of the archive.

    Raises:
        StorageError: the disk refused a file.
    """
    twins = _without_cancer(seed, _FIRST_WOMAN)
    others = _without_cancer(seed, _FIRST_WOMAN + 1)
    made = [
        *_write_all(out, seed, twins, tuple(_plan_twins(seed, twins.number))),
        *_write_all(out, seed, others, _OTHERS),
    ]
    rows = [(o.path, o.name, o.excluded_by or "", o.image_kind or "") for o in made]
    storage.write_text(str(others_truth_path(out)), csv_text(_TRUTH_COLUMNS, rows))
    return tuple(made)


def _without_cancer(seed: int, number: int) -> Woman:
    return replace(plan_woman(seed, number, cancer_share=0.0), vendor=VENDORS[0])


def _plan_twins(seed: int, woman: int) -> Iterator[_Planned]:
    """Four views for presentation, their twins by four kinds of evidence, and one without any."""
    views = [(side, view) for view in ("CC", "MLO") for side in ("R", "L")]
    event = phantom_uid(seed, woman, "event")
    shown: list[_Header] = [
        {"SourceImageSequence": [_reference(seed, woman, 4)]},
        {"IrradiationEventUID": event},
        _moment(2),
        {},
    ]
    raw: list[_Header] = [{}, {"IrradiationEventUID": event}, _moment(2), _moment(3)]
    for (side, view), changes in zip(views, shown, strict=True):
        yield _Planned(f"{side} {view}", side, view, changes)
    processing = {"SOPClassUID": _FOR_PROCESSING, "PresentationIntentType": "FOR PROCESSING"}
    for (side, view), changes in zip(views, raw, strict=True):
        twin = ExclusionRule.PROCESSING_TWIN
        yield _Planned(f"{side} {view} for processing", side, view, changes | processing, twin)
    yield _Planned("R ML for processing alone", "R", "ML", _moment(4) | processing)


def _moment(exposure: int) -> _Header:
    minutes, seconds = divmod(exposure * _SECONDS, 60)
    return {"AcquisitionTime": f"09{minutes:02d}{seconds:02d}"}


def _reference(seed: int, woman: int, number: int) -> _Header:
    return {
        "ReferencedSOPClassUID": _FOR_PROCESSING,
        "ReferencedSOPInstanceUID": phantom_uid(seed, woman, "image", number),
    }


def _write_all(
    out: Path, seed: int, woman: Woman, planned: tuple[_Planned, ...]
) -> Iterator[OtherObject]:
    study = phantom_uid(seed, woman.number, "study")
    drawn: dict[tuple[str, str], npt.NDArray[np.generic]] = {}
    for number, plan in enumerate(planned):
        place = (str(plan.laterality), str(plan.view))
        image = PlannedImage(number, *place)
        if place not in drawn:
            drawn[place] = _stored(seed, woman, image)
        stored = np.full_like(drawn[place], 1500) if plan.flat else drawn[place]
        header = image_header(seed, woman, image) | (plan.changes or {})
        content = encode_file(
            {name: value for name, value in header.items() if value is not None},
            stored,
            EXPLICIT_LITTLE_ENDIAN,
        )
        uid = phantom_uid(seed, woman.number, "image", number)
        path = f"{patient_id(woman)}/{study[-12:]}/{uid[-12:]}.dcm"
        storage.write_bytes(str(out / path), content)
        yield OtherObject(path, plan.name, plan.rule, plan.kind)


def _stored(seed: int, woman: Woman, image: PlannedImage) -> npt.NDArray[np.generic]:
    """Stored pixels of a small picture of the view."""
    drawing = draw_image(seed, woman, image)
    size = _SHAPE[::-1]
    display = cv2.resize(drawing.display, size, interpolation=cv2.INTER_AREA)
    breast = cv2.resize(drawing.breast.astype(np.uint8), size) > 0
    return store_pixels(display, breast, woman.vendor)
