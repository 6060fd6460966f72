"""A listing made elsewhere stands for one of storage."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.listing import read_listing
from mammo_ray.errors import InputError


def _csv(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_names_and_sizes_become_sorted_files_below_the_root(tmp_path: Path) -> None:
    listing = _csv(tmp_path / "l.csv", "path,bytes\nb/2.dcm,20\na/1.dcm,10\n")
    files = read_listing(listing, "s3://bucket/site", sizes_needed=True)
    assert [(f.relative_path, f.uri, f.bytes) for f in files] == [
        ("a/1.dcm", "s3://bucket/site/a/1.dcm", 10),
        ("b/2.dcm", "s3://bucket/site/b/2.dcm", 20),
    ]


def test_a_parquet_listing_says_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": ["a.dcm"], "size": [7]})
    frame.to_parquet(tmp_path / "l.parquet")
    [file] = read_listing(str(tmp_path / "l.parquet"), "/data", sizes_needed=True)
    assert (file.uri, file.bytes) == ("/data/a.dcm", 7)


def test_series_and_file_make_a_path(tmp_path: Path) -> None:
    listing = _csv(tmp_path / "l.csv", "series_instance_uid,file\n1.2.3,1-1.jpg\n")
    [file] = read_listing(listing, "/data", sizes_needed=False)
    assert file.relative_path == "1.2.3/1-1.jpg"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nx\n", "expected 'path'"),
        ("path\na.dcm\n", "no column 'bytes'"),
        ("path,bytes\n../x.dcm,1\n", "line 2"),
        ("path,bytes\n/etc/x.dcm,1\n", "not a relative path"),
        ("path,bytes\na\\x.dcm,1\n", "not a relative path"),
        ("path,bytes\na.dcm,many\n", "line 2: bytes is not a number"),
        ("path,bytes\na.dcm,1\na.dcm,1\n", "twice"),
    ],
)
def test_a_listing_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_listing(_csv(tmp_path / "l.csv", text), "/data", sizes_needed=True)


def test_a_listing_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="not a table"):
        read_listing(str(tmp_path / "l.parquet"), "/data", sizes_needed=False)
    with pytest.raises(InputError, match="cannot be read"):
        read_listing(str(tmp_path / "absent.csv"), "/data", sizes_needed=False)
