"""The layout `inbreast`: patients from file names, lesions from XML, and what does not fit."""

import plistlib
from pathlib import Path

import numpy as np
import pytest

from mammo_ray.datasets import inbreast_xml
from mammo_ray.datasets.inbreast import COLUMNS, InbreastReader
from mammo_ray.datasets.inbreast_xml import read_lesions
from mammo_ray.errors import ImageRejected, InputError
from mammo_ray.preprocess.outlines import Outline, fill_outline
from tests.datasets.reading import by_path, column, read, write_image
from tests.films import breast_pixels, film, write_film

SQUARE = [(10, 20), (30, 20), (30, 40), (10, 40)]  # x, y
Region = tuple[str, list[tuple[float, float]]]


def plist(*regions: Region) -> bytes:
    rois = [
        {"Name": name, "NumberOfPoints": len(points),
         "Point_px": [f"({x:f}, {y:f})" for x, y in points]}
        for name, points in regions
    ]  # fmt: skip
    return plistlib.dumps({"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]})


def write_table(root: Path, *rows: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "INbreast.csv").write_text("\n".join([";".join(COLUMNS), *rows]) + "\n")


def write_dicom(root: Path, name: str, side: str = "R") -> None:
    dataset = film(breast_pixels(), ViewPosition=None, ImageLaterality=side, PatientID="removed",
                   SOPInstanceUID=f"1.2.{name.partition('_')[0]}")  # fmt: skip
    write_film(root / "AllDICOMs" / f"{name}.dcm", dataset)


def small_set(root: Path) -> None:
    """Two women: a mass in one view of the first, nothing drawn elsewhere."""
    write_table(
        root,
        "removed;removed;R;MLO;201001;20586908;3;4a",
        "removed;removed;R;CC;201001;20586934;     ;4a",
        "removed;removed;L;CC;200912;22678622;1;1",
    )
    write_dicom(root, "20586908_6c613a14b80a8591_MG_R_ML_ANON")
    write_dicom(root, "20586934_6c613a14b80a8591_MG_R_CC_ANON")
    write_dicom(root, "22678622_61b13c59bcba149e_MG_L_CC_ANON", "L")
    (root / "AllXML").mkdir()
    (root / "AllXML/20586908.xml").write_bytes(plist(("Mass", SQUARE)))


def rows_by_number(manifest_rows: object, root: Path) -> dict[str, dict[str, object]]:
    return {Path(path).name[:8]: row for path, row in by_path(manifest_rows, root).items()}


def test_women_are_told_apart_by_file_names(tmp_path: Path) -> None:
    small_set(tmp_path)
    rows = rows_by_number(read(InbreastReader, tmp_path).rows, tmp_path)
    women = {number: row["patient_id"] for number, row in rows.items()}
    assert women == {
        "20586908": "6c613a14b80a8591", "20586934": "6c613a14b80a8591",
        "22678622": "61b13c59bcba149e",
    }  # fmt: skip
    expected = {
        "laterality": "R", "view_position": "MLO", "birads": "4a", "density": "3", "cancer": None,
        "label_source": "reading", "label_level": "breast", "study_date": "201001", "age": None,
        "kind": "full",
    }  # fmt: skip
    assert {name: rows["20586908"][name] for name in expected} == expected
    assert rows["20586934"]["density"] is None


def test_polygons_are_rows_and_columns_beside_their_lesion(tmp_path: Path) -> None:
    small_set(tmp_path)
    manifest = read(InbreastReader, tmp_path)
    rows = rows_by_number(manifest.rows, tmp_path)
    points = [20.0, 10.0, 20.0, 30.0, 40.0, 30.0, 40.0, 10.0]
    outline = {"form": "polygon", "points": points, "radius": None}
    assert rows["20586908"]["outlines"] == [outline]
    assert [a["type"] for a in rows["20586908"]["abnormalities"]] == ["Mass"]
    assert rows["22678622"]["outlines"] == []  # looked at, nothing drawn
    rules = {Path(r["uri"]).name: r["rule"] for r in manifest.exclusions.to_pylist()}
    assert rules == {"INbreast.csv": "not-an-image", "20586908.xml": "annotation"}


def test_a_calcification_of_one_point_covers_pixels() -> None:
    lesions = read_lesions(
        plist(("Calcification", [(12, 30)]), ("Calcification", [(40, 8), (46, 16)]))
    )
    point, pair = lesions.outlines
    assert point == {"form": "circle", "points": [30.0, 12.0], "radius": 1.0}
    assert pair == {"form": "circle", "points": [12.0, 43.0], "radius": 5.0}
    mask = fill_outline(Outline("circle", (30.0, 12.0), 1.0), 60, 60)
    assert np.argwhere(mask).tolist() == [[29, 12], [30, 11], [30, 12], [30, 13], [31, 12]]


def test_slips_of_the_pen_become_one_vocabulary() -> None:
    names = [
        "Calcifications",
        "Assymetry",
        "Espiculated Region",
        "Spiculated region",
        "Point 3",
        "Cluster",
    ]
    lesions = read_lesions(plist(*[(name, SQUARE) for name in names], ("Unnamed", [])))
    assert [a["type"] for a in lesions.abnormalities] == [
        "Calcification", "Asymmetry", "Spiculated Region", "Spiculated Region", "Unnamed",
        "Cluster",
    ]  # fmt: skip
    assert [a["number"] for a in lesions.abnormalities] == [1, 2, 3, 4, 5, 6]
    assert len(lesions.outlines) == 6


BOMB = b"""<?xml version="1.0"?><!DOCTYPE plist [
<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<plist version="1.0"><dict><key>Images</key><array><string>&b;</string></array></dict></plist>"""


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "not an XML property list"),
        (b"<plist><dict><key>Images</key>", "not an XML property list"),
        (b"<plist><array/></plist>", "no list 'Images'"),
        (b"<plist><dict></array></plist>", "not an XML property list"),
        (BOMB, "declares entities"),
        (BOMB.decode().replace('"1.0"?', '"1.0" encoding="utf-16"?').encode("utf-16"), "entities"),
        (plistlib.dumps({"Images": [{"ROIs": [1]}]}), "without a list 'ROIs'"),
        (plistlib.dumps({"Images": [{"ROIs": [{"Name": "Mass"}]}]}), "without a list 'Point_px'"),
        (plist(("Mass", SQUARE)).replace(b"<integer>4<", b"<integer>5<"), "5 points and has 4"),
        (plist(("Mass", SQUARE)).replace(b"(10.0", b"(ten"), "is not a point"),
        (plist(("Mass", SQUARE)).replace(b"(10.0", b"(nan"), "is not a point"),
        (plistlib.dumps({"Images": []}, fmt=plistlib.FMT_BINARY), "not an XML property list"),
    ],
)  # fmt: skip
def test_broken_xml_is_refused(content: bytes, detail: str) -> None:
    with pytest.raises(ImageRejected, match=detail) as caught:
        read_lesions(content)
    assert caught.value.reason == "annotation-invalid"


def test_a_broken_xml_is_rejected_and_its_image_kept_with_unknown_lesions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_set(tmp_path)
    (tmp_path / "AllXML/20586934.xml").write_bytes(BOMB)
    manifest = read(InbreastReader, tmp_path)
    rows = rows_by_number(manifest.rows, tmp_path)
    assert len(rows) == 3
    assert (rows["20586934"]["outlines"], rows["20586934"]["abnormalities"]) == (None, None)
    (rejection,) = manifest.rejections.to_pylist()
    assert rejection["uri"].endswith("AllXML/20586934.xml")
    assert rejection["reason"] == "annotation-invalid"
    assert str(rows["20586934"]["image_id"]) in rejection["detail"]
    assert rejection["patient_id"] is None  # no exam lacks an image for it
    monkeypatch.setattr("mammo_ray.datasets.inbreast_drawings.LARGEST_FILE", 100)
    monkeypatch.setattr(inbreast_xml, "LARGEST_FILE", 100)
    details = column(read(InbreastReader, tmp_path).rejections, "detail")
    assert len(details) == 2
    assert all(str(detail).startswith("101 bytes, at most 100") for detail in details)


def test_two_xml_files_of_one_image_are_ambiguous(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/20586908.xml").write_bytes(plist(("Mass", SQUARE)))
    manifest = read(InbreastReader, tmp_path)
    assert column(manifest.rejections, "reason") == ["ambiguous-file"] * 2
    assert rows_by_number(manifest.rows, tmp_path)["20586908"]["outlines"] is None


def test_mask_images_stand_in_for_unknown_lesions_only(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "AllXML/20586934.xml").write_bytes(b"broken")
    names = ("AllMasks/20586908.png", "AllMasks/20586934_1.tif", "AllMasks/muscle/20586934.png",
             "AllPNG/22678622.png")  # fmt: skip
    for name in names:
        write_image(tmp_path / name)
    manifest = read(InbreastReader, tmp_path)
    rows = rows_by_number(manifest.rows, tmp_path)
    assert rows["20586934"]["mask_uris"] == [str(tmp_path / "AllMasks/20586934_1.tif")]
    assert rows["20586908"]["mask_uris"] is None
    rules = {name: by_path(manifest.exclusions, tmp_path)[name]["rule"] for name in names}
    assert list(rules.values()) == [
        "mask-of-an-image", "mask-of-an-image", "annotation", "not-in-layout",
    ]  # fmt: skip


def test_without_any_xml_lesions_are_unknown(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "AllXML/20586908.xml").unlink()
    assert column(read(InbreastReader, tmp_path).rows, "outlines") == [None] * 3


def test_tables_only_opens_no_xml(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "AllXML/20586908.xml").write_bytes(b"broken")
    manifest = read(InbreastReader, tmp_path, tables_only=True)
    assert column(manifest.rows, "outlines") == [None] * 3
    assert set(column(manifest.rows, "patient_id")) == {"6c613a14b80a8591", "61b13c59bcba149e"}
    assert manifest.rejections.num_rows == 0


def test_names_and_headers_of_another_side_are_rejected(tmp_path: Path) -> None:
    small_set(tmp_path)
    said = (("20586908", "L;MLO"), ("20586934", "R;MLO"), ("22678622", "L;CC"))
    write_table(tmp_path, *(f"removed;removed;{row};201001;{number};1;2" for number, row in said))
    write_dicom(tmp_path, "22678622_61b13c59bcba149e_MG_L_CC_ANON", "R")
    manifest = read(InbreastReader, tmp_path)
    details = {Path(r["uri"]).name[:8]: r for r in manifest.rejections.to_pylist()}
    assert {r["reason"] for r in details.values()} == {"table-row-invalid"}
    assert details["20586908"]["detail"] == "the file name says R MLO, the table L MLO"
    assert details["20586934"]["detail"] == "the file name says R CC, the table R MLO"
    assert details["22678622"]["detail"].startswith("ImageLaterality (0020,0062) is 'R'")
    assert details["22678622"]["patient_id"] == "61b13c59bcba149e"
    assert manifest.rows.num_rows == 0


def test_missing_and_unnamed_films_are_accounted_for(tmp_path: Path) -> None:
    small_set(tmp_path)
    films = tmp_path / "AllDICOMs"
    (films / "22678622_61b13c59bcba149e_MG_L_CC_ANON.dcm").rename(films / "22678622.dcm")
    (films / "20586934_6c613a14b80a8591_MG_R_CC_ANON.dcm").rename(films / "odd.dcm")
    write_dicom(tmp_path, "11111111_61b13c59bcba149e_MG_L_CC_ANON", "L")
    write_dicom(tmp_path, "20586908_copy")
    manifest = read(InbreastReader, tmp_path)
    found = {Path(r["uri"]).stem[:8]: r for r in manifest.rejections.to_pylist()}
    assert {name: r["reason"] for name, r in found.items()} == {
        "11111111": "not-in-table", "20586934": "missing-file", "22678622": "table-row-invalid",
    }  # fmt: skip
    assert "does not say whose image it is" in found["22678622"]["detail"]
    assert found["22678622"]["laterality"] == "L"
    assert list(rows_by_number(manifest.rows, tmp_path)) == ["20586908"]
    rules = {Path(r["uri"]).name: r["rule"] for r in manifest.exclusions.to_pylist()}
    assert rules["odd.dcm"] == rules["20586908_copy.dcm"] == "not-in-layout"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("removed;removed;X;CC;201001;2;1;2", "INbreast.csv line 2: Laterality is 'X'"),
        ("removed;removed;L;UP;201001;2;1;2", "line 2: View is 'UP'"),
        ("removed;removed;L;CC;201013;2;1;2", "line 2: Acquisition date is '201013'"),
        ("removed;removed;L;CC;201001;../2;1;2", "line 2: File Name is '../2'"),
        ("removed;removed;L;CC;201001;;1;2", "line 2: File Name is ''"),
        ("removed;removed;L;CC;201001;2;9;2", "line 2: ACR is '9'"),
        ("removed;removed;L;CC;201001;2;1;4d", "line 2: Bi-Rads is '4d'"),
    ],
)
def test_a_wrong_value_is_refused_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    write_table(tmp_path, row)
    write_dicom(tmp_path, "2_61b13c59bcba149e_MG_L_CC_ANON", "L")
    with pytest.raises(InputError, match=message):
        read(InbreastReader, tmp_path)


def test_a_folder_without_named_films_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path, "removed;removed;L;CC;201001;2;1;2")
    with pytest.raises(InputError, match=r"AllDICOMs/<file name>_<patient>_MG.*INbreast.csv"):
        read(InbreastReader, tmp_path)
