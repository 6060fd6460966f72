"""A phantom of the layout `vindr`.

Quirks of the real set: hashed ids for studies, series and images; `BI-RADS 4`, `DENSITY C`; lists
of categories written as Python does, some with two items; boxes with decimals; a row `No Finding`
for every image without a box, benign lesions among them; MONOCHROME1 beside MONOCHROME2; ages that
are not known.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mammo_ray.datasets.phantoms.exams import (
    ExamImage,
    draw_exam,
    exam_header,
    four_view_images,
    in_processes,
)
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    csv_text,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.images import Circle, Lesion
from mammo_ray.datasets.phantoms.vendors import (
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    Vendor,
    store_pixels,
)
from mammo_ray.datasets.vindr import BREAST_COLUMNS, FINDING_COLUMNS, METADATA_IMAGE
from mammo_ray.dicom.encode import encode_file

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "split", "lesion",
    "center_row", "center_column", "radius",
)  # fmt: skip
METADATA_COLUMNS = (
    METADATA_IMAGE, "Series Instance UID", "Patient's Age", "Manufacturer",
    "Manufacturer's Model Name", "Photometric Interpretation",
)  # fmt: skip

_STREAM = 22  # of random draws, apart from those that make women
_TEST_EVERY = 5  # women
_NO_AGE_EVERY = 17  # women
_MARGIN = 1.15  # of a box around a lesion, in its radii
_VENDORS = (
    Vendor("Vendor M", "M Inspire", (JPEG_2000_LOSSLESS,), (520, 416), bits=12),
    Vendor("Vendor N", "N Nuance", (JPEG_LOSSLESS_SV1,), (512, 392), bits=13, inverted=True),
    Vendor("Vendor O", "O Pristine", (JPEG_2000_LOSSLESS,), (500, 408), bits=14,
           voi="LINEAR_EXACT"),
)  # fmt: skip
_CATEGORIES = {
    "SPIC": "['Mass', 'Architectural Distortion']",
    "CIRC": "['Mass']",
    "CALC": "['Suspicious Calcification']",
}
_REMOVED = frozenset({
    "InstitutionName", "StudyDate", "AcquisitionDate", "ContentDate", "StudyTime", "ContentTime",
    "AccessionNumber", "PatientName", "PatientAge", "StudyDescription", "StudyID",
    "BreastImplantPresent", "DeviceSerialNumber",
})  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """One image and where it goes."""

    folder: Path
    image: ExamImage
    seed: int

    @property
    def study(self) -> str:
        """`study_id`."""
        return _hashed(self.seed, self.image.woman.number, "study")

    @property
    def series(self) -> str:
        """`series_id`."""
        return _hashed(self.seed, self.image.woman.number, "series")

    @property
    def name(self) -> str:
        """`image_id`."""
        return _hashed(self.seed, self.image.woman.number, "image", self.image.plan.number)

    @property
    def path(self) -> str:
        """Where the file lies below the root."""
        return f"images/{self.study}/{self.name}.dicom"

    @property
    def split(self) -> str:
        """`split`, alike for all images of a woman."""
        number = self.image.woman.number
        return "test" if number % _TEST_EVERY == _TEST_EVERY - 1 else "training"


def write_vindr_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of the three tables and `request.rows` DICOM files.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    images = list(islice(four_view_images(request, _VENDORS), request.rows))
    with new_folder(out) as folder:
        jobs = [_Job(folder, image, request.seed) for image in images]
        findings = list(in_processes(_write_image, jobs, request.processes))
        for name, columns, rows in (
            ("breast-level_annotations.csv", BREAST_COLUMNS, map(_breast_row, jobs)),
            ("finding_annotations.csv", FINDING_COLUMNS, _finding_rows(jobs, findings)),
            ("metadata.csv", METADATA_COLUMNS, map(_metadata_row, jobs)),
        ):
            (folder / name).write_text(csv_text(columns, rows), encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, _truth_rows(jobs, findings))
    return PhantomCounts(len(images), len({image.woman.number for image in images}))


def _write_image(job: _Job) -> tuple[tuple[Lesion, Circle], ...]:
    """One DICOM file; the findings drawn in it."""
    drawn = draw_exam(job.image, (job.seed, _STREAM))
    vendor = job.image.woman.vendor
    stored = store_pixels(drawn.drawing.display, drawn.drawing.breast, vendor)
    header = exam_header(job.image, job.seed, _REMOVED) | {"PatientID": job.study}
    path = job.folder / job.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_file(header, stored, vendor.transfer_syntaxes[0]))
    return drawn.findings


def _assessment(job: _Job, lesion: Lesion | None) -> int:
    """BI-RADS of a finding, or of a breast by its first one."""
    if lesion is None:
        return 1
    if lesion.severity == "M":
        return 4 if lesion.abnormality == "CALC" else 5
    return 2 + job.image.woman.number % 2


def _breast_row(job: _Job) -> tuple[object, ...]:
    """A row of `breast-level_annotations.csv`."""
    plan, woman = job.image.plan, job.image.woman
    rows, columns = woman.vendor.shape
    return (
        job.study, job.series, job.name, plan.laterality, plan.view, rows, columns,
        f"BI-RADS {_assessment(job, job.image.lesion)}",
        f"DENSITY {'ABCD'[woman.breasts[plan.laterality].density]}", job.split,
    )  # fmt: skip


def _finding_rows(
    jobs: list[_Job], findings: list[tuple[tuple[Lesion, Circle], ...]]
) -> Iterator[tuple[object, ...]]:
    """Rows of `finding_annotations.csv`: only findings that are not benign have a box."""
    for job, found in zip(jobs, findings, strict=True):
        study, series, name, *described, split = _breast_row(job)
        whose = (name, study, series, *described)
        boxed = [(lesion, circle) for lesion, circle in found if _assessment(job, lesion) > 2]
        for lesion, circle in boxed:
            assessment = f"BI-RADS {_assessment(job, lesion)}"
            box = (f"{corner:.4f}" for corner in _box(circle))
            yield (*whose, _CATEGORIES[lesion.abnormality], assessment, *box, split)
        if not boxed:
            yield (*whose, "['No Finding']", "", "", "", "", "", split)


def _box(circle: Circle) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax around a lesion."""
    reach = _MARGIN * circle.radius
    column, row = circle.column, circle.row
    return (
        max(column - reach, 0.0), max(row - reach, 0.0), column + reach, row + reach,
    )  # fmt: skip


def _metadata_row(job: _Job) -> tuple[object, ...]:
    woman = job.image.woman
    age = "" if woman.number % _NO_AGE_EVERY == 3 else f"{woman.age:03d}Y"
    shown = "MONOCHROME1" if woman.vendor.inverted else "MONOCHROME2"
    return job.name, job.series, age, woman.vendor.name, woman.vendor.model, shown


def _truth_rows(
    jobs: list[_Job], findings: list[tuple[tuple[Lesion, Circle], ...]]
) -> Iterator[tuple[object, ...]]:
    """A row a finding with a box; one row for an image without any."""
    for job, found in zip(jobs, findings, strict=True):
        plan = job.image.plan
        whose = (
            job.path,
            job.study,
            plan.laterality,
            plan.view,
            job.image.cancer,
            "full",
            job.split,
        )
        boxed = [(lesion, circle) for lesion, circle in found if _assessment(job, lesion) > 2]
        for lesion, circle in boxed:
            yield (*whose, lesion.abnormality, circle.row, circle.column, circle.radius)
        if not boxed:
            yield (*whose, "", "", "", "")


def _hashed(seed: int, woman: int, *parts: object) -> str:
    """32 hex digits for what they name."""
    text = "/".join(map(str, ("phantom", seed, woman, *parts)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
