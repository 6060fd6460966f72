"""`mammo check` on real files: on a local Ray it says what the plain checks say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray import run_record, storage
from mammo_ray.config import Config, DecodeConfig
from mammo_ray.datasets.checks.certificate import certificate_words, read_certificate
from mammo_ray.datasets.checks.finding import Check
from mammo_ray.distributed import check
from mammo_ray.distributed.check import check_manifest, look_at_mask
from mammo_ray.errors import InputError, StorageError
from tests.datasets.checks.frames import Row, table
from tests.films import breast_pixels, film, write_film

_CONFIG = Config(recipe="test")


def _write(folder: Path, *rows: Row) -> str:
    """A finished manifest of these rows."""
    content = table(*rows)
    digest = storage.table_digest(content).encode()
    metadata = {**(content.schema.metadata or {}), b"manifest_digest": digest}
    storage.write_table(str(folder / "manifest.parquet"), content.replace_schema_metadata(metadata))
    run_record.mark_success(str(folder), {"seen": len(rows), "rows": len(rows)})
    return str(folder)


def _picture(path: Path, pixels: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return str(path)


@pytest.fixture
def leaking(tmp_path: Path) -> str:
    """Two women, one of them on both sides."""
    return _write(
        tmp_path / "manifest",
        {"patient_id": "P1", "split": "train", "cancer": 1},
        {"patient_id": "P1", "split": "test", "cancer": 0},
        {"patient_id": "P2", "split": "train", "cancer": 0},
    )


def test_findings_end_with_exit_code_4_and_stand_in_check_json(leaking: str) -> None:
    record, code = check_manifest(leaking, _CONFIG)
    assert code == 4
    result = json.loads(Path(leaking, "check.json").read_text(encoding="utf-8"))
    checks = {one["check"]: one for one in result["findings"]}
    assert checks["women-on-several-sides"]["count"] == 1
    assert checks["women-on-several-sides"]["examples"] == ["img-0", "img-1"]
    assert result["counts"]["findings"] == record.counts["findings"] == 2
    said = json.loads(Path(leaking, "check.json.run.json").read_text(encoding="utf-8"))
    assert said["exit_code"] == 4
    assert said["command"] == "check"
    assert "P1" not in json.dumps([result, said])
    assert "women-on-several-sides" in record.details["table"]


def test_the_certificate_goes_into_the_manifest_and_into_check_json(leaking: str) -> None:
    check_manifest(leaking, _CONFIG)
    result = json.loads(Path(leaking, "check.json").read_text(encoding="utf-8"))
    certificate = read_certificate(f"{leaking}/manifest.parquet")
    assert certificate == result["certificate"]
    assert certificate is not None
    assert certificate["findings"]["women-on-several-sides"] == 1
    check_manifest(leaking, _CONFIG)
    assert read_certificate(f"{leaking}/manifest.parquet") == certificate


def test_notes_alone_end_with_exit_code_0_in_another_folder(tmp_path: Path) -> None:
    rows = [{"patient_id": f"P{k}", "cancer": k % 2} for k in range(4)]
    manifest = _write(tmp_path / "manifest", *rows)
    _, code = check_manifest(manifest, _CONFIG, out=str(tmp_path / "out"))
    assert code == 0
    assert (tmp_path / "out" / "check.json").exists()
    assert not (tmp_path / "manifest" / "check.json").exists()


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to check"):
        check_manifest(_write(tmp_path), _CONFIG)


def test_a_manifest_that_may_not_be_written_is_checked_all_the_same(
    leaking: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: object) -> None:
        raise StorageError("read-only")

    monkeypatch.setattr(check, "write_certificate", refuse)
    record, code = check_manifest(leaking, _CONFIG)
    assert code == 4
    assert record.details["certificate_written"] is False
    assert "without its certificate" in caplog.text
    assert certificate_words(read_certificate(f"{leaking}/manifest.parquet")) == "unchecked"


def test_pixels_of_films_and_masks_are_looked_at_once_each_on_ray(tmp_path: Path) -> None:
    pixels = breast_pixels(96, 64)
    lit, dark = np.full((96, 64), 255, np.uint8), np.zeros((96, 64), np.uint8)
    masks = [_picture(tmp_path / "lit.png", lit), None, _picture(tmp_path / "dark.png", dark)]
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    uris = [
        str(write_film(tmp_path / "film.dcm", film(pixels))),
        _picture(tmp_path / "same.png", pixels),
        _picture(tmp_path / "mirrored.png", breast_pixels(96, 64, seed=1)[:, ::-1].copy()),
        _picture(tmp_path / "other.png", breast_pixels(96, 64, seed=1)),
        _picture(tmp_path / "blank.png", dark),
        str(tmp_path / "broken.dcm"),
        str(tmp_path / "gone.dcm"),
    ]
    sides = ["train", "test", "train", "test", "train", "train", "train"]
    rows: list[Row] = [
        {"patient_id": f"P{k}", "uri": uri, "split": side, "cancer": k % 2, "image_id": f"i{k}"}
        for k, (uri, side) in enumerate(zip(uris, sides, strict=True))
    ]
    rows[0]["mask_uris"] = masks
    rows[3]["mask_uris"] = [_picture(tmp_path / "wide.png", lit.T.copy()), str(tmp_path / "no.png")]
    manifest = _write(tmp_path / "manifest", *rows)
    record, code = check_manifest(manifest, _CONFIG, pixels=True)
    assert code == 4
    assert (record.counts["decoded"], record.counts["masks_decoded"]) == (5, 3)
    found = {one["check"]: one for one in record.details["findings"]}
    expected = {
        Check.DUPLICATES_ACROSS_SIDES: (1, ["i0", "i1"]),
        Check.DUPLICATES_ACROSS_WOMEN: (1, ["i0", "i1"]),
        Check.CONTRADICTING_PIXELS: (1, ["i0", "i1"]),
        Check.COPIES_ACROSS_SIDES: (1, ["i2", "i3"]),
        Check.BLANK_IMAGES: (1, ["i4"]),
        Check.UNREADABLE_IMAGES: (2, ["i5", "i6"]),
        Check.EMPTY_MASKS: (1, ["i0"]),
        Check.MASK_ASPECT: (1, ["i3"]),
        Check.UNREADABLE_MASKS: (1, ["i3"]),
    }
    seen = {name: (found[name]["count"], found[name]["examples"]) for name in expected}
    assert seen == expected
    assert "not-dicom" in found[Check.UNREADABLE_IMAGES]["detail"]
    assert "unreadable-file" in found[Check.UNREADABLE_IMAGES]["detail"]
    certificate = read_certificate(f"{manifest}/manifest.parquet")
    assert certificate is not None
    assert certificate["pixels"] is True


@pytest.mark.parametrize(
    ("values", "classes", "empty"),
    [
        ([0, 255], None, False),
        ([0, 0], None, True),
        ([0, 2], (1, 2), False),
        ([0, 1], (1, 2), False),
    ],
)
def test_a_mask_is_empty_when_no_pixel_is_of_a_class(
    values: list[int], classes: tuple[int, ...] | None, empty: bool
) -> None:
    pixels = np.tile(np.array(values, dtype=np.uint8), (20, 10))
    _, content = cv2.imencode(".png", pixels)
    look = look_at_mask(content.tobytes(), DecodeConfig(), classes)
    assert look == {"rows": 20, "columns": 20, "empty": empty}


def test_a_mask_of_unknown_gray_values_is_counted_as_unreadable() -> None:
    _, content = cv2.imencode(".png", np.full((20, 20), 130, np.uint8))
    look = look_at_mask(content.tobytes(), DecodeConfig(), (1, 2))
    assert look["reason"] == "gray values of no class"
