"""The manifest of a data set from its folder or zip to its tables, in this process."""

import logging
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray import storage
from mammo_ray.config import Config, DecodeConfig
from mammo_ray.distributed.manifest import build_manifest
from mammo_ray.distributed.origin import Origin
from mammo_ray.errors import InputError, UsageError
from mammo_ray.schema import Layout

_CONFIG = Config(recipe="test", decode=DecodeConfig(sandbox=False))
_PIXELS = np.arange(120, dtype=np.uint8).reshape(12, 10)


def _pictures(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / path), (_PIXELS > 60) * np.uint8(255) if "mask" in path else _PIXELS)
    return root


def _zip(archive: Path, folder: Path, extra: str = "") -> str:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*.png")):
            opened.write(path, path.relative_to(folder))
        if extra:
            opened.writestr(extra, "x")
    return str(archive)


def _build(layout: Layout, root: object, out: Path, **origin: object) -> dict[str, int]:
    return build_manifest(Origin(layout, str(root), **origin), _CONFIG, str(out))[0].counts


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_mask_without_its_image_is_one_rejection_of_the_account(tmp_path: Path) -> None:
    root = _pictures(tmp_path / "set", "images/a.png", "masks/a.png", "masks/b.png")
    counts = _build(Layout.PAIRS, root, tmp_path / "out")
    assert (counts["seen"], counts["rows"], counts["excluded"], counts["rejected"]) == (3, 1, 1, 1)


def test_a_zip_is_read_from_its_files_below_the_result(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", _pictures(tmp_path / "set", "images/a.png", "masks/a.png"))
    out = tmp_path / "out"
    assert _build(Layout.PAIRS, archive, out)["rows"] == 1
    assert _build(Layout.PAIRS, archive, out)["rows"] == 1  # and once more
    uris = storage.read_table(str(out / "manifest.parquet"), columns=["uri"])["uri"].to_pylist()
    assert uris == [str(out / "files/images/a.png")]
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["files"]


@pytest.mark.parametrize("extra", ["../x", ""])
def test_a_zip_that_cannot_be_read_leaves_an_earlier_result_as_it_was(
    tmp_path: Path, extra: str
) -> None:
    good = _zip(tmp_path / "a.zip", _pictures(tmp_path / "set", "images/a.png", "masks/a.png"))
    bad = _zip(tmp_path / "b.zip", _pictures(tmp_path / "other", "images/b.png"), extra)
    out = tmp_path / "out"
    _build(Layout.PAIRS, good, out)
    before = _content(out)
    with pytest.raises(InputError):
        _build(Layout.PAIRS, bad, out)
    assert _content(out) == before
    with pytest.raises(InputError):
        _build(Layout.PAIRS, bad, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_files_that_no_run_has_unpacked_are_never_replaced(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", _pictures(tmp_path / "set", "images/a.png", "masks/a.png"))
    own = tmp_path / "out/files/own.txt"
    own.parent.mkdir(parents=True)
    own.write_text("kept", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already"):
        _build(Layout.PAIRS, archive, tmp_path / "out")
    assert own.read_text(encoding="utf-8") == "kept"


def test_outcomes_do_not_replace_the_labels_of_a_data_set(tmp_path: Path) -> None:
    root = _pictures(tmp_path / "set", "0/a.png", "1/b.png")
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("patient_id,cancer\na,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="2 here have their own"):
        _build(Layout.FOLDERS, root, tmp_path / "out", outcomes=str(outcomes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", [Layout.ARCHIVE, Layout.PAIRS])
def test_tables_alone_are_refused_where_a_layout_has_none(tmp_path: Path, layout: Layout) -> None:
    root = _pictures(tmp_path / "set", "images/a.png", "masks/a.png")
    with pytest.raises(UsageError, match="needs tables"):
        _build(layout, root, tmp_path / "out", tables_only=True)


def test_a_folder_of_tables_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    root = _pictures(tmp_path / "set", "train_images/1/2.png")
    with pytest.raises(InputError, match="--tables: "):
        _build(Layout.RSNA, root, tmp_path / "out", tables=str(tmp_path / "none"))


def test_an_archive_with_the_tables_of_a_layout_is_said_to_look_like_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = _pictures(tmp_path / "set", "train/0/a.png", "train/1/b.png")
    with caplog.at_level(logging.WARNING):
        assert _build(Layout.ARCHIVE, root, tmp_path / "out")["rejected"] == 2
    assert "looks like the layout folders" in caplog.text
