"""Damaged files: every other image is scored, and their exams lead the worklist."""

import csv
import shutil
from pathlib import Path

import pytest

from mammo_ray import storage
from mammo_ray.cli import main
from mammo_ray.schema import RejectionReason
from tests.films import breast_pixels, film, write_film
from tests.integration.conftest import Flow


def _damage(root: Path) -> dict[str, RejectionReason]:
    """Damage one file of each of the first five women; the reasons that must be given."""
    films = [min((root / woman).rglob("*.dcm")) for woman in sorted(_women(root))[:5]]
    truncated, empty, text, pixelless, cut = films
    truncated.write_bytes(truncated.read_bytes()[: int(truncated.stat().st_size * 0.6)])
    empty.write_bytes(b"")
    text.write_text("this was a film once", encoding="utf-8")
    pixelless.unlink()
    write_film(pixelless, film(None, PatientID="W-new", StudyInstanceUID="1.9"))
    cut.write_bytes(cut.read_bytes()[:300])
    return {
        str(truncated): RejectionReason.PIXEL_DATA_TRUNCATED,
        str(empty): RejectionReason.EMPTY_FILE,
        str(text): RejectionReason.NOT_DICOM,
        str(pixelless): RejectionReason.NO_PIXEL_DATA,
        str(cut): RejectionReason.HEADER_TRUNCATED,
    }


def _women(root: Path) -> list[str]:
    return [p.name for p in root.iterdir() if p.is_dir()]


def _rejections(scores: Path) -> dict[str, str]:
    tables = [storage.read_table(str(p)) for p in (
        scores / "manifest" / "rejections.parquet", scores / "rejections.parquet"
    )]  # fmt: skip
    return {r["uri"]: r["reason"] for table in tables for r in table.to_pylist()}


def test_five_damaged_files_cost_five_rows_and_exit_code_three(
    flow: Flow, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    archive, scores = tmp_path / "archive", tmp_path / "scores"
    shutil.copytree(flow.archive, archive)
    expected = _damage(archive)
    code = main(["score", str(archive), "--model", flow.model, "--out", str(scores)])
    assert code == 3
    assert _rejections(scores) == {uri: str(reason) for uri, reason in expected.items()}
    with (scores / "worklist.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    unscored = [row for row in rows if row["status"] != "scored"]
    assert rows[: len(unscored)] == unscored
    damaged = {Path(uri).parts[-3] for uri in expected}
    leading = {row["patient_id"] for row in unscored}
    assert damaged <= leading | {""}
    for row in unscored:
        assert row["reasons"]
    said = capfd.readouterr()
    assert "rejected" in said.out
    assert "PHANTOM" not in said.out + said.err


def test_too_few_images_rejected_to_matter_is_exit_code_zero(flow: Flow, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(flow.archive, archive)
    (archive / "broken.dcm").write_bytes(b"")
    arguments = ["--set", "data.allowed_rejected_share=0.05", "--out", str(tmp_path / "scores")]
    assert main(["score", str(archive), "--model", flow.model, *arguments]) == 0


def test_a_blank_image_is_prepared_with_a_flag_and_never_scored(flow: Flow, tmp_path: Path) -> None:
    archive, scores = tmp_path / "archive", tmp_path / "scores"
    for side in ("L", "R"):
        pixels = breast_pixels() * (side == "L")
        names = {"SOPInstanceUID": f"1.2.{ord(side)}", "ImageLaterality": side}
        write_film(archive / f"{side}.dcm", film(pixels, **names))
    arguments = ["--protocol", "mlo-only", "--out", str(scores)]
    assert main(["score", str(archive), "--model", flow.model, *arguments]) == 3
    images = storage.read_table(str(scores / "images")).to_pandas().set_index("laterality")
    assert images.loc["R", "reason"] == RejectionReason.BLANK_IMAGE
    assert images["score"].isna().to_dict() == {"L": False, "R": True}
    exam = storage.read_table(str(scores / "exams.parquet")).to_pylist()[0]
    assert exam["status"] == "incomplete"
    assert exam["partial"] is True
