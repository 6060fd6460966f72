"""Fetching, against servers that behave well and badly."""

import gzip
import hashlib
import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mammo_ray.config import FetchConfig
from mammo_ray.datasets.fetching.fetch import FetchOptions, fetch_data_set
from mammo_ray.datasets.fetching.google_drive import drive_file_id
from mammo_ray.datasets.fetching.unpack_rules import UnpackLimits
from mammo_ray.errors import InputError, MammoError, StorageError
from tests.datasets.fetching.loopback import broken_after, page, ranged, serving, status, whole
from tests.datasets.fetching.test_unpack import FILES, make_tar, make_zip, tree

QUICK = {"pause_seconds": 0.01, "timeout_seconds": 5.0}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    """A zip of some size, so that a line can break within it."""
    noise = hashlib.shake_128(b"noise").digest(3 * 2**20)
    return make_zip(tmp_path / "made.zip", {**FILES, "noise.bin": noise}).read_bytes()


def options(**settings: object) -> FetchOptions:
    return FetchOptions(**{**QUICK, **settings})


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "made.zip")


def test_an_archive_is_fetched_checked_and_unpacked(tmp_path: Path, packed: bytes) -> None:
    digest = hashlib.sha256(packed).hexdigest()
    with serving(whole(packed)) as server:
        done = fetch_data_set(
            f"{server.url}/sets/a.zip?token=secret", tmp_path / "out",
            options(checksum=f"sha256:{digest.upper()}"),
        )  # fmt: skip
    found = tree(tmp_path / "out")
    assert {name: found[name] for name in FILES} == FILES
    assert (done.sha256, done.bytes, done.files) == (digest, len(packed), 4)
    assert done.source == f"{server.url}/sets/a.zip"
    assert left_in(tmp_path) == ["out"]


def test_a_file_that_is_no_archive_is_put_under_a_safe_name(tmp_path: Path) -> None:
    answer = whole(b"a,b\n1,2\n", Content_Disposition='attachment; filename="../../my table.csv"')
    with serving(answer) as server:
        fetch_data_set(f"{server.url}/x", tmp_path / "out", options())
    assert tree(tmp_path / "out") == {"my_table.csv": b"a,b\n1,2\n"}


def test_a_packed_table_is_a_file_and_no_archive(tmp_path: Path) -> None:
    with serving(whole(gzip.compress(b"a,b\n1,2\n"))) as server:
        fetch_data_set(f"{server.url}/table.csv.gz", tmp_path / "out", options())
    [(name, content)] = tree(tmp_path / "out").items()
    assert (name, gzip.decompress(content)) == ("table.csv.gz", b"a,b\n1,2\n")


@pytest.mark.parametrize("name", ["set.zip", "set.TAR.GZ", "set.tgz"])
def test_what_is_called_an_archive_and_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with (
        serving(whole(b"\x01" * 2000)) as server,
        pytest.raises(InputError, match="although its name says so"),
    ):
        fetch_data_set(f"{server.url}/{name}", tmp_path / "out", options())
    assert left_in(tmp_path) == []


def test_an_archive_of_another_sort_is_kept_and_said_to_stay_packed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(whole(b"\xfd7zXZ\x00 and so on")) as server, caplog.at_level("WARNING"):
        fetch_data_set(f"{server.url}/set.tar.xz", tmp_path / "out", options())
    assert list(tree(tmp_path / "out")) == ["set.tar.xz"]
    assert "set.tar.xz stays packed" in caplog.text


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path, packed: bytes) -> None:
    with (
        serving(whole(packed)) as server,
        pytest.raises(InputError, match="has the checksum sha256:"),
    ):
        fetch_data_set(
            f"{server.url}/a.zip", tmp_path / "out", options(checksum="sha256:" + "0" * 64)
        )
    assert left_in(tmp_path) == []


def test_a_checksum_of_another_sort_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with serving(whole(b"")) as server, pytest.raises(InputError, match="64 hex digits"):
        fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options(checksum="md5:abc"))
    assert server.seen == []


def test_a_broken_line_goes_on_where_it_broke(tmp_path: Path, packed: bytes) -> None:
    tag = '"v1"'
    with serving(broken_after(packed, 2 * 2**20, ETag=tag), ranged(packed, tag)) as server:
        done = fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert [seen.headers.get("Range") for seen in server.seen] == [None, f"bytes={2 * 2**20}-"]
    assert done.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_second_start_goes_on_where_the_first_was_given_up(tmp_path: Path, packed: bytes) -> None:
    tag, start = '"v1"', 2 * 2**20
    out = tmp_path / "out"
    script = (broken_after(packed, start, ETag=tag), status(503), ranged(packed, tag))
    with serving(*script) as server:
        url = f"{server.url}/a.zip"
        with pytest.raises(StorageError, match="given up after 2 attempts: status 503; start the"):
            fetch_data_set(url, out, options(attempts=2))
        assert not out.exists()
        done = fetch_data_set(url, out, options())
    assert server.seen[-1].headers.get("Range") == f"bytes={start}-"
    assert done.resumed
    assert done.sha256 == hashlib.sha256(packed).hexdigest()
    assert left_in(tmp_path) == ["out"]


def test_what_is_left_of_one_address_is_never_continued_by_another(
    tmp_path: Path, packed: bytes
) -> None:
    with (
        serving(broken_after(packed, 2 * 2**20, ETag='"v1"')) as server,
        pytest.raises(StorageError),
    ):
        fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options(attempts=1))
    with serving(ranged(packed, '"v1"')) as server:
        done = fetch_data_set(f"{server.url}/b.zip", tmp_path / "out", options())
    assert [seen.headers.get("Range") for seen in server.seen] == [None]
    assert not done.resumed


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path, packed: bytes) -> None:
    old = b"x" * len(packed)
    with serving(broken_after(old, 2 * 2**20, ETag='"v1"'), ranged(packed, '"v2"')) as server:
        done = fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert done.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_range_that_does_not_fit_is_not_appended(tmp_path: Path, packed: bytes) -> None:
    tag = '"v1"'
    wrong = f"bytes 0-{len(packed) - 1}/{len(packed)}"
    script = (
        broken_after(packed, 2 * 2**20, ETag=tag),
        lambda request: request.send(206, packed, ETag=tag, Content_Range=wrong),
        whole(packed, ETag=tag),
    )
    with serving(*script) as server:
        done = fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert len(server.seen) == 3
    assert done.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_server_that_cannot_resume_is_asked_for_the_whole(tmp_path: Path, packed: bytes) -> None:
    with serving(broken_after(packed, 1000), whole(packed)) as server:
        done = fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert [seen.headers.get("Range") for seen in server.seen] == [None, None]
    assert done.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_busy_server_is_asked_again(tmp_path: Path, packed: bytes) -> None:
    busy = (status(503), status(429, Retry_After="0"))
    with serving(*busy, whole(packed)) as server:
        fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert len(server.seen) == 3


@pytest.mark.parametrize("code", [404, 410, 403])
def test_a_refusal_is_final_and_tells_no_secret(
    tmp_path: Path, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mammo_ray")
    with serving(status(code)) as server:
        url = f"{server.url}/a.zip?token=secret".replace("://", "://user:pass@")
        with pytest.raises(InputError, match=f"status {code}") as error:
            fetch_data_set(url, tmp_path / "out", options())
    assert len(server.seen) == 1
    assert "secret" not in f"{error.value}{caplog.text}"
    assert "pass" not in f"{error.value}{caplog.text}"
    assert left_in(tmp_path) == []


def test_no_server_is_a_failure_of_storage_and_tells_no_secret(tmp_path: Path) -> None:
    with serving(whole(b"")) as server:
        pass
    with pytest.raises(StorageError, match="given up after 2 attempts") as error:
        fetch_data_set(f"{server.url}/a.zip?token=secret", tmp_path / "out", options(attempts=2))
    assert "secret" not in str(error.value)


def test_redirects_are_followed_to_http_only(tmp_path: Path, packed: bytes) -> None:
    with serving(whole(packed)) as there:
        with serving(status(302, Location=f"{there.url}/b.zip")) as server:
            fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
        for place in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
            with (
                serving(status(302, Location=place)) as server,
                pytest.raises(InputError, match="not http"),
            ):
                fetch_data_set(f"{server.url}/a.zip", tmp_path / "out2", options())
    assert left_in(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "answer",
    [
        page("<html><title>Sign in</title></html>"),
        whole(b"\n<!DOCTYPE html><title>Sign in</title>"),
    ],
)
def test_a_web_page_instead_of_a_file_is_refused(tmp_path: Path, answer: object) -> None:
    with serving(answer) as server, pytest.raises(InputError, match=r"web page.*'Sign in'"):
        fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert left_in(tmp_path) == []


def test_a_file_over_the_cap_is_refused_before_and_while_it_comes(
    tmp_path: Path, packed: bytes
) -> None:
    def chunked(request: object) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for start in range(0, len(packed), 2**16):
            piece = packed[start : start + 2**16]
            request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n")

    for answer in (whole(packed), chunked):
        with serving(answer) as server, pytest.raises(InputError, match="at most 1,000,000"):
            fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options(most_bytes=1_000_000))
    with serving(chunked) as server:
        assert fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options()).files == 4


def test_a_refused_archive_leaves_nothing(tmp_path: Path) -> None:
    evil = make_zip(tmp_path / "made.zip", {"../x": b"evil"}).read_bytes()
    with serving(whole(evil)) as server, pytest.raises(InputError, match=r"'\.\./x'"):
        fetch_data_set(f"{server.url}/a.zip", tmp_path / "out", options())
    assert left_in(tmp_path) == []


def test_a_local_archive_is_unpacked(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "all-mias.tar.gz", FILES)
    done = fetch_data_set(str(path), tmp_path / "out", options())
    assert tree(tmp_path / "out") == FILES
    assert done.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="holds files already"):
        fetch_data_set(str(path), tmp_path / "out", options())
    with pytest.raises(InputError, match="more than 2 members"):
        fetch_data_set(str(path), tmp_path / "o", options(limits=UnpackLimits(members=2)))


@pytest.mark.parametrize("source", ["ftp://x/a.zip", "s3://bucket/a.zip", "nowhere.zip"])
def test_another_source_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match=r"expected http|is not a file"):
        fetch_data_set(source, tmp_path / "out", options())


ID = "1AbC_defGhIjK-lmnOp"
WARNING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body>
<form id="search" action="/nowhere"><input name="q" value="no"></form>
<form id="download-form" action="ACTION" method="get"><input type="submit" value="Download anyway">
<input type="hidden" name="id" value="1AbC_defGhIjK-lmnOp"><input type="hidden" name="export"
value="download"><input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid"
value="0f-9&amp;1"></form></body></html>"""


@pytest.mark.parametrize(
    "link",
    [
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/file/u/0/d/{ID}/edit",
        f"https://drive.google.com/open?id={ID}",
        f"https://drive.google.com/uc?export=download&id={ID}",
        f"https://drive.usercontent.google.com/download?id={ID}&export=download",
    ],
)
def test_every_form_of_a_drive_link_names_its_file(link: str) -> None:
    assert drive_file_id(link) == ID


def test_a_drive_folder_is_refused_and_other_hosts_are_no_drive() -> None:
    assert drive_file_id("https://example.org/file/d/x/view") is None
    with pytest.raises(InputError, match="names no file"):
        drive_file_id("https://drive.google.com/drive/folders/1AbC?usp=sharing")


def test_the_virus_scan_page_of_drive_is_followed(tmp_path: Path, packed: bytes) -> None:
    with serving(page(WARNING.replace("ACTION", "/download")), whole(packed)) as server:
        link = f"https://drive.google.com/file/d/{ID}/view"
        done = fetch_data_set(link, tmp_path / "out", options(drive=server.url))
    assert server.seen[0].path == f"/download?id={ID}&export=download&confirm=t"
    assert server.seen[1].path == f"/download?id={ID}&export=download&confirm=t&uuid=0f-9%261"
    assert (done.files, done.source) == (4, f"https://drive.google.com/file/d/{ID}/view")


def test_a_drive_file_that_comes_at_once_needs_no_page(tmp_path: Path, packed: bytes) -> None:
    with serving(whole(packed)) as server:
        done = fetch_data_set(
            f"https://drive.google.com/open?id={ID}", tmp_path / "out", options(drive=server.url)
        )
    assert done.files == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><title>Google Drive - Quota exceeded</title>", "Quota exceeded.*too often"),
        (WARNING.replace("ACTION", "https://evil.example/x"), "another server"),
    ],
)
def test_another_page_of_drive_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with serving(page(text)) as server, pytest.raises(InputError, match=message):
        fetch_data_set(
            f"https://drive.google.com/open?id={ID}", tmp_path / "o", options(drive=server.url)
        )
    assert left_in(tmp_path) == []


@pytest.fixture
def kagglehub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for kagglehub whose cache holds one data set."""
    cache = tmp_path / "cache" / "versions" / "1"
    for name, content in FILES.items():
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(content)
    hub, errors = ModuleType("kagglehub"), ModuleType("kagglehub.exceptions")
    errors.NotFoundError = type("NotFoundError", (Exception,), {})

    def dataset_download(handle: str) -> str:
        if handle != "owner/set":
            raise errors.NotFoundError(f"https://www.kaggle.com/{handle}?token=secret")
        return str(cache)

    hub.dataset_download = dataset_download
    hub.cache = cache
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", errors)
    return hub


def test_a_kaggle_data_set_is_put_into_the_folder(tmp_path: Path, kagglehub: ModuleType) -> None:
    done = fetch_data_set("kaggle:owner/set", tmp_path / "out", options())
    assert tree(tmp_path / "out") == FILES == tree(kagglehub.cache)
    assert (done.sha256, done.files, done.bytes) == (None, 3, 10_248)


def test_an_unknown_kaggle_data_set_is_refused_without_secrets(
    tmp_path: Path, kagglehub: ModuleType
) -> None:
    assert kagglehub.cache.exists()
    with pytest.raises(InputError, match=r"NotFoundError.*KAGGLE_API_TOKEN") as error:
        fetch_data_set("kaggle:owner/other", tmp_path / "out", options())
    assert "secret" not in str(error.value)
    for handle in ("owner", "../../etc", "owner/set/../x"):
        with pytest.raises(InputError, match="must look like"):
            fetch_data_set(f"kaggle:{handle}", tmp_path / "out", options())


def test_a_link_or_too_much_in_a_kaggle_data_set_is_refused(
    tmp_path: Path, kagglehub: ModuleType
) -> None:
    with pytest.raises(InputError, match="more than 2 members"):
        fetch_data_set("kaggle:owner/set", tmp_path / "o", options(limits=UnpackLimits(members=2)))
    (kagglehub.cache / "link").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="'link': it is no plain file"):
        fetch_data_set("kaggle:owner/set", tmp_path / "out", options())
    assert left_in(tmp_path) == ["cache"]


def test_without_kagglehub_its_installation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MammoError, match=r"pip install 'mammo-ray\[kaggle\]'"):
        fetch_data_set("kaggle:owner/set", tmp_path / "out", options())


def test_the_real_kagglehub_fetches_from_a_server_on_loopback(
    tmp_path: Path, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its test environment is localhost:7777; data sets are asked for by POST."""
    pytest.importorskip("kagglehub")
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    version = whole(b'{"currentVersionNumber": 3}', Content_Type="application/json")
    try:
        with serving(version, whole(packed), port=7777) as server:
            done = fetch_data_set("kaggle:owner/set", tmp_path / "out", options())
    except PermissionError:
        pytest.skip("port 7777 is taken")
    assert [seen.path.rpartition("/")[2] for seen in server.seen] == [
        "GetDataset",
        "DownloadDataset",
    ]
    found = tree(tmp_path / "out")
    assert {name: found[name] for name in FILES} == FILES
    assert done.files == 4


def test_the_configuration_gives_the_limits() -> None:
    chosen = FetchOptions.of(FetchConfig(max_gigabytes=1.5, max_files=7, attempts=2), "sha256:x")
    assert (chosen.most_bytes, chosen.limits.total_bytes) == (1_500_000_000, 1_500_000_000)
    assert (chosen.limits.members, chosen.attempts, chosen.checksum) == (7, 2, "sha256:x")
    assert FetchOptions.of(FetchConfig()).limits.ratio == UnpackLimits().ratio
