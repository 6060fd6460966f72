"""Object storage for real: our storage against an S3 server, well and with faults on the way."""

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from mammo_ray import object_storage, storage
from mammo_ray.config import Config
from mammo_ray.distributed.ingest import prepare_archive
from mammo_ray.distributed.manifest import build_manifest
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.score import score_archive
from mammo_ray.errors import ConfigError, InputError, StorageError
from mammo_ray.object_storage.multipart import PIECE_BYTES
from mammo_ray.schema import Layout
from tests.integration.conftest import Flow
from tests.integration.fault_proxy import Fault
from tests.integration.s3_fixtures import S3

_NOISE = np.random.default_rng(3)


def _noise(count: int) -> bytes:
    return _NOISE.bytes(count)


def _bucket_name(bucket: str) -> str:
    return bucket.removeprefix("s3://")


def _open_uploads(bucket: str) -> int:
    found = object_storage.client().list_multipart_uploads(Bucket=_bucket_name(bucket))
    return len(found.get("Uploads", []))


def test_what_is_written_is_read_whole_by_range_and_by_arrow(bucket: str) -> None:
    content = _noise(100_000)
    uri = f"{bucket}/a folder/ä+b.bin"
    storage.write_bytes(uri, content)
    assert storage.read_bytes(uri) == content
    assert storage.read_bytes(uri, 99_990, 50) == content[-10:]
    assert storage.read_bytes(uri, 200_000, 50) == b""
    filesystem, path = storage.filesystem_of(uri)
    with filesystem.open_input_file(path) as file:
        assert file.read_at(7, 50_000) == content[50_000:50_007]
    assert storage.exists(uri)
    assert not storage.exists(f"{bucket}/a folder")


def test_a_listing_of_more_than_a_page_is_whole_and_sorted(bucket: str) -> None:
    names = [f"site/{number % 7}/{number:05d}.dcm" for number in range(1_105)]
    with ThreadPoolExecutor(8) as writers:
        list(
            writers.map(lambda name: storage.write_bytes(f"{bucket}/{name}", name.encode()), names)
        )
    found = storage.list_files(f"{bucket}/site")
    assert [f"site/{file.relative_path}" for file in found] == sorted(names)
    assert {file.bytes for file in found} == {len(names[0])}
    folders, files = storage.list_top(f"{bucket}/site")
    assert (folders, files) == ([str(number) for number in range(7)], [])
    storage.delete_folder(f"{bucket}/site/3")
    assert len(storage.list_files(bucket)) == 1_105 - len(storage.list_files(f"{bucket}/site/0"))


def test_a_big_object_appears_whole_and_a_failed_one_not_at_all(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = _noise(2 * PIECE_BYTES + 5)
    storage.write_bytes(f"{bucket}/big", content)
    assert storage.read_bytes(f"{bucket}/big") == content
    etag = object_storage.client().head_object(Bucket=_bucket_name(bucket), Key="big")["ETag"]
    assert etag.strip('"').endswith("-3")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    object_storage.reconnect()
    with s3.proxy.failing(0.7, Fault.BUSY, Fault.LOST_REQUEST):
        for number in range(8):
            with pytest.raises(StorageError):
                storage.write_bytes(f"{bucket}/never-{number}", content)
    assert [file.relative_path for file in storage.list_files(bucket)] == ["big"]


def test_the_pieces_of_a_failed_object_are_taken_back(bucket: str) -> None:
    client = object_storage.client()
    seen: list[int] = []

    def _refuse_the_last(**_: object) -> None:
        seen.append(_open_uploads(bucket))
        raise ConnectionAbortedError

    client.meta.events.register("before-call.s3.CompleteMultipartUpload", _refuse_the_last)
    with pytest.raises(ConnectionAbortedError):
        storage.write_bytes(f"{bucket}/big", _noise(PIECE_BYTES + 1))
    assert seen == [1]
    assert _open_uploads(bucket) == 0
    assert not storage.is_there(bucket)


def test_a_big_object_whose_last_answer_got_lost_is_there(s3: S3, bucket: str) -> None:
    content = _noise(PIECE_BYTES + 1)
    client = object_storage.client()

    def _lose_one(**_: object) -> None:
        s3.proxy.rate, s3.proxy.kinds = 1.0, (Fault.LOST_ANSWER,)

    def _no_more(**_: object) -> None:
        s3.proxy.rate = 0.0

    client.meta.events.register("before-call.s3.CompleteMultipartUpload", _lose_one)
    client.meta.events.register("needs-retry.s3.CompleteMultipartUpload", _no_more)
    storage.write_bytes(f"{bucket}/big", content)
    assert s3.proxy.met[Fault.LOST_ANSWER] >= 1
    assert storage.read_bytes(f"{bucket}/big") == content
    assert _open_uploads(bucket) == 0


def test_of_two_writers_the_first_wins(bucket: str, tmp_path: Path) -> None:
    for root in (bucket, str(tmp_path)):
        assert storage.has_first_writer(root)
        assert storage.write_new(storage.join(root, "a", "lease"), b"first")
        assert not storage.write_new(storage.join(root, "a", "lease"), b"second")
        assert storage.read_bytes(storage.join(root, "a", "lease")) == b"first"
        assert [f.relative_path for f in storage.list_files(root)] == ["a/lease"]


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_on_the_way_is_overcome(s3: S3, bucket: str, fault: Fault) -> None:
    table = pa.table({"image_id": [f"img-{k:05d}" for k in range(5_000)], "n": range(5_000)})
    content = _noise(300_000)
    with s3.proxy.failing(0.2, fault) as proxy:
        for number in range(4):
            storage.write_bytes(f"{bucket}/raw/{number}", content)
            storage.write_table(f"{bucket}/tables/{number}.parquet", table)
            assert storage.read_bytes(f"{bucket}/raw/{number}") == content
            assert (
                storage.read_bytes(f"{bucket}/raw/{number}", 1_000, 200_000)[-1] == content[200_999]
            )
            assert storage.read_table(f"{bucket}/tables/{number}.parquet").equals(table)
            assert len(storage.list_files(f"{bucket}/raw")) == number + 1
        assert storage.read_table(f"{bucket}/tables").num_rows == 20_000
    assert proxy.met[fault] > 2


def test_a_body_that_always_breaks_off_ends_as_a_storage_error(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{bucket}/film", _noise(1_000))
    monkeypatch.setattr("mammo_ray.object_storage.faults._LONGEST_PAUSE_SECONDS", 0.01)
    broken = pytest.raises(StorageError, match="broke off every time")
    with s3.proxy.failing(1.0, Fault.TRUNCATED) as proxy, broken:
        storage.read_bytes(f"{bucket}/film")
    assert proxy.met[Fault.TRUNCATED] == 7


def test_missing_things_are_told_apart(bucket: str) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{bucket}/nothing")
    with pytest.raises(InputError, match="no object has this prefix"):
        storage.list_files(f"{bucket}/nowhere")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        storage.read_table(f"{bucket}/nothing.parquet")
    gone = "s3://films-that-never-were"
    for use in (
        lambda: storage.read_bytes(f"{gone}/a"),
        lambda: storage.exists(f"{gone}/a"),
        lambda: storage.write_bytes(f"{gone}/a", b"1"),
        lambda: storage.list_files(gone),
    ):
        with pytest.raises(StorageError, match=r"bucket films-that-never-were: there is no such"):
            use()


def test_refused_keys_are_told_without_a_secret(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_table(f"{bucket}/t.parquet", pa.table({"a": [1]}))
    said = []
    for name, value in (
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
        ("AWS_ACCESS_KEY_ID", "NOT-THE-KEY"),
    ):
        monkeypatch.setenv(name, value)
        object_storage.reconnect()
        for use in (
            lambda: storage.read_bytes(f"{bucket}/patient-name.dcm"),
            lambda: storage.exists(f"{bucket}/patient-name.dcm"),
            lambda: storage.write_bytes(f"{bucket}/patient-name.dcm", b"1"),
            lambda: storage.read_table(f"{bucket}/t.parquet"),
        ):
            with pytest.raises(StorageError) as caught:
                use()
            said.append(str(caught.value))
    assert "the secret key is not the access key's (SignatureDoesNotMatch)" in said[0]
    assert "the store does not know the access key (InvalidAccessKeyId)" in said[4]
    assert "access denied" in said[1]
    assert "access denied" in said[3].lower()
    assert not any(word in text for text in said for word in ("not-the", "NOT-THE", "patient"))


def test_another_owners_bucket_is_access_denied(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{bucket}/film", b"1")
    keys = ("--access-key=STRANGER", "--secret-key=strange")
    s3.store.admin("user", "create", "--uid=stranger", "--display-name=stranger", *keys)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "STRANGER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "strange")
    object_storage.reconnect()
    with pytest.raises(StorageError, match=r"access denied.*\(AccessDenied\)"):
        storage.read_bytes(f"{bucket}/film")
    with pytest.raises(StorageError, match=r"access denied.*\(AccessDenied\)"):
        storage.list_files(bucket)


def test_keys_that_are_renewed_at_night_are_followed(
    s3: S3, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider whose keys end soon is asked again, also by a file system made before."""
    answer, config = tmp_path / "keys.json", tmp_path / "config"
    config.write_text(
        f"[default]\nregion = us-east-1\ncredential_process = cat {answer}\n", encoding="utf-8"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    def _issue() -> str:
        key = s3.store.add_key("of-this-hour")
        end = (pd.Timestamp.now("UTC") + pd.Timedelta(minutes=5)).isoformat()
        tree = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "of-this-hour"}
        answer.write_text(json.dumps({**tree, "Expiration": end}), encoding="utf-8")
        return key

    evening = _issue()
    object_storage.reconnect()
    storage.write_table(f"{bucket}/t.parquet", pa.table({"a": [1, 2]}))
    filesystem, path = storage.filesystem_of(f"{bucket}/t.parquet")
    assert pq.read_table(path, filesystem=filesystem).num_rows == 2
    client = object_storage.client()
    _issue()
    s3.store.remove_key(evening)
    assert pq.read_table(path, filesystem=filesystem).num_rows == 2
    assert storage.exists(f"{bucket}/t.parquet")
    assert object_storage.client() is client


def test_keys_that_a_tool_puts_into_the_file_are_found_when_the_old_ones_end(
    s3: S3, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))

    def _issue() -> str:
        key = s3.store.add_key("from-file")
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = from-file\n"
        file.write_text(text, encoding="utf-8")
        return key

    for use in (
        lambda: storage.exists(f"{bucket}/t.parquet"),
        lambda: storage.read_table(f"{bucket}/t.parquet"),
        lambda: storage.list_files(bucket),
    ):
        old = _issue()
        object_storage.reconnect()
        storage.write_table(f"{bucket}/t.parquet", pa.table({"a": [1, 2]}))
        assert storage.read_table(f"{bucket}/t.parquet").num_rows == 2
        _issue()
        s3.store.remove_key(old)
        assert use()


def test_a_file_system_sent_to_a_worker_carries_no_secret(s3: S3, bucket: str) -> None:
    filesystem, _ = storage.filesystem_of(bucket)
    assert filesystem.get_file_info([_bucket_name(bucket)])[0].type.name == "Directory"
    sent = pickle.dumps(filesystem)
    assert s3.store.secret_key.encode() not in sent
    assert s3.store.access_key.encode() not in sent
    assert pickle.loads(sent).equals(filesystem)  # noqa: S301 (our own bytes)


def test_what_arrow_writes_appears_when_it_is_closed_and_never_in_part(bucket: str) -> None:
    filesystem, path = storage.filesystem_of(f"{bucket}/checkpoint/model")
    stream = filesystem.open_output_stream(path)
    stream.write(b"half")
    assert not storage.exists(f"{bucket}/checkpoint/model")
    del stream
    assert not storage.exists(f"{bucket}/checkpoint/model")
    with filesystem.open_output_stream(path) as stream:
        stream.write(b"who")
        stream.write(b"le")
    assert storage.read_bytes(f"{bucket}/checkpoint/model") == b"whole"


def test_folders_are_copied_there_and_back_as_checkpoints_are(bucket: str, tmp_path: Path) -> None:
    content = {"model.keras": _noise(9_000_000), "deep/facts.json": b"{}"}
    for name, value in content.items():
        storage.write_bytes(str(tmp_path / "from" / name), value)
    filesystem, path = storage.filesystem_of(f"{bucket}/run/checkpoint")
    filesystem.create_dir(path)
    local = pafs.LocalFileSystem()
    pafs.copy_files(str(tmp_path / "from"), path, local, filesystem)
    assert {f.relative_path for f in storage.list_files(f"{bucket}/run/checkpoint")} == set(content)
    pafs.copy_files(path, str(tmp_path / "back"), filesystem, local)
    for name, value in content.items():
        assert (tmp_path / "back" / name).read_bytes() == value
    filesystem.delete_dir(path)
    assert not storage.is_there(f"{bucket}/run/checkpoint")


def test_objects_are_encrypted_as_the_environment_says(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAMMO_S3_SSE", "aws:kms")
    monkeypatch.setenv("MAMMO_S3_SSE_KMS_KEY_ID", "night")
    filesystem, path = storage.filesystem_of(f"{bucket}/streamed")
    content = {"small": b"1" * 100, "big": _noise(PIECE_BYTES + 1), "streamed": b"2" * 100}
    storage.write_bytes(f"{bucket}/small", content["small"])
    storage.write_bytes(f"{bucket}/big", content["big"])
    with filesystem.open_output_stream(path) as stream:
        stream.write(content["streamed"])
    for key, expected in content.items():
        head = object_storage.client().head_object(Bucket=_bucket_name(bucket), Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "night")
        assert storage.read_bytes(f"{bucket}/{key}") == expected
    monkeypatch.setenv("MAMMO_S3_SSE", "rot13")
    with pytest.raises(ConfigError, match="rot13"):
        storage.write_bytes(f"{bucket}/small", b"1")


@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_the_flow_on_object_storage_gives_the_local_digest(
    s3: S3, bucket: str, flow: Flow, small: Config, rate: float
) -> None:
    for name in ("archive", "model"):
        root = Path(getattr(flow, name))
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            relative = file.relative_to(root).as_posix()
            storage.write_bytes(f"{bucket}/{name}/{relative}", file.read_bytes())
    origin = Origin(Layout.ARCHIVE, f"{bucket}/archive", outcomes=f"{bucket}/archive/outcomes.csv")
    with s3.proxy.failing(rate) as proxy:
        before = proxy.requests
        assert build_manifest(origin, small, f"{bucket}/manifest")[1] == 0
        prepared, code = prepare_archive(f"{bucket}/manifest", small, f"{bucket}/prepared")
        assert code == 0
        scored, code = score_archive(
            f"{bucket}/manifest", f"{bucket}/model", small, f"{bucket}/scores"
        )
        assert code == 0
    print(f"{proxy.requests - before} requests, {sum(proxy.met.values())} faults: {proxy.met}")
    for record, local in ((prepared, flow.prepared), (scored, flow.scores)):
        quiet = json.loads(Path(local, "run.json").read_text(encoding="utf-8"))
        assert record.outputs["content_digest"] == quiet["outputs"]["content_digest"]
        assert record.counts == quiet["counts"]
    assert bool(proxy.met) is bool(rate)
    _require_readable(f"{bucket}/prepared", "done")
    _require_readable(f"{bucket}/scores", "planned")


@pytest.mark.parametrize(("stage", "counted"), [("prepared", "done"), ("scores", "planned")])
def test_other_readers_find_as_many_rows_as_the_mark_counts(
    flow: Flow, stage: str, counted: str
) -> None:
    _require_readable(getattr(flow, stage), counted)


def _require_readable(folder: str, counted: str) -> None:
    """Read a result as a stranger would: his own pandas and Arrow, told the place and no more."""
    expected = json.loads(storage.read_bytes(storage.join(folder, "_SUCCESS")))[counted]
    reader = (
        "import sys, os, pandas, pyarrow.dataset as d, pyarrow.fs as f\n"
        "place = sys.argv[1]\n"
        "ids = set(pandas.read_parquet(place, columns=['image_id']).image_id)\n"
        "print(len(ids), d.dataset(place, format='parquet').count_rows())\n"
    )
    place = storage.join(folder, "images")
    if storage.is_s3(folder):
        endpoint = os.environ["AWS_ENDPOINT_URL"]
        place = (
            f"{place}?endpoint_override={endpoint.replace('://', '%3A%2F%2F').replace(':', '%3A')}"
        )
    said = subprocess.run(
        [sys.executable, "-c", reader, place], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(expected), str(expected)]
