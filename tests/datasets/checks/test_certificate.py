"""A certificate goes with the rows it was made of, and with no others."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mammo_ray import storage
from mammo_ray.datasets.checks.certificate import (
    certificate_words,
    make_certificate,
    read_certificate,
    write_certificate,
)
from mammo_ray.datasets.checks.finding import Check, found, noted
from mammo_ray.errors import InputError
from tests.datasets.checks.frames import table


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """A manifest of seven rows in groups of three."""
    rows = table(*({"patient_id": f"P{k}", "mask_uris": ["m", None]} for k in range(7)))
    digest = storage.table_digest(rows).encode()
    metadata = {**(rows.schema.metadata or {}), b"manifest_digest": digest, b"root": b"/r"}
    uri = str(tmp_path / "manifest.parquet")
    storage.write_table(uri, rows.replace_schema_metadata(metadata), row_group_size=3)
    return uri


def _certificate(uri: str, **changes: object) -> dict[str, Any]:
    digest = (storage.read_schema(uri).metadata or {})[b"manifest_digest"].decode()
    answers = [found(Check.SHARED_WOMEN, 31, "d"), noted(Check.UNLABELLED, 4, "d")]
    return {**make_certificate(digest, answers, pixels=False), **changes}


def test_a_certificate_is_read_back_and_changes_no_row(manifest: str) -> None:
    assert read_certificate(manifest) is None
    before = storage.read_table(manifest)
    certificate = _certificate(manifest)
    write_certificate(manifest, certificate)
    assert read_certificate(manifest) == certificate
    after = storage.read_table(manifest)
    assert after.equals(before)
    metadata = {k: v for k, v in (after.schema.metadata or {}).items() if k != b"certificate"}
    assert metadata == before.schema.metadata
    assert storage.table_digest(after) == storage.table_digest(before)
    file = pq.ParquetFile(manifest)
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert sizes == [3, 3, 1]


def test_a_second_check_replaces_the_certificate(manifest: str) -> None:
    write_certificate(manifest, _certificate(manifest))
    digest = _certificate(manifest)["manifest_digest"]
    clean = make_certificate(digest, [], pixels=True)
    write_certificate(manifest, clean)
    assert read_certificate(manifest) == clean


def test_a_certificate_that_was_changed_or_is_of_other_rows_is_none(manifest: str) -> None:
    write_certificate(manifest, _certificate(manifest, findings={}))
    assert read_certificate(manifest) is None
    write_certificate(manifest, make_certificate("other", [], pixels=True))
    assert read_certificate(manifest) is None


def test_the_same_answers_give_the_same_certificate(manifest: str) -> None:
    assert json.dumps(_certificate(manifest)) == json.dumps(_certificate(manifest))
    other = make_certificate(_certificate(manifest)["manifest_digest"], [], pixels=False)
    assert other["digest"] != _certificate(manifest)["digest"]


def test_words_name_depth_and_findings(manifest: str) -> None:
    certificate = _certificate(manifest)
    words = certificate_words(certificate)
    assert words == f"{certificate['digest']}: checked without pixels, women-on-several-sides 31"
    clean = make_certificate("d", [], pixels=True)
    assert certificate_words(clean) == f"{clean['digest']}: checked with pixels, no findings"
    assert certificate_words(None) == "unchecked"


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.parquet"
    path.write_bytes(b"none")
    for touch in (read_certificate, lambda uri: write_certificate(uri, {})):
        with pytest.raises(InputError, match="cannot be read as Parquet"):
            touch(str(path))
