"""The JPEG edition: files by series, crop and mask by texts that agree or by pixels."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from mammo_ray.datasets.cbis_ddsm_kaggle import CbisDdsmKaggleReader
from mammo_ray.datasets.phantoms.cbis_ddsm_kaggle import write_cbis_ddsm_kaggle_phantom
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.source import Look
from mammo_ray.errors import InputError
from tests.datasets.cbis.small import (
    CROP_SIZE,
    FILM_SIZE,
    Row,
    crop_pixels,
    film_pixels,
    mask_pixels,
    write_case_tables,
    write_info,
    write_jpeg,
)
from tests.datasets.reading import by_path, column, read, source_of

Info = tuple[str, str, str, int, tuple[int, int]]

ROW = Row()
FULL = f"{ROW.film_series}/1-009.jpg"
FIRST, SECOND = f"{ROW.crop_series}/1-263.jpg", f"{ROW.crop_series}/2-241.jpg"
FILM_INFO = (FULL, ROW.film_case, "full mammogram images", 16, FILM_SIZE)


def _mask_info(path: str, text: str = "ROI mask images", bits: int = 8) -> Info:
    return (path, ROW.case, text, bits, FILM_SIZE)


def _crop_info(path: str, text: str = "cropped images", bits: int = 16) -> Info:
    return (path, ROW.case, text, bits, CROP_SIZE)


def _write(root: Path, *, mask_first: bool = True) -> None:
    """One film, its mask and its crop; the mask is the first file of their series."""
    write_case_tables(root / "csv", ROW)
    pictures = [mask_pixels(), crop_pixels()]
    write_jpeg(root / "jpeg" / FULL, film_pixels())
    for name, pixels in zip(
        (FIRST, SECOND), pictures if mask_first else pictures[::-1], strict=True
    ):
        write_jpeg(root / "jpeg" / name, pixels)


def _looks(root: Path) -> dict[str, Look]:
    requests = CbisDdsmKaggleReader(source_of(root)).requests()
    return {request.file.relative_path.removeprefix("jpeg/"): request.look for request in requests}


def _told(root: Path, *, tables_only: bool = False) -> tuple[object, object]:
    """Mask and crop of the film, below jpeg."""
    manifest = read(CbisDdsmKaggleReader, root, tables_only=tables_only)
    film = by_path(manifest.rows, root)[f"jpeg/{FULL}"]
    below = f"{root}/jpeg/"
    return tuple(
        uris[0] and str(uris[0]).removeprefix(below)
        for uris in (film["mask_uris"], film["roi_uris"])
    )


def test_texts_that_all_agree_decide_without_pixels(tmp_path: Path) -> None:
    _write(tmp_path)
    write_info(tmp_path, FILM_INFO, _mask_info(FIRST), _crop_info(SECOND))
    assert set(_looks(tmp_path).values()) == {Look.HEADER}
    assert _told(tmp_path) == (FIRST, SECOND)
    assert _told(tmp_path, tables_only=True) == (FIRST, SECOND)


@pytest.mark.parametrize(
    "infos",
    [
        (),
        (_mask_info(FIRST), _crop_info(SECOND)),
        (FILM_INFO, _mask_info(FIRST, text=""), _crop_info(SECOND)),
        (FILM_INFO, _mask_info(FIRST, "cropped images"), _crop_info(SECOND, "ROI mask images")),
        (FILM_INFO, _mask_info(FIRST, bits=16), _crop_info(SECOND, bits=8)),
        (FILM_INFO, _mask_info(FIRST), _mask_info(SECOND)),
        (FILM_INFO, _mask_info(FIRST)),
        (FILM_INFO, _mask_info(FIRST), _crop_info(FIRST), _crop_info(SECOND)),
    ],
    ids=["none", "no film", "silent", "wrong text", "wrong bits", "alike", "one", "twice"],
)
@pytest.mark.parametrize("mask_first", [True, False])
def test_pixels_decide_where_texts_are_absent_or_contradict(
    tmp_path: Path, infos: tuple[Info, ...], mask_first: bool
) -> None:
    _write(tmp_path, mask_first=mask_first)
    if infos:
        write_info(tmp_path, *infos)
    looks = _looks(tmp_path)
    assert (looks[FIRST], looks[SECOND]) == (Look.PIXELS, Look.PIXELS)
    assert _told(tmp_path) == ((FIRST, SECOND) if mask_first else (SECOND, FIRST))


def test_records_of_the_wrong_file_are_seen_by_the_size_of_the_files(tmp_path: Path) -> None:
    _write(tmp_path, mask_first=False)
    write_info(tmp_path, FILM_INFO, _mask_info(FIRST), _crop_info(SECOND))
    assert set(_looks(tmp_path).values()) == {Look.HEADER}
    assert _told(tmp_path) == (SECOND, FIRST)


def test_sizes_that_fit_no_record_are_ambiguous(tmp_path: Path) -> None:
    _write(tmp_path)
    write_jpeg(tmp_path / "jpeg" / FIRST, crop_pixels())
    write_info(tmp_path, FILM_INFO, _mask_info(FIRST), _crop_info(SECOND))
    manifest = read(CbisDdsmKaggleReader, tmp_path)
    rejected = by_path(manifest.rejections, tmp_path)
    assert set(rejected) == {f"jpeg/{FIRST}", f"jpeg/{SECOND}"}
    assert {row["reason"] for row in rejected.values()} == {"ambiguous-file"}


def test_without_pixels_undecided_pairs_are_rejected_by_name(tmp_path: Path) -> None:
    _write(tmp_path)
    manifest = read(CbisDdsmKaggleReader, tmp_path, tables_only=True)
    rejected = by_path(manifest.rejections, tmp_path)
    assert set(rejected) == {f"jpeg/{FIRST}", f"jpeg/{SECOND}"}
    assert all("undecided without pixels" in str(row["detail"]) for row in rejected.values())
    assert _told(tmp_path, tables_only=True) == (None, None)


def test_a_film_described_as_a_mask_is_looked_at(tmp_path: Path) -> None:
    _write(tmp_path)
    write_info(tmp_path, (FULL, ROW.film_case, "ROI mask images", 8, FILM_SIZE))
    assert _looks(tmp_path)[FULL] == Look.PIXELS
    assert _told(tmp_path) == (FIRST, SECOND)
    write_jpeg(tmp_path / "jpeg" / FULL, mask_pixels())
    manifest = read(CbisDdsmKaggleReader, tmp_path)
    fault = by_path(manifest.rejections, tmp_path)[f"jpeg/{FULL}"]
    assert fault["reason"] == "ambiguous-file"


def test_a_record_of_another_case_makes_its_file_ambiguous(tmp_path: Path) -> None:
    _write(tmp_path)
    other = (FULL, Row(patient="P_00009").film_case, "full mammogram images", 16, FILM_SIZE)
    write_info(tmp_path, other)
    manifest = read(CbisDdsmKaggleReader, tmp_path)
    fault = by_path(manifest.rejections, tmp_path)[f"jpeg/{FULL}"]
    assert (fault["reason"], fault["patient_id"]) == ("ambiguous-file", "P_00001")


def test_a_third_file_in_a_series_makes_all_ambiguous(tmp_path: Path) -> None:
    _write(tmp_path)
    write_jpeg(tmp_path / "jpeg" / ROW.crop_series / "3-001.jpg", crop_pixels())
    manifest = read(CbisDdsmKaggleReader, tmp_path)
    assert column(manifest.rejections, "reason") == ["ambiguous-file"] * 3


def test_a_series_that_no_table_names_is_not_opened(tmp_path: Path) -> None:
    _write(tmp_path)
    write_jpeg(tmp_path / "jpeg/1.2.999/1-001.jpg", film_pixels())
    assert "1.2.999/1-001.jpg" not in _looks(tmp_path)
    manifest = read(CbisDdsmKaggleReader, tmp_path)
    assert column(manifest.rejections, "reason") == ["not-in-table"]


def test_another_folder_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    write_case_tables(tmp_path / "csv", ROW)
    write_jpeg(tmp_path / "train/1.jpg", film_pixels())
    with pytest.raises(InputError, match=r"jpeg/<series uid>/<file>\.jpg.*seen: csv, train"):
        CbisDdsmKaggleReader(source_of(tmp_path))


def test_a_dicom_info_path_out_of_the_root_is_refused(tmp_path: Path) -> None:
    _write(tmp_path)
    write_info(tmp_path, ("../../x.jpg", "", "", 8, FILM_SIZE))
    (tmp_path / "csv/dicom_info.csv").write_text(
        "image_path,PatientID,SeriesDescription,BitsAllocated,Rows,Columns\n../x.jpg,,,8,1,1\n"
    )
    with pytest.raises(InputError, match="not a relative path inside"):
        CbisDdsmKaggleReader(source_of(tmp_path))


def test_a_phantom_with_swapped_pairs_is_resolved_as_its_truth_says(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_cbis_ddsm_kaggle_phantom(root, PhantomRequest(rows=40, swapped=12, processes=1))
    manifest = read(CbisDdsmKaggleReader, root)
    rows = by_path(manifest.rows, root)
    masks = {name for name, row in by_path(manifest.exclusions, root).items()
             if row["rule"] == "mask-of-an-image"}  # fmt: skip
    truth: defaultdict[str, dict[str, str]] = defaultdict(dict)
    with truth_path(root).open() as file:
        for line in csv.DictReader(file):
            truth[line["row"]][line["role"]] = line["path"]
    assert len(truth) == 40
    for files in truth.values():
        film, crop = rows[files["full"]], rows[files["crop"]]
        place = film["roi_uris"].index(f"{root}/{files['crop']}")
        assert film["mask_uris"][place] == f"{root}/{files['mask']}"
        assert crop["parent_image_id"] == film["image_id"]
        assert film["abnormalities"][place] == crop["abnormalities"][0]
        assert files["mask"] in masks
