"""mini-MIAS: what `Info.txt` says lands on the right films, and every film is accounted for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammo_ray.datasets.mini_mias import MiniMiasReader, read_info
from mammo_ray.errors import InputError
from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import ExclusionRule, RejectionReason
from tests.datasets.reading import KEY, NAME, by_path, column, read, source_of, write_image

FILM = np.zeros((1024, 1024), np.uint8)


def write_films(root: Path, *numbers: int, info: str) -> None:
    for number in numbers:
        write_image(root / f"mdb{number:03d}.pgm", FILM)
    (root / "Info.txt").write_text(f"Some prose.\n1st column: name\n\n{info}\n", encoding="utf-8")


def test_circles_are_turned_over_from_the_bottom_left_origin(tmp_path: Path) -> None:
    write_films(tmp_path, 1, info="mdb001 G CIRC B 535 425 197")
    (row,) = read(MiniMiasReader, tmp_path).rows.to_pylist()
    assert row["outlines"] == [{"form": "circle", "points": [599.0, 535.0], "radius": 197.0}]
    assert row["pixel_spacing_mm"] == [0.2, 0.2]
    assert (row["image_kind"], row["kind"], row["view_position"]) == ("film", "full", "MLO")


def test_odd_films_are_right_even_ones_left_of_the_same_woman(tmp_path: Path) -> None:
    write_films(tmp_path, 5, 6, 7, info="mdb005 F NORM \nmdb006 F NORM\nmdb007 G NORM")
    rows = by_path(read(MiniMiasReader, tmp_path).rows, tmp_path)
    whose = {path: (row["patient_id"], row["laterality"]) for path, row in rows.items()}
    assert whose == {
        "mdb005.pgm": ("MIAS0003", "R"),
        "mdb006.pgm": ("MIAS0003", "L"),
        "mdb007.pgm": ("MIAS0004", "R"),
    }
    film = keyed_id("film", KEY, NAME, "MIAS0003", "R", "MLO")
    assert rows["mdb005.pgm"]["film_id"] == film


def test_a_film_has_all_its_lines_and_cancer_where_one_is_malignant(tmp_path: Path) -> None:
    info = "mdb001 D CALC B 10 1024 3\nmdb001 D SPIC M *NOTE 3* \nmdb002 D ASYM B"
    write_films(tmp_path, 1, 2, info=info)
    rows = by_path(read(MiniMiasReader, tmp_path).rows, tmp_path)
    first, second = rows["mdb001.pgm"], rows["mdb002.pgm"]
    said = [(a["number"], a["type"], a["pathology"]) for a in first["abnormalities"]]
    assert said == [(1, "CALC", "BENIGN"), (2, "SPIC", "MALIGNANT")]
    assert first["outlines"] == [
        {"form": "circle", "points": [0.0, 10.0], "radius": 3.0},
        None,
    ]
    labels = ("cancer", "pathology", "label_source", "label_level", "density")
    assert [first[name] for name in labels] == [1, "MALIGNANT", "pathology", "image", "D"]
    assert [second[name] for name in labels] == [0, "BENIGN", "pathology", "image", "D"]
    assert second["outlines"] == [None]


def test_a_normal_film_has_no_cancer_and_no_source_for_it(tmp_path: Path) -> None:
    write_films(tmp_path, 3, info="mdb003 D NORM ")
    (row,) = read(MiniMiasReader, tmp_path).rows.to_pylist()
    assert (row["cancer"], row["pathology"], row["label_source"]) == (0, None, None)
    assert row["abnormalities"] is row["outlines"] is None


def test_a_film_that_is_not_there_is_rejected_by_the_path_where_it_should_be(
    tmp_path: Path,
) -> None:
    write_films(tmp_path / "films", 1, info="mdb001 G NORM\nmdb004 G NORM")
    manifest = read(MiniMiasReader, tmp_path)
    (row,) = manifest.rejections.to_pylist()
    assert row["uri"] == str(tmp_path / "films" / "mdb004.pgm")
    assert row["reason"] == RejectionReason.MISSING_FILE
    assert (row["patient_id"], row["laterality"]) == ("MIAS0002", "L")
    assert row["image_id"] == source_of(tmp_path).image_id("films/mdb004.pgm")
    assert manifest.seen == 3


def test_a_film_that_is_not_listed_is_rejected(tmp_path: Path) -> None:
    write_films(tmp_path, 1, 2, info="mdb001 G NORM")
    (row,) = read(MiniMiasReader, tmp_path).rejections.to_pylist()
    assert row["reason"] == RejectionReason.NOT_IN_TABLE
    assert (row["patient_id"], row["laterality"]) == ("MIAS0001", "L")


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ("mdb001 X NORM", "line 4 is not"),
        ("mdb001 G CIRC B 535 425", "line 4 is not"),
        ("mdb001 G CIRC", "line 4 is not"),
        ("mdb001 G CIRC B 535 425 197 8", "line 4 is not"),
        ("mdb001 G CIRC B 1024 425 9", "line 4 has a circle"),
        ("mdb001 G CIRC B 10 0 9", "line 4 has a circle"),
        ("mdb001 G CIRC B 10 10 9\nmdb001 F CIRC B 30 30 9", "line 5 says tissue F"),
        ("mdb001 G NORM\nmdb001 G CIRC B 30 30 9", "line 5 makes the film both"),
        ("mdb001 G CIRC B 30 30 9\nmdb001 G NORM", "line 5 makes the film both"),
    ],
)
def test_a_line_that_cannot_be_true_rejects_its_film_and_no_other(
    tmp_path: Path, info: str, said: str
) -> None:
    write_films(tmp_path, 1, 2, info=f"{info}\nmdb002 G NORM")
    manifest = read(MiniMiasReader, tmp_path)
    assert list(by_path(manifest.rows, tmp_path)) == ["mdb002.pgm"]
    (row,) = manifest.rejections.to_pylist()
    assert row["reason"] == RejectionReason.TABLE_ROW_INVALID
    assert said in row["detail"]


def test_two_files_of_one_film_are_both_rejected(tmp_path: Path) -> None:
    write_films(tmp_path, 1, 2, info="mdb001 G NORM\nmdb002 G NORM")
    write_image(tmp_path / "copy" / "mdb001.png", FILM)
    manifest = read(MiniMiasReader, tmp_path)
    assert column(manifest.rejections, "reason") == [RejectionReason.AMBIGUOUS_FILE] * 2
    assert list(by_path(manifest.rows, tmp_path)) == ["mdb002.pgm"]


def test_an_image_of_another_size_is_rejected_for_its_circles_would_lie_elsewhere(
    tmp_path: Path,
) -> None:
    write_films(tmp_path, 2, info="mdb001 G CIRC B 30 30 9\nmdb002 G NORM")
    write_image(tmp_path / "mdb001.png", FILM[:512, :512])
    (row,) = read(MiniMiasReader, tmp_path).rejections.to_pylist()
    assert row["reason"] == RejectionReason.TABLE_ROW_INVALID
    assert "1024 x 1024" in row["detail"]
    assert row["patient_id"] == "MIAS0001"


def test_a_film_that_cannot_be_read_keeps_its_woman_in_its_rejection(tmp_path: Path) -> None:
    write_films(tmp_path, 2, info="mdb001 G NORM\nmdb002 G NORM")
    (tmp_path / "mdb001.pgm").write_bytes(b"P5\n1024 10")
    (row,) = read(MiniMiasReader, tmp_path).rejections.to_pylist()
    assert (row["patient_id"], row["laterality"]) == ("MIAS0001", "R")


def test_other_files_are_exclusions(tmp_path: Path) -> None:
    write_films(tmp_path, 1, info="mdb001 G NORM")
    write_image(tmp_path / "preview.png")
    (tmp_path / "Licence.txt").write_text("text", encoding="utf-8")
    rules = by_path(read(MiniMiasReader, tmp_path).exclusions, tmp_path)
    assert {path: row["rule"] for path, row in rules.items()} == {
        "Info.txt": ExclusionRule.NOT_AN_IMAGE,
        "Licence.txt": ExclusionRule.NOT_AN_IMAGE,
        "preview.png": ExclusionRule.NOT_IN_LAYOUT,
    }


def test_without_opening_films_the_table_alone_gives_the_same_labels(tmp_path: Path) -> None:
    write_films(tmp_path, 1, info="mdb001 G CIRC M 535 425 197")
    (row,) = read(MiniMiasReader, tmp_path, tables_only=True).rows.to_pylist()
    assert (row["cancer"], row["rows"], row["outlines"][0]["radius"]) == (1, None, 197.0)


def test_a_folder_without_films_or_table_says_what_was_expected(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"Info\.txt was expected.*a\.png"):
        MiniMiasReader(source_of(tmp_path))
    (tmp_path / "Info.txt").write_text("mdb001 G NORM", encoding="utf-8")
    with pytest.raises(InputError, match=r"mdbNNN\.pgm were expected"):
        MiniMiasReader(source_of(tmp_path))
    with pytest.raises(InputError, match="it has 2 lines"):
        read_info("mammograms\nof women")


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_films(tmp_path, 1, info="mdb001 G NORM")
    (tmp_path / "Info.txt").write_bytes(b"mdb001 G NORM \xff")
    with pytest.raises(InputError, match="not text in UTF-8"):
        MiniMiasReader(source_of(tmp_path))


@pytest.mark.real
def test_real_circles_land_where_the_archive_of_the_same_films_has_them(real_data: Path) -> None:
    manifest = read(MiniMiasReader, real_data / "mini_mias")
    assert (manifest.rows.num_rows, manifest.rejections.num_rows) == (12, 310)
    lesions = pd.read_csv(real_data / "screening_archive" / "lesions.csv")
    rows = by_path(manifest.rows, real_data / "mini_mias")
    circles = {
        (path.removesuffix(".pgm"), *outline["points"], outline["radius"])
        for path, row in rows.items()
        for outline in row["outlines"] or []
        if outline
    }
    of_these = lesions[lesions["film"].isin([path.removesuffix(".pgm") for path in rows])]
    columns = ["film", "center_row", "center_column", "radius_px"]
    assert circles == set(of_these[columns].itertuples(index=False, name=None))
    assert len(circles) == 7


@pytest.mark.real
def test_every_circle_of_the_real_table_lands_where_the_archive_has_it(real_data: Path) -> None:
    films = read_info((real_data / "mini_mias" / "Info.txt").read_text(encoding="utf-8"))
    assert len(films) == 322
    assert not [film.fault for film in films.values() if film.fault]
    lesions = pd.read_csv(real_data / "screening_archive" / "lesions.csv")
    for lesion in lesions.itertuples():
        film = films[int(lesion.film[3:])]
        circle = {
            "form": "circle",
            "points": [float(lesion.center_row), float(lesion.center_column)],
            "radius": float(lesion.radius_px),
        }
        assert circle in film.outlines


@pytest.mark.real
def test_real_labels_agree_with_the_archive_of_the_same_films(real_data: Path) -> None:
    rows = read(MiniMiasReader, real_data / "mini_mias").rows.to_pandas()
    outcomes = pd.read_csv(real_data / "screening_archive" / "outcomes.csv")
    key = ["patient_id", "laterality", "view_position"]
    both = rows.merge(outcomes, on=key, suffixes=("", "_said"))
    assert len(both) == 12
    assert both["cancer"].tolist() == both["cancer_said"].tolist()
    assert both["density"].tolist() == both["tissue"].tolist()
