"""Rows of a table and files of a listing, brought together by a key."""

from mammo_ray.datasets.source import FileIndex
from mammo_ray.datasets.tabled_images import files_by_tail, match_files
from mammo_ray.storage import StoredFile


def listing(*paths: str) -> FileIndex:
    return FileIndex(tuple(StoredFile(path, f"/root/{path}", 1) for path in sorted(paths)))


def test_a_file_is_found_by_folder_and_name_wherever_it_lies() -> None:
    index = listing("x/y/1/a.dcm", "1/b.DCM", "1/c.png")
    match = match_files(["1/a", "1/b", "1/c"], ["1/a.dcm", "1/b.dcm", "1/c.dcm"],
                        files_by_tail(index, ".dcm"))  # fmt: skip
    assert [file and file.relative_path for file in match.files] == ["x/y/1/a.dcm", "1/b.DCM", None]
    assert match.paths == ["x/y/1/a.dcm", "1/b.DCM", "1/c.dcm"]
    assert (match.unknown, match.ambiguous, match.copies) == ([], [], [])


def test_a_file_at_its_place_goes_before_its_copies() -> None:
    index = listing("old/1/a.dcm", "p/1/a.dcm")
    match = match_files(["1/a"], ["p/1/a.dcm"], files_by_tail(index, ".dcm"))
    assert [file.relative_path for file in match.copies] == ["old/1/a.dcm"]
    assert [request.file.relative_path for request in match.requests()] == ["p/1/a.dcm"]


def test_several_files_elsewhere_are_ambiguous_and_strangers_unknown() -> None:
    index = listing("old/1/a.dcm", "new/1/a.dcm", "p/2/z.dcm")
    match = match_files(["1/a"], ["p/1/a.dcm"], files_by_tail(index, ".dcm"))
    assert match.files == [None]
    assert [(file.relative_path, row) for file, row in match.ambiguous] == [
        ("new/1/a.dcm", 0), ("old/1/a.dcm", 0),
    ]  # fmt: skip
    assert [file.relative_path for file in match.unknown] == ["p/2/z.dcm"]
