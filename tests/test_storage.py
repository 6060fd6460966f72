"""Local files and object storage answer alike; writes are whole or not at all."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws

from mammo_ray import object_storage, storage
from mammo_ray.errors import ConfigError, InputError, StorageError
from mammo_ray.object_storage.connection import connection, encryption

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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
        object_storage.reconnect()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}/root"
    object_storage.reconnect()


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


def test_a_listing_cut_at_its_top_folders_is_the_whole_listing(root: str) -> None:
    for name in ("top.txt", "a/1.dcm", "a/b/2.dcm", "c/3.dcm", "ab/4.dcm"):
        storage.write_bytes(storage.join(root, name), name.encode())
    folders, files = storage.list_top(root)
    assert folders == ["a", "ab", "c"]
    cut = sorted([*files, *(f for name in folders for f in storage.list_folder(root, name))])
    assert cut == storage.list_files(root)
    assert len(cut) == 5


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


def test_a_loop_back_to_the_root_ends_when_a_folder_is_listed_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.dcm").write_bytes(b"1")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    alone = storage.list_folder(str(tmp_path), "a")
    assert alone == storage.list_files(str(tmp_path))


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
        object_storage.reconnect()
        client = object_storage.client()
        client.meta.events.register(
            "before-call.s3.GetObject", lambda **_: _answer(403, "AccessDenied")
        )
        with pytest.raises(StorageError, match="AccessDenied"):
            storage.read_bytes("s3://films/secret/patient-name.dcm")
    object_storage.reconnect()


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


def test_of_many_writers_of_a_new_local_file_one_is_told_so(tmp_path: Path) -> None:
    uri = str(tmp_path / "run" / "lease")
    with ThreadPoolExecutor(8) as writers:
        told = list(writers.map(lambda k: storage.write_new(uri, bytes([k])), range(32)))
    assert sum(told) == 1
    assert storage.read_bytes(uri) == bytes([told.index(True)])
    assert [path.name for path in Path(uri).parent.iterdir()] == ["lease"]
    assert storage.has_first_writer(str(tmp_path))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An AWS environment with keys and nothing else; what a test sets is read anew."""
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    object_storage.reconnect()
    yield monkeypatch
    object_storage.reconnect()


def test_amazons_own_store_is_no_endpoint_of_ours(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_REGION", "eu-north-1")
    found = connection()
    assert (found.endpoint, found.region, found.virtual_hosts) == (None, "eu-north-1", False)
    assert found.attempts == 8


def test_another_store_is_addressed_by_path_unless_the_profile_says_otherwise(
    aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws.setenv("AWS_ENDPOINT_URL_S3", "http://store.example:9000")
    aws.setenv("AWS_MAX_ATTEMPTS", "3")
    found = connection()
    assert found.endpoint == "http://store.example:9000"
    assert (found.region, found.attempts) == ("us-east-1", 3)
    assert _host_of(found.client) == "store.example:9000"
    words = "[default]\ns3 =\n  addressing_style = virtual\n"
    (tmp_path / "config").write_text(words, encoding="utf-8")
    object_storage.reconnect()
    assert connection().virtual_hosts
    assert _host_of(connection().client) == "films.store.example:9000"


def _host_of(client: "S3Client") -> str:
    signed = client.generate_presigned_url("get_object", Params={"Bucket": "films", "Key": "a"})
    return urlsplit(signed).netloc


def test_an_endpoint_that_is_no_address_is_a_configuration_error(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "store")
    with pytest.raises(ConfigError, match="endpoint"):
        storage.read_bytes("s3://films/a")


def test_an_unknown_profile_is_told_by_its_variable(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageError, match="AWS_PROFILE names a profile"):
        storage.read_bytes("s3://films/a")


def test_nobody_at_the_endpoint_is_a_storage_error_for_boto_and_for_arrow(
    aws: pytest.MonkeyPatch,
) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match="bucket films: nothing answers at the endpoint"):
        storage.read_bytes("s3://films/a")
    with pytest.raises(StorageError, match=r"bucket films: .*NETWORK_CONNECTION"):
        storage.read_table("s3://films/a.parquet")


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        ("", "", {}),
        ("AES256", "", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", "k", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}),
    ],
)
def test_encryption_is_asked_for_as_the_environment_says(
    aws: pytest.MonkeyPatch, kind: str, key: str, expected: dict[str, str]
) -> None:
    aws.setenv("MAMMO_S3_SSE", kind)
    aws.setenv("MAMMO_S3_SSE_KMS_KEY_ID", key)
    assert encryption() == expected


def test_a_key_without_a_kind_of_encryption_is_refused(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("MAMMO_S3_SSE_KMS_KEY_ID", "k")
    with pytest.raises(ConfigError, match="MAMMO_S3_SSE=aws:kms"):
        encryption()


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(InputError, match="bucket"):
        storage.read_bytes("s3:///key")
