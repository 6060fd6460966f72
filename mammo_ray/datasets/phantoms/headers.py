"""Headers of phantom images: what a site's machine would write, in the habits of its vendor."""

import hashlib
from datetime import date, timedelta

from mammo_ray.datasets.phantoms.vendors import Vendor, grayscale_attributes
from mammo_ray.datasets.phantoms.women import PlannedImage, Woman

_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
_FIRST_DAY = date(2018, 1, 8)
_DETECTOR_ROWS_MM = 240.0
SPOT_MAGNIFICATION = 1.8

# PS3.16 CID 4014 and CID 4015 (SNOMED CT). An axillary tail view has no view code of its own.
_VIEW_CODES = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medio-lateral"),
    "LM": ("399352003", "latero-medial"),
    "XCCL": ("399192008", "cranio-caudal exaggerated laterally"),
}
_SPOT_MODIFIERS = (("399055006", "Spot Compression"), ("399163009", "Magnification"))
_DOWNWARD = {"CC": {"L": "R", "R": "L"}, "XCCL": {"L": "R", "R": "L"}}
_OBLIQUELY_DOWN = {"MLO": {"L": "FR", "R": "FL"}, "AT": {"L": "FR", "R": "FL"}}


def phantom_uid(seed: int, woman: int, *parts: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) from a hash of what it names."""
    text = "/".join(map(str, ("mammo-ray phantom", seed, woman, *parts)))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def patient_id(woman: Woman) -> str:
    """Patient ID, also the name of her folder."""
    return f"PHANTOM{woman.number + 1:04d}"


def image_header(seed: int, woman: Woman, image: PlannedImage) -> dict[str, object]:
    """Keyword -> value; a list of dictionaries is a sequence."""
    vendor = woman.vendor
    header = {
        **_study(seed, woman),
        **_equipment(vendor),
        **_acquisition(woman, image),
        **grayscale_attributes(vendor),
        "SOPClassUID": _FOR_PRESENTATION,
        "SOPInstanceUID": phantom_uid(seed, woman.number, "image", image.number),
        "InstanceNumber": image.number + 1,
    }
    # Without its view code an odd view of such a vendor would say nothing at all.
    omitted = vendor.omitted - ({"ViewPosition"} if image.view not in _VIEW_CODES else set())
    renamed = dict(vendor.renamed)
    return {renamed.get(k, k): v for k, v in header.items() if k not in omitted}


def _study(seed: int, woman: Woman) -> dict[str, object]:
    day = (_FIRST_DAY + timedelta(days=woman.study_day)).strftime("%Y%m%d")
    number = woman.number + 1
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": day,
        "ContentDate": day,
        "AcquisitionDate": day,
        "StudyTime": "090000",
        "ContentTime": "090100",
        "AccessionNumber": f"PA{number:05d}",
        "Modality": "MG",
        "ReferringPhysicianName": "",
        "StudyDescription": "PHANTOM SCREENING",
        "PatientName": f"Phantom^{number:04d}",
        "PatientID": patient_id(woman),
        "PatientBirthDate": "",
        "PatientSex": "F",
        "PatientAge": f"{woman.age:03d}Y",
        "StudyInstanceUID": phantom_uid(seed, woman.number, "study"),
        "SeriesInstanceUID": phantom_uid(seed, woman.number, "series"),
        "StudyID": str(number),
        "SeriesNumber": 1,
    }


def _equipment(vendor: Vendor) -> dict[str, object]:
    spacing = round(_DETECTOR_ROWS_MM / vendor.shape[0], 4)
    return {
        "ImageType": ["DERIVED", "PRIMARY"] if vendor.film else ["ORIGINAL", "PRIMARY"],
        "PresentationIntentType": "FOR PRESENTATION",
        "Manufacturer": vendor.name,
        "InstitutionName": "Phantom Site",
        "ManufacturerModelName": vendor.model,
        "DeviceSerialNumber": f"PH-{vendor.name[-1]}1",
        "SoftwareVersions": "1.0",
        "ImagerPixelSpacing": [spacing, spacing],
        "DetectorType": "FILM" if vendor.film else "DIRECT",
        "PositionerType": "NONE" if vendor.film else "MAMMOGRAPHIC",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
    }


def _acquisition(woman: Woman, image: PlannedImage) -> dict[str, object]:
    header: dict[str, object] = {
        "BodyPartExamined": "BREAST",
        "OrganExposed": "BREAST",
        "AnatomicRegionSequence": [_code("76752008", "Breast")],
        "AcquisitionContextSequence": [],
        "BreastImplantPresent": "YES" if woman.breasts[image.laterality].implant else "NO",
        "PatientOrientation": _orientation(image, mirrored=woman.vendor.mirrored),
        "ImageLaterality": image.laterality,
        "ViewPosition": image.view,
        "EstimatedRadiographicMagnificationFactor": SPOT_MAGNIFICATION if image.spot else 1.0,
    }
    if image.view in _VIEW_CODES:
        modifiers = [_code(*pair) for pair in _SPOT_MODIFIERS] if image.spot else []
        view = {**_code(*_VIEW_CODES[image.view]), "ViewModifierCodeSequence": modifiers}
        header["ViewCodeSequence"] = [view]
    return header


def _orientation(image: PlannedImage, *, mirrored: bool) -> list[str]:
    """Patient Orientation (PS3.3 C.7.6.1.1.1): towards the right edge, towards the bottom."""
    chest_wall_left = (image.laterality == "L") != mirrored
    down = (_DOWNWARD | _OBLIQUELY_DOWN).get(image.view, {"L": "F", "R": "F"})
    return ["A" if chest_wall_left else "P", down[image.laterality]]


def _code(value: str, meaning: str) -> dict[str, object]:
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}
