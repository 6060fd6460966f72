"""Every file of an archive is a row, an exclusion or a rejection, and none is lost."""

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from mammo_ray import storage
from mammo_ray.config import Config, DataConfig, ExcludeConfig
from mammo_ray.datasets.archive import ArchiveReader
from mammo_ray.datasets.examine import Examination, examine_files
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import FileIndex, Source
from mammo_ray.schema import MANIFEST, ExclusionRule, RejectionReason
from tests.films import breast_pixels, film, write_exam, write_film


def read_archive(root: Path, key: str = "key", **rules: bool) -> Manifest:
    """The manifest of a folder, read as the layout `archive`; `rules` switches exclusions."""
    data = DataConfig(exclude=ExcludeConfig(**rules))
    index = FileIndex(tuple(storage.list_files(str(root))))
    source = Source(str(root), index, "test", key, settings=data)
    reader = ArchiveReader(source)
    how = Examination("test", key, Config(recipe="test"), rules=data.exclude, dicom_only=True)
    manifest = reader.finish(examine_files(reader.requests(), how)).sorted()
    assert manifest.seen == len(index.files)
    return manifest


def _column(table: pa.Table, name: str) -> list[object]:
    values: list[object] = table.column(name).to_pylist()
    return values


def test_an_archive_becomes_sorted_rows_with_header_facts(tmp_path: Path) -> None:
    write_exam(tmp_path, 1)
    write_exam(tmp_path, 2)
    manifest = read_archive(tmp_path)
    assert manifest.seen == manifest.rows.num_rows == 4
    ids = _column(manifest.rows, "image_id")
    assert ids == sorted(set(ids))
    row = next(r for r in manifest.rows.to_pylist() if r["sop_uid"] == "1.2.2.1")
    assert (row["patient_id"], row["laterality"], row["view_position"]) == ("W002", "L", "MLO")
    assert (row["rows"], row["columns"]) == (96, 64)
    assert row["bytes"] == Path(row["uri"]).stat().st_size
    assert row["cancer"] is None
    assert row["kind"] == "full"
    assert manifest.rows.schema.equals(MANIFEST)


def test_ids_do_not_depend_on_where_the_archive_lies_but_on_the_key(tmp_path: Path) -> None:
    write_exam(tmp_path / "here", 1)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = read_archive(tmp_path / "here"), read_archive(tmp_path / "there")
    assert _column(here.rows, "image_id") == _column(there.rows, "image_id")
    assert _column(here.rows, "image_id") != _column(
        read_archive(tmp_path / "here", "x").rows, "image_id"
    )


def test_a_missing_modality_or_view_alone_leaves_no_image_out(tmp_path: Path) -> None:
    write_film(tmp_path / "a.dcm", film(breast_pixels(), Modality=None, ViewPosition=None))
    manifest = read_archive(tmp_path)
    assert manifest.rows.num_rows == 1
    assert _column(manifest.rows, "view_position") == [None]


@pytest.mark.parametrize("name", ["a.csv", "b.TXT", "c.json", "d.xml", "e.md", "f.html", "g.pdf"])
def test_a_document_is_excluded_and_counted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("some text", encoding="utf-8")
    manifest = read_archive(tmp_path)
    assert _column(manifest.exclusions, "rule") == [ExclusionRule.NOT_AN_IMAGE]
    assert manifest.seen == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", RejectionReason.EMPTY_FILE),
        (b"just a text, no film", RejectionReason.NOT_DICOM),
        (b"\0" * 128 + b"DICM", RejectionReason.HEADER_TRUNCATED),
    ],
)
def test_a_file_that_is_no_image_but_should_be_is_rejected(
    tmp_path: Path, content: bytes, reason: RejectionReason
) -> None:
    (tmp_path / "film.dcm").write_bytes(content)
    manifest = read_archive(tmp_path)
    assert _column(manifest.rejections, "reason") == [reason]
    assert manifest.seen == 1


def test_an_image_object_without_pixels_is_rejected_with_its_exam(tmp_path: Path) -> None:
    write_film(tmp_path / "a.dcm", film(None))
    rejection = read_archive(tmp_path).rejections.to_pylist()[0]
    assert rejection["reason"] == RejectionReason.NO_PIXEL_DATA
    assert (rejection["patient_id"], rejection["study_uid"]) == ("W1", "1.2.3")


def test_a_dangling_link_is_a_rejection_not_a_loss(tmp_path: Path) -> None:
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    manifest = read_archive(tmp_path)
    assert manifest.seen == 1
    assert _column(manifest.rejections, "reason") == [RejectionReason.UNREADABLE_FILE]


def test_a_file_whose_name_is_not_utf8_is_a_rejection_and_the_rest_is_done(tmp_path: Path) -> None:
    write_exam(tmp_path, 1)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.dcm")).write_bytes(b"1")
    manifest = read_archive(tmp_path)
    assert manifest.rows.num_rows == 2
    assert _column(manifest.rejections, "reason") == [RejectionReason.UNREADABLE_FILE]


@pytest.mark.parametrize(
    ("elements", "rule"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Modality": "SR"},
         ExclusionRule.NOT_AN_IMAGE_OBJECT),
        ({"Modality": "US"}, ExclusionRule.OTHER_MODALITY),
    ],
)  # fmt: skip
def test_what_is_no_mammogram_is_excluded_by_its_rule(
    tmp_path: Path, elements: dict[str, object], rule: ExclusionRule
) -> None:
    write_film(tmp_path / "a.dcm", film(breast_pixels(), **elements))
    manifest = read_archive(tmp_path)
    assert _column(manifest.exclusions, "rule") == [rule]
    assert manifest.rows.num_rows == 0


def test_of_the_same_file_twice_the_first_stays_and_the_second_is_excluded(tmp_path: Path) -> None:
    write_film(tmp_path / "b.dcm", film(breast_pixels()))
    shutil.copy(tmp_path / "b.dcm", tmp_path / "a.dcm")
    manifest = read_archive(tmp_path)
    assert _column(manifest.rows, "uri") == [str(tmp_path / "a.dcm")]
    assert _column(manifest.exclusions, "rule") == [ExclusionRule.DUPLICATE_INSTANCE]
    assert manifest.seen == 2


@pytest.mark.parametrize("same_size", [True, False])
def test_another_file_under_the_same_uid_is_rejected(tmp_path: Path, same_size: bool) -> None:
    write_film(tmp_path / "a.dcm", film(breast_pixels()))
    rows = 96 if same_size else 100
    write_film(tmp_path / "b.dcm", film(breast_pixels(rows, seed=5)))
    manifest = read_archive(tmp_path)
    assert _column(manifest.rejections, "reason") == [RejectionReason.CONFLICTING_INSTANCE]
    assert _column(manifest.rejections, "uri") == [str(tmp_path / "b.dcm")]


def test_the_real_archive_has_264_images_and_three_documents(real_archive: Path) -> None:
    manifest = read_archive(real_archive)
    assert (manifest.rows.num_rows, manifest.rejections.num_rows) == (264, 0)
    assert _column(manifest.exclusions, "rule") == [ExclusionRule.NOT_AN_IMAGE] * 3
    assert len(set(_column(manifest.rows, "patient_id"))) == 132
    assert set(_column(manifest.rows, "view_position")) == {"MLO"}
