"""A phantom of the layout `rsna`, and its table alone in any size.

Quirks of the real set: headers without Modality, view, manufacturer or date; five machines at two
sites, one of which gives neither BI-RADS nor density; JPEG lossless, and JPEG 2000 in JP2 boxes;
16-bit MONOCHROME1 with SIGMOID and four windows and a bright line beside the breast; views AT, ML,
LM and LMO; several images of one view; one image of zeros; ages that are not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from mammo_ray.datasets.phantoms.exams import (
    ExamImage,
    draw_exam,
    exam_header,
    in_processes,
    of_vendor,
    stable_numbers,
)
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    csv_text,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.images import Drawing
from mammo_ray.datasets.phantoms.vendors import (
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    Vendor,
    store_pixels,
)
from mammo_ray.datasets.phantoms.women import (
    STANDARD_VIEWS,
    PlannedImage,
    Woman,
    plan_woman,
)
from mammo_ray.datasets.rsna import TRAIN_COLUMNS
from mammo_ray.dicom.encode import encode_file

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "site", "blank", "line",
    "boxed",
)  # fmt: skip

_STREAM = 21  # of random draws, apart from those that make women
_NO_AGE_EVERY = 29  # women
_AGAIN_EVERY = 6  # women with a second image of one view
_FEWEST_FOR_BLANK = 4  # images
_ODD_VIEW_EVERY = 7  # women
_ODD_VIEWS = ("AT", "LMO", "ML", "LM")
_REMOVED = frozenset({
    "Modality", "ViewPosition", "ViewCodeSequence", "Manufacturer", "ManufacturerModelName",
    "DeviceSerialNumber", "SoftwareVersions", "InstitutionName", "StudyDate", "AcquisitionDate",
    "ContentDate", "StudyTime", "ContentTime", "AccessionNumber", "PatientName", "PatientAge",
    "StudyDescription", "BreastImplantPresent", "StudyID",
})  # fmt: skip
_PATIENTS, _IMAGES = (10_007, 999_983), (1_000_003, 2_147_483_647)  # least number, how many


@dataclass(frozen=True)
class _Machine:
    """A machine and what its site tells.

    Attributes:
        site: 1 or 2.
        number: `machine_id`.
        vendor: how it stores images.
        boxed: JPEG 2000 in JP2 boxes.
        line: a bright line beside the breast.
    """

    site: int
    number: int
    vendor: Vendor
    boxed: bool = False
    line: bool = False


_MACHINES = (
    _Machine(1, 49, Vendor("P", "P", (JPEG_LOSSLESS_SV1,), (512, 416), bits=12, windows=2)),
    _Machine(2, 29, Vendor("Q", "Q", (JPEG_2000_LOSSLESS,), (512, 400), bits=12), boxed=True),
    _Machine(2, 21, Vendor("R", "R", (JPEG_2000_LOSSLESS,), (536, 492), bits=16, inverted=True,
                           voi="SIGMOID", windows=4), boxed=True, line=True),
    _Machine(1, 93, Vendor("S", "S", (JPEG_LOSSLESS_SV1,), (500, 400), bits=14,
                           voi="LINEAR_EXACT")),
    _Machine(1, 170, Vendor("T", "T", (JPEG_LOSSLESS_SV1,), (512, 424), bits=13, inverted=True)),
)  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """One image and where it goes."""

    folder: Path
    image: ExamImage
    seed: int
    blank: bool


def write_rsna_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of `train.csv` and `request.rows` DICOM files.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    images = list(islice(_plan_images(request), request.rows))
    blank = request.rows // 2 if request.rows >= _FEWEST_FOR_BLANK else None
    with new_folder(out) as folder:
        jobs = [_Job(folder, image, request.seed, image.index == blank) for image in images]
        for _ in in_processes(_write_image, jobs, request.processes):
            pass
        table = csv_text(TRAIN_COLUMNS, (_table_row(image, request.seed) for image in images))
        (folder / "train.csv").write_text(table, encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, (_truth_row(job) for job in jobs))
    return PhantomCounts(len(images), len({image.woman.number for image in images}))


def write_rsna_table(out: Path, rows: int, seed: int = 0) -> None:
    """A folder with nothing but a `train.csv` of so many rows, four a woman, 2 % of them positive.

    Args:
        out: a folder that is empty or not there.
        rows: how many, at least 1.
        seed: of every random draw; the same arguments give the same bytes.

    Raises:
        InputError: the folder holds something, or a number is out of range.
        StorageError: the disk refused the file.
    """
    PhantomRequest(rows, seed)  # checks the numbers
    rng = np.random.default_rng([seed, _STREAM])
    women = rows // 4 + 1
    woman, place = np.divmod(np.arange(rows), 4)
    site = rng.integers(1, 3, women)[woman]
    breast = 2 * woman + place // 2
    cancer = (rng.uniform(size=2 * women) < 0.02)[breast]
    biopsied = cancer | (rng.uniform(size=2 * women) < 0.03)[breast]
    invasive = cancer & (rng.uniform(size=2 * women) < 0.7)[breast]
    densities = np.array(["", "A", "B", "C", "D"])
    assessments = np.array(["0.0", "1.0", "2.0"])
    columns = {
        "site_id": site,
        "patient_id": stable_numbers(woman, seed, *_PATIENTS),
        "image_id": stable_numbers(np.arange(rows), seed, *_IMAGES),
        "laterality": np.array(["L", "R"])[place // 2],
        "view": np.array(["CC", "MLO"])[place % 2],
        "age": rng.integers(40, 90, women)[woman].astype(float).astype(str),
        "cancer": cancer.astype(int),
        "biopsy": biopsied.astype(int),
        "invasive": invasive.astype(int),
        "BIRADS": np.where(site == 2, "", assessments[np.where(biopsied, 0, 1 + woman % 2)]),
        "implant": (rng.uniform(size=women) < 0.03)[woman].astype(int),
        "density": np.where(site == 2, "", densities[rng.integers(0, 5, women)[woman]]),
        "machine_id": np.where(site == 1, 49, 29),
        "difficult_negative_case": np.where(biopsied & ~cancer, "True", "False"),
    }
    plain = pacsv.WriteOptions(quoting_style="none")
    with new_folder(out) as folder:
        pacsv.write_csv(pa.table(columns), str(folder / "train.csv"), plain)


def _plan_images(request: PhantomRequest) -> Iterator[ExamImage]:
    """Images without end, woman by woman."""
    index = count()
    for number in count():
        # As many women with a cancer on every machine, in the long run.
        machine = _MACHINES[(number + request.seed) % len(_MACHINES)]
        woman = plan_woman(request.seed, number, request.cancer_share)
        woman = of_vendor(woman, machine.vendor)
        for plan in views_of(woman):
            yield ExamImage(next(index), woman, plan)


def views_of(woman: Woman) -> list[PlannedImage]:
    """Her four views; for some women an odd one too, or one of the four twice."""
    plans = [PlannedImage(k, side, view) for k, (side, view) in enumerate(STANDARD_VIEWS)]
    group, place = divmod(woman.number, _ODD_VIEW_EVERY)
    if place == 1:
        plans.append(PlannedImage(4, "LR"[group % 2], _ODD_VIEWS[group % len(_ODD_VIEWS)]))
    if woman.number % _AGAIN_EVERY == 1:
        plans.append(replace(plans[0], number=5))
    return plans


def _machine_of(image: ExamImage) -> _Machine:
    return next(m for m in _MACHINES if m.vendor == image.woman.vendor)


def _write_image(job: _Job) -> None:
    """One DICOM file."""
    image, machine = job.image, _machine_of(job.image)
    drawing = draw_exam(image, (job.seed, _STREAM)).drawing
    if machine.line:
        drawing = _with_line(drawing)
    stored = store_pixels(drawing.display, drawing.breast, machine.vendor)
    if job.blank:
        stored = np.zeros_like(stored)
    patient, name = _ids(image, job.seed)
    header = exam_header(image, job.seed, _REMOVED)
    header |= {"PatientID": patient, "InstanceNumber": name}
    syntax = machine.vendor.transfer_syntaxes[0]
    content = encode_file(header, stored, syntax, boxed=machine.boxed)
    path = job.folder / _path(image, job.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _with_line(drawing: Drawing) -> Drawing:
    """The drawing with a bright line at the edge away from the chest wall."""
    display = drawing.display.copy()
    columns = display.shape[1]
    left = bool(drawing.breast[:, 0].sum() > drawing.breast[:, -1].sum())
    start = columns - 9 if left else 6
    display[:, start : start + 3] = 1.0
    return replace(drawing, display=display)


def _ids(image: ExamImage, seed: int) -> tuple[str, str]:
    """`patient_id` and `image_id`."""
    patient = stable_numbers(np.array([image.woman.number]), seed, *_PATIENTS)
    name = stable_numbers(np.array([image.index]), seed, *_IMAGES)
    return str(patient[0]), str(name[0])


def _path(image: ExamImage, seed: int) -> str:
    patient, name = _ids(image, seed)
    return f"train_images/{patient}/{name}.dcm"


def _table_row(image: ExamImage, seed: int) -> tuple[object, ...]:
    """A row of `train.csv`."""
    woman, plan, machine = image.woman, image.plan, _machine_of(image)
    breast = woman.breasts[plan.laterality]
    difficult = breast.lesion is not None and not image.cancer
    biopsy = int(image.cancer or (difficult and woman.number % 2 == 0))
    invasive = int(
        image.cancer and breast.lesion is not None and breast.lesion.abnormality != "CALC"
    )
    told = machine.site == 1
    assessment = 0 if image.cancer or difficult else 1 + woman.number % 2
    return (
        machine.site, *_ids(image, seed), plan.laterality, plan.view,
        "" if woman.number % _NO_AGE_EVERY == 3 else float(woman.age),
        image.cancer, biopsy, invasive, float(assessment) if told else "",
        int(any(b.implant for b in woman.breasts.values())),
        "ABCD"[breast.density] if told else "", machine.number, difficult,
    )  # fmt: skip


def _truth_row(job: _Job) -> tuple[object, ...]:
    image, machine = job.image, _machine_of(job.image)
    return (
        _path(image, job.seed), _ids(image, job.seed)[0], image.plan.laterality, image.plan.view,
        image.cancer, "full", machine.site, int(job.blank), int(machine.line), int(machine.boxed),
    )  # fmt: skip
