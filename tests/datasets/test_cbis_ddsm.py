"""The DICOM edition: nested folders, renamed files and folders, and who is crop and who mask."""

from pathlib import Path

import pytest

from mammo_ray.datasets.cbis_ddsm import CbisDdsmReader
from mammo_ray.datasets.source import Look, Source
from mammo_ray.errors import InputError
from tests.datasets.cbis.small import (
    FILM_SIZE,
    Row,
    crop_pixels,
    film_pixels,
    mask_pixels,
    write_case_tables,
    write_dicom,
    write_dicom_files,
)
from tests.datasets.reading import by_path, column, read, source_of


def test_a_film_knows_its_lesion_its_mask_and_its_crop(tmp_path: Path) -> None:
    row = Row(pathology="MALIGNANT")
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    manifest = read(CbisDdsmReader, tmp_path)
    rows = by_path(manifest.rows, tmp_path)
    film, crop = rows[row.full_path], rows[row.crop_path]
    assert film["mask_uris"] == [str(tmp_path / row.mask_path)]
    assert film["roi_uris"] == [str(tmp_path / row.crop_path)]
    assert film["abnormalities"] == [
        {
            "number": 1, "type": "mass", "pathology": "MALIGNANT", "shape": "OVAL",
            "margins": None, "calcification_type": None, "distribution": None, "assessment": 4,
            "subtlety": None,
        }
    ]  # fmt: skip
    known = {
        "patient_id": "P_00001", "laterality": "L", "view_position": "CC", "study_uid": None,
        "study_date": None, "kind": "full", "image_kind": "film", "split": "train", "cancer": 1,
        "label_level": "image", "label_source": "pathology", "pathology": "MALIGNANT",
        "birads": "4", "density": "3", "rows": FILM_SIZE[0],
    }  # fmt: skip
    assert {name: film[name] for name in known} == known
    assert crop["kind"] == "crop"
    assert crop["label_level"] == "lesion"
    assert crop["parent_image_id"] == film["image_id"]
    assert crop["film_id"] == film["film_id"]
    assert by_path(manifest.exclusions, tmp_path)[row.mask_path]["rule"] == "mask-of-an-image"
    assert manifest.rejections.num_rows == 0


def test_swapped_files_are_told_apart_by_their_pixels(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom(tmp_path / row.full_path, row.film_case, row.film_series, film_pixels())
    write_dicom(tmp_path / row.crop_path, row.case, row.crop_series, mask_pixels())
    write_dicom(tmp_path / row.mask_path, row.case, row.crop_series, crop_pixels())
    film = by_path(read(CbisDdsmReader, tmp_path).rows, tmp_path)[row.full_path]
    assert film["mask_uris"] == [str(tmp_path / row.crop_path)]
    assert film["roi_uris"] == [str(tmp_path / row.mask_path)]


@pytest.mark.parametrize("own_series", [False, True])
def test_folders_without_uids_are_resolved_by_headers(tmp_path: Path, own_series: bool) -> None:
    row = Row(own_series=own_series)
    write_case_tables(tmp_path, row)
    top = tmp_path / "CBIS-DDSM"
    lesion = top / row.case / "07-20-2016-DDSM-30038"
    full = top / row.film_case / "07-20-2016-DDSM-1" / "1.0-full mammogram images-1" / "1-1.dcm"
    write_dicom(full, row.film_case, row.film_series, film_pixels())
    write_dicom(lesion / "1.0-ROI mask images-1/1-1.dcm", row.case, row.crop_series, mask_pixels())
    write_dicom(lesion / "1.0-cropped images-2/1-2.dcm", row.case, row.mask_series, crop_pixels())
    manifest = read(CbisDdsmReader, tmp_path)
    kinds = {name: film["kind"] for name, film in by_path(manifest.rows, tmp_path).items()}
    below = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm")}
    assert sorted(kinds.values()) == ["crop", "full"]
    assert set(kinds) == {name for name in below if "mask" not in name}


def test_a_series_that_no_table_knows_is_found_by_its_patient_id(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    for name, case, pixels in (
        ("a", row.film_case, film_pixels()),
        ("b", row.case, crop_pixels()),
        ("c", row.case, mask_pixels()),
    ):
        write_dicom(tmp_path / f"flat/{name}.dcm", case, "1.2.999", pixels)
    manifest = read(CbisDdsmReader, tmp_path)
    kinds = {name: film["kind"] for name, film in by_path(manifest.rows, tmp_path).items()}
    assert kinds == {"flat/a.dcm": "full", "flat/b.dcm": "crop"}


def test_two_files_that_look_alike_are_rejected_and_the_film_stays(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    write_dicom(tmp_path / row.mask_path, row.case, row.crop_series, crop_pixels())
    manifest = read(CbisDdsmReader, tmp_path)
    rejected = by_path(manifest.rejections, tmp_path)
    assert set(rejected) == {row.crop_path, row.mask_path}
    assert {fault["reason"] for fault in rejected.values()} == {"ambiguous-file"}
    assert all("look alike" in str(fault["detail"]) for fault in rejected.values())
    film = by_path(manifest.rows, tmp_path)[row.full_path]
    assert (film["mask_uris"], film["roi_uris"]) == ([None], [None])


def test_a_file_of_another_case_is_rejected(tmp_path: Path) -> None:
    row, other = Row(), Row(patient="P_00002")
    write_case_tables(tmp_path, row, other)
    for one in (row, other):
        write_dicom_files(tmp_path, one)
    write_dicom(tmp_path / row.full_path, other.film_case, row.film_series, film_pixels())
    manifest = read(CbisDdsmReader, tmp_path)
    fault = by_path(manifest.rejections, tmp_path)[row.full_path]
    assert fault["reason"] == "ambiguous-file"
    assert fault["patient_id"] == "P_00001"
    crop = by_path(manifest.rows, tmp_path)[row.crop_path]
    assert crop["parent_image_id"] is None


def test_what_is_missing_is_named_and_what_is_there_is_used(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    # The mask lies under the name that the table gives to the crop.
    write_dicom(tmp_path / row.crop_path, row.case, row.crop_series, mask_pixels())
    manifest = read(CbisDdsmReader, tmp_path)
    missing = by_path(manifest.rejections, tmp_path)
    assert set(missing) == {row.full_path, row.mask_path}
    assert {fault["reason"] for fault in missing.values()} == {"missing-file"}
    assert str(missing[row.mask_path]["detail"]).startswith("crop")
    assert column(manifest.exclusions, "rule").count("mask-of-an-image") == 1


def test_a_broken_file_is_not_missing_and_its_pair_is_still_told(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    (tmp_path / row.mask_path).write_bytes(b"no DICOM")
    manifest = read(CbisDdsmReader, tmp_path)
    fault = by_path(manifest.rejections, tmp_path)
    assert set(fault) == {row.mask_path}
    assert fault[row.mask_path]["reason"] == "not-dicom"
    assert fault[row.mask_path]["patient_id"] == "P_00001"
    film = by_path(manifest.rows, tmp_path)[row.full_path]
    assert (film["mask_uris"], film["roi_uris"]) == ([None], [str(tmp_path / row.crop_path)])


def test_a_film_in_two_tables_is_two_rows_of_one_film(tmp_path: Path) -> None:
    rows = [Row(), Row(table="calc", split="test")]
    write_case_tables(tmp_path, *rows)
    for row in rows:
        write_dicom_files(tmp_path, row)
    films = [by_path(read(CbisDdsmReader, tmp_path).rows, tmp_path)[r.full_path] for r in rows]
    assert films[0]["film_id"] == films[1]["film_id"]
    assert [film["split"] for film in films] == ["train", "test"]


def test_cancer_that_one_table_finds_in_a_film_is_in_both_of_its_files(tmp_path: Path) -> None:
    benign = Row(table="calc", split="test", pathology="BENIGN_WITHOUT_CALLBACK")
    pair = [Row(pathology="MALIGNANT"), benign]
    alone = Row(patient="P_00002", table="calc", pathology="BENIGN_WITHOUT_CALLBACK")
    write_case_tables(tmp_path, *pair, alone)
    for row in (*pair, alone):
        write_dicom_files(tmp_path, row)
    table = by_path(read(CbisDdsmReader, tmp_path).rows, tmp_path)
    films = [table[row.full_path] for row in (*pair, alone)]
    assert [film["cancer"] for film in films] == [1, 1, 0]
    assert [film["label_source"] for film in films] == ["pathology", "pathology", "follow-up"]
    assert [[item["type"] for item in film["abnormalities"]] for film in films[:2]] == [
        ["mass"], ["calcification"],
    ]  # fmt: skip
    assert [table[row.crop_path]["cancer"] for row in pair] == [1, 0]


def test_lesions_of_a_film_are_aligned_and_the_worst_labels_it(tmp_path: Path) -> None:
    rows = [
        Row(number=2, pathology="MALIGNANT", changed={"assessment": "5"}),
        Row(number=1, pathology="BENIGN_WITHOUT_CALLBACK"),
    ]
    write_case_tables(tmp_path, *rows)
    for row in rows:
        write_dicom_files(tmp_path, row)
    table = by_path(read(CbisDdsmReader, tmp_path).rows, tmp_path)
    film = table[rows[0].full_path]
    assert [lesion["number"] for lesion in film["abnormalities"]] == [1, 2]
    assert film["mask_uris"] == [str(tmp_path / row.mask_path) for row in rows[::-1]]
    assert (film["cancer"], film["pathology"]) == (1, "MALIGNANT")
    assert (film["birads"], film["density"]) == (None, "3")
    assert [table[row.crop_path]["cancer"] for row in rows] == [1, 0]


def test_a_row_that_cannot_be_used_takes_its_film_along(tmp_path: Path) -> None:
    row = Row(pathology="MAYBE")
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    manifest = read(CbisDdsmReader, tmp_path)
    assert manifest.rows.num_rows == 0
    assert column(manifest.rejections, "reason") == ["table-row-invalid"] * 3
    assert all("MAYBE" in str(text) for text in column(manifest.rejections, "detail"))


def test_pixels_are_opened_for_lesions_alone_and_each_file_once(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    looks = {
        request.file.relative_path: request.look
        for request in CbisDdsmReader(source_of(tmp_path)).requests()
    }
    assert looks == {
        row.full_path: Look.HEADER,
        row.crop_path: Look.PIXELS,
        row.mask_path: Look.PIXELS,
    }


def test_unknown_series_and_documents_are_accounted_for(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    write_dicom(tmp_path / "x/y/z/1-1.dcm", "Somebody", "1.2.999", film_pixels())
    (tmp_path / "LICENSE").write_text("text", "utf-8")
    manifest = read(CbisDdsmReader, tmp_path)
    fault = by_path(manifest.rejections, tmp_path)["x/y/z/1-1.dcm"]
    assert (fault["reason"], fault["patient_id"]) == ("not-in-table", None)
    rules = {name: row["rule"] for name, row in by_path(manifest.exclusions, tmp_path).items()}
    assert rules["LICENSE"] == "not-in-layout"
    assert rules["mass_case_description_train_set.csv"] == "not-an-image"


def test_tables_alone_give_films_and_leave_pairs_undecided(tmp_path: Path) -> None:
    row = Row()
    write_case_tables(tmp_path, row)
    write_dicom_files(tmp_path, row)
    manifest = read(CbisDdsmReader, tmp_path, tables_only=True)
    assert set(by_path(manifest.rows, tmp_path)) == {row.full_path}
    assert column(manifest.rejections, "reason") == ["ambiguous-file"] * 2
    assert all("without pixels" in str(text) for text in column(manifest.rejections, "detail"))


def test_a_folder_without_images_is_refused_with_what_was_seen(tmp_path: Path) -> None:
    write_case_tables(tmp_path, Row())
    with pytest.raises(InputError, match=r"<series uid>.*seen: .*1 \.csv"):
        CbisDdsmReader(source_of(tmp_path))


def test_the_statement_adds_up(tmp_path: Path) -> None:
    row, gone = Row(), Row(patient="P_00002")
    write_case_tables(tmp_path, row, gone)
    write_dicom_files(tmp_path, row)
    readers: list[CbisDdsmReader] = []

    def make(source: Source) -> CbisDdsmReader:
        readers.append(CbisDdsmReader(source))
        return readers[-1]

    read(make, tmp_path)
    said = readers[0].statement()
    names = ("named", "resolved", "needed_pixels", "missing", "ambiguous")
    assert [said["paths"]["full"][name] for name in names] == [2, 1, 0, 1, 0]
    assert [said["paths"]["mask"][name] for name in names] == [2, 0, 1, 1, 0]
    assert said["missing_series"] == sorted([gone.film_series, gone.crop_series])
    assert said["said"][1] == (
        "crops: 2 named = 0 resolved + 1 told by pixels + 1 missing + 0 ambiguous"
    )
