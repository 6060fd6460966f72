"""A phantom of the layout `inbreast`.

Quirks of the real set: a table separated by `;` whose patients and ages are `removed`; MLO in the
table and ML in file names; a density left blank with spaces; no XML for images without a lesion;
names of lesions with slips of the pen; calcifications drawn by one or two points; `.roi` files
beside the XML, and a README that is no image.
"""

import hashlib
import plistlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from mammo_ray.datasets.inbreast import COLUMNS
from mammo_ray.datasets.phantoms.exams import (
    DrawnExam,
    ExamImage,
    draw_exam,
    exam_header,
    four_view_images,
    in_processes,
    stable_numbers,
)
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    csv_text,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.images import Circle, Lesion
from mammo_ray.datasets.phantoms.vendors import EXPLICIT_LITTLE_ENDIAN, Vendor, store_pixels
from mammo_ray.dicom.encode import encode_file

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "lesion", "center_row",
    "center_column", "radius",
)  # fmt: skip

_STREAM = 23  # of random draws, apart from those that make women
_VENDORS = (
    Vendor("Vendor K", "K Novation", (EXPLICIT_LITTLE_ENDIAN,), (510, 416), bits=14),
    Vendor("Vendor K", "K Novation", (EXPLICIT_LITTLE_ENDIAN,), (416, 320), bits=14),
)
_REMOVED = frozenset({
    "InstitutionName", "StudyDate", "AcquisitionDate", "ContentDate", "StudyTime", "ContentTime",
    "AccessionNumber", "PatientName", "PatientAge", "StudyDescription", "StudyID", "ViewPosition",
    "ViewCodeSequence", "BreastImplantPresent",
})  # fmt: skip
_NUMBERS = (20_586_908, 33_000_011)  # least file name, how many
_NO_DENSITY_EVERY = 13  # images
_CORNERS = 24  # of an outline
_POINTS = 5  # calcifications marked by one click
_NAMES = {"SPIC": ("Spiculated Region", "Espiculated Region"), "CIRC": ("Mass",)}
_README = "Images drawn by a program; they show no woman.\n"


@dataclass(frozen=True)
class _Job:
    """One image and where it goes."""

    folder: Path
    image: ExamImage
    seed: int

    @property
    def number(self) -> str:
        """`File Name`."""
        return str(stable_numbers(np.array([self.image.index]), self.seed, *_NUMBERS)[0])

    @property
    def patient(self) -> str:
        """The pseudonym in file names."""
        text = f"phantom/{self.seed}/{self.image.woman.number}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def path(self) -> str:
        """Where the file lies below the root."""
        side, view = self.image.plan.laterality, self.image.plan.view.replace("MLO", "ML")
        return f"AllDICOMs/{self.number}_{self.patient}_MG_{side}_{view}_ANON.dcm"


def write_inbreast_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of `INbreast.csv`, `request.rows` DICOM files and the XML of those with lesions.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    images = list(islice(four_view_images(request, _VENDORS), request.rows))
    with new_folder(out) as folder:
        for name in ("AllDICOMs", "AllXML", "AllROI"):
            (folder / name).mkdir()
        jobs = [_Job(folder, image, request.seed) for image in images]
        findings = list(in_processes(_write_image, jobs, request.processes))
        table = csv_text(COLUMNS, map(_table_row, jobs), separator=";")
        (folder / "INbreast.csv").write_text(table, encoding="ascii")
        (folder / "README.txt").write_text(_README, encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, _truth_rows(jobs, findings))
    return PhantomCounts(len(images), len({image.woman.number for image in images}))


def _write_image(job: _Job) -> tuple[tuple[Lesion, Circle], ...]:
    """One DICOM file, and the files that draw its lesions; the findings in it."""
    drawn = draw_exam(job.image, (job.seed, _STREAM))
    vendor = job.image.woman.vendor
    stored = store_pixels(drawn.drawing.display, drawn.drawing.breast, vendor)
    header = exam_header(job.image, job.seed, _REMOVED) | {"PatientID": "removed"}
    content = encode_file(header, stored, vendor.transfer_syntaxes[0])
    (job.folder / job.path).write_bytes(content)
    if drawn.findings:
        tree = _regions(job, drawn)
        xml, binary = plistlib.dumps(tree), plistlib.dumps(tree, fmt=plistlib.FMT_BINARY)
        (job.folder / "AllXML" / f"{job.number}.xml").write_bytes(xml)
        (job.folder / "AllROI" / f"{job.number}.roi").write_bytes(binary)
    return drawn.findings


def _regions(job: _Job, drawn: DrawnExam) -> dict[str, object]:
    """The property list of an image's lesions."""
    rng = np.random.default_rng([job.seed, _STREAM, job.image.index, 1])
    regions: list[dict[str, object]] = []
    for lesion, circle in drawn.findings:
        if lesion.abnormality == "CALC":
            regions.append(_region("Cluster", _around(circle)))
            points = [_inside(circle, rng) for _ in range(_POINTS)]
            regions.extend(_region("Calcification", [point]) for point in points)
            x, y = _inside(circle, rng)
            regions.append(_region("Calcifications", [(x, y), (x + 3, y + 4)]))
        else:
            names = _NAMES[lesion.abnormality]
            regions.append(_region(names[job.image.index % len(names)], _around(circle)))
    numbered = [{**region, "IndexInImage": k} for k, region in enumerate(regions)]
    return {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(numbered), "ROIs": numbered}]}


def _region(name: str, points: Sequence[tuple[float, float]]) -> dict[str, object]:
    return {
        "Name": name,
        "NumberOfPoints": len(points),
        "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in points],
        "Point_mm": [f"({0.07 * x:.6f}, {0.07 * y:.6f}, 0.000000)" for x, y in points],
        "Type": 19 if len(points) == 1 else 11,
    }


def _around(circle: Circle) -> list[tuple[float, float]]:
    """Corners (x, y) on a lesion's circle."""
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    return [
        (circle.column + circle.radius * np.cos(a), circle.row + circle.radius * np.sin(a))
        for a in angles
    ]


def _inside(circle: Circle, rng: np.random.Generator) -> tuple[float, float]:
    """A point (x, y) well inside a lesion's circle."""
    away, angle = 0.6 * circle.radius * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return circle.column + away * np.cos(angle), circle.row + away * np.sin(angle)


def _table_row(job: _Job) -> tuple[object, ...]:
    """A row of `INbreast.csv`."""
    woman, plan = job.image.woman, job.image.plan
    density = woman.breasts[plan.laterality].density + 1
    blank = job.image.index % _NO_DENSITY_EVERY == _NO_DENSITY_EVERY - 1
    return (
        "removed", "removed", plan.laterality, plan.view, f"2010{1 + woman.study_day % 12:02d}",
        job.number, " " * 5 if blank else density, _assessment(job),
    )  # fmt: skip


def _assessment(job: _Job) -> str:
    """BI-RADS of a breast by its first lesion."""
    lesion, number = job.image.lesion, job.image.woman.number
    if lesion is None:
        return "1"
    words = ("4b", "4c", "5", "6") if lesion.severity == "M" else ("2", "3", "4a")
    return words[number % len(words)]


def _truth_rows(
    jobs: list[_Job], findings: list[tuple[tuple[Lesion, Circle], ...]]
) -> Iterator[tuple[object, ...]]:
    """A row a finding; one row for an image without any."""
    for job, found in zip(jobs, findings, strict=True):
        plan = job.image.plan
        whose = (job.path, job.patient, plan.laterality, plan.view, job.image.cancer, "full")
        for lesion, circle in found:
            yield (*whose, lesion.abnormality, circle.row, circle.column, circle.radius)
        if not found:
            yield (*whose, "", "", "", "")
