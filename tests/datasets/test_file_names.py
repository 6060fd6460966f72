"""What names of files tell."""

import pytest

from mammo_ray.datasets.file_names import is_document, name_images, original_stem, stem_of
from mammo_ray.errors import InputError
from mammo_ray.storage import StoredFile

HASH = "68cb444f62494b5756c4708d119a66da"


def stored(path: str) -> StoredFile:
    return StoredFile(path, f"/root/{path}", 1)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"train/0/2056_jpg.rf.{HASH}.jpg", "2056"),
        (f"2056_png.rf.{HASH.upper()}.png", "2056"),
        (f"2056.rf.{HASH}.jpg", "2056"),
        (f"a_b_jpeg_jpg.rf.{HASH}.jpg", "a_b_jpeg"),
        ("train/0/2056.jpg", "2056"),
        ("2056_jpg.rf.short.jpg", "2056_jpg.rf.short"),
        ("1.2.840.55", "1.2.840.55"),
        ("1.2.840.55.dcm", "1.2.840.55"),
    ],
)
def test_what_roboflow_adds_to_a_name_is_dropped(path: str, name: str) -> None:
    assert original_stem(path) == name


def test_the_last_part_of_a_uid_is_no_suffix() -> None:
    assert stem_of("a/1.2.3") == "1.2.3"
    assert stem_of("a/b.c.PNG") == "b.c"


@pytest.mark.parametrize(
    "path",
    ["a.csv", "x/LICENSE", ".DS_Store", "__MACOSX/x/a.png", "x/._a.png", "x/Thumbs.db", "a.TXT"],
)
def test_documents_and_what_systems_leave_behind_are_no_images(path: str) -> None:
    assert is_document(path)


@pytest.mark.parametrize("path", ["a.png", "x/1.2.840.1", "IMG0001", "a.dcm", "a.npy"])
def test_anything_else_may_be_an_image(path: str) -> None:
    assert not is_document(path)


PATTERN = r"(?P<patient_id>P\d+)(?:_(?P<laterality>\w))?(?:_(?P<view_position>\w+))?\."


def test_a_pattern_takes_patient_side_and_view_in_the_words_of_the_manifest() -> None:
    paths = ["0/P1_l_mlo.png", "0/P2_R.png", "1/P3.png"]
    named = name_images(map(stored, paths), PATTERN, "data.folders.pattern")
    assert [(n.patient_id, n.laterality, n.view_position) for n in named] == [
        ("P1", "L", "MLO"),
        ("P2", "R", None),
        ("P3", None, None),
    ]


@pytest.mark.parametrize("path", ["0/P1_X.png", "0/P1_L_SIDEWAYS.png", "0/scan.png"])
def test_a_name_that_does_not_fit_is_not_guessed_from(path: str) -> None:
    named = name_images(map(stored, ["0/P9.png", path]), PATTERN, "data.folders.pattern")
    assert [n.patient_id for n in named] == ["P9", None]


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.folders\.pattern.*none of 1 images"):
        name_images([stored("a.png")], PATTERN, "data.folders.pattern")
