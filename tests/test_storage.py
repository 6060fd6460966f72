"""Local files and object storage answer alike; writes are whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws

from mammo_ray import object_storage, storage
from mammo_ray.errors import InputError, StorageError

BUCKET = "films"


@pytest.fixture(params=["local", "s3"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "root")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        object_storage.client_of_process.cache_clear()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}/root"
    object_storage.client_of_process.cache_clear()


def test_what_is_written_is_read_whole_and_by_range(root: str) -> None:
    uri = storage.join(root, "a", "b.bin")
    storage.write_bytes(uri, bytes(range(100)))
    assert storage.read_bytes(uri) == bytes(range(100))
    assert storage.read_bytes(uri, 10, 5) == bytes(range(10, 15))
    assert storage.read_bytes(uri, 95, 50) == bytes(range(95, 100))
    assert storage.read_bytes(uri, 200, 50) == b""
    assert storage.exists(uri)


def test_a_listing_is_sorted_and_names_sizes(root: str) -> None:
    for name in ("b/2", "a/1", "c"):
        storage.write_bytes(storage.join(root, name), name.encode())
    found = storage.list_files(root)
    assert [(f.relative_path, f.bytes) for f in found] == [("a/1", 3), ("b/2", 3), ("c", 1)]
    assert [storage.read_bytes(f.uri) for f in found] == [b"a/1", b"b/2", b"c"]


def test_a_neighbour_with_a_longer_name_is_not_listed(root: str) -> None:
    storage.write_bytes(storage.join(root, "x"), b"1")
    storage.write_bytes(f"{root}-other/y", b"2")
    assert [f.relative_path for f in storage.list_files(root)] == ["x"]


def test_a_missing_root_is_an_input_error(root: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        storage.list_files(storage.join(root, "nowhere"))


def test_a_missing_file_is_told_from_a_storage_failure(root: str) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(storage.join(root, "nothing"))
    assert not storage.exists(storage.join(root, "nothing"))


def test_a_linked_folder_is_listed_and_a_loop_ends(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "a").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "film").write_bytes(b"1")
    (root / "linked").symlink_to(elsewhere)
    (root / "a" / "up").symlink_to(root)
    assert [f.relative_path for f in storage.list_files(str(root))] == ["linked/film"]


def test_a_link_to_itself_is_listed_with_no_bytes_and_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    [found] = storage.list_files(str(tmp_path))
    assert (found.relative_path, found.bytes) == ("loop", 0)
    assert not storage.exists(found.uri)


@pytest.mark.parametrize(
    ("uri", "root", "below"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/ab", "/a", False),
        ("/a/../c", "/a", False),
        ("s3://b/x/y", "s3://b/x/", True),
        ("s3://b/xy", "s3://b/x", False),
        ("/a/b", "s3://a", False),
    ],
)
def test_whether_one_place_lies_in_another(uri: str, root: str, below: bool) -> None:
    assert storage.is_below(uri, root) is below


def test_a_prefix_is_never_a_file(root: str) -> None:
    if storage.is_s3(root):
        storage.write_bytes(f"{root}/marked", b"")
        assert not storage.exists(f"{root}/marked/")
        assert not storage.exists("s3://films")


def test_a_name_that_is_not_utf8_is_listed_as_text(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.dcm")).write_bytes(b"1")
    [found] = storage.list_files(str(tmp_path))
    assert found.relative_path == "bad%FF.dcm"
    assert not storage.exists(found.uri)


def test_a_missing_bucket_is_a_storage_failure_not_a_missing_file(root: str) -> None:
    if not storage.is_s3(root):
        assert not storage.is_there(storage.join(root, "nothing"))
        return
    with pytest.raises(StorageError, match="NoSuchBucket"):
        storage.read_bytes("s3://no-such-bucket/film")
    assert not storage.is_there(root)
    storage.write_bytes(storage.join(root, "film"), b"1")
    assert storage.is_there(root)


def test_delete_removes_and_forgives(root: str) -> None:
    uri = storage.join(root, "a")
    storage.write_bytes(uri, b"1")
    storage.delete(uri)
    storage.delete(uri)
    assert not storage.exists(uri)


def test_refused_credentials_are_a_storage_error_not_a_missing_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        object_storage.client_of_process.cache_clear()
        client = object_storage.client()
        client.meta.events.register(
            "before-call.s3.GetObject", lambda **_: _answer(403, "AccessDenied")
        )
        with pytest.raises(StorageError, match="AccessDenied"):
            storage.read_bytes("s3://films/secret/patient-name.dcm")
    object_storage.client_of_process.cache_clear()


def _answer(status: int, code: str) -> tuple[object, dict[str, object]]:
    class _Response:
        status_code = status

    return _Response(), {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


def test_a_write_that_fails_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = str(tmp_path / "table.bin")
    storage.write_bytes(uri, b"old")

    def _full_disk(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(StorageError, match="No space left"):
        storage.write_bytes(uri, b"new")
    assert storage.read_bytes(uri) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.bin"]


def test_a_table_comes_back_and_can_be_read_by_a_range_of_ids(tmp_path: Path) -> None:
    uri = str(tmp_path / "t.parquet")
    ids = [f"img-{k:03d}" for k in range(100)]
    table = pa.table({"image_id": ids, "n": list(range(100))})
    storage.write_table(uri, table, row_group_size=10)
    assert storage.read_table(uri).equals(table)
    part = storage.read_table(uri, columns=["n"], ids=("img-015", "img-024"))
    assert part.column("n").to_pylist() == list(range(15, 25))


def test_a_file_that_is_not_parquet_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match="Parquet"):
        storage.read_table(str(path))


def test_the_digest_of_a_table_depends_on_rows_and_their_order_only() -> None:
    table = pa.table({"a": [1, 2, 3]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert storage.table_digest(chunked) == storage.table_digest(table)
    stamped = table.replace_schema_metadata({"x": "y"})
    assert storage.table_digest(stamped) == storage.table_digest(table)
    assert storage.table_digest(table.take([2, 1, 0])) != storage.table_digest(table)


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(InputError, match="bucket"):
        storage.read_bytes("s3:///key")
