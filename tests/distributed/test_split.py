"""`mammo split`: the CSV, its counts, and both percentages."""

import json
from pathlib import Path
from typing import Literal

import pytest

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.distributed.split import SplitOptions, write_split
from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits import read_folds, read_split, split_is_leaky
from tests.datasets.checks.frames import Row, table

_CONFIG = Config(recipe="test")


def _manifest(folder: Path, rows: list[Row]) -> str:
    content = table(*rows)
    metadata = {**(content.schema.metadata or {}), b"manifest_digest": b"d" * 32}
    storage.write_table(str(folder / "manifest.parquet"), content.replace_schema_metadata(metadata))
    run_record.mark_success(str(folder), {"seen": len(rows), "rows": len(rows)})
    return str(folder)


def _women(count: int = 100, images: int = 4) -> list[Row]:
    """Women with `images` films each, every fifth woman with cancer; the first 30 on test."""
    return [
        {
            "image_id": f"img-{woman:03d}-{image}",
            "patient_id": f"P{woman:03d}",
            "film_id": f"film-{woman:03d}-{image // 2}",
            "cancer": int(woman % 5 == 0),
            "split": "test" if woman < 30 else "train",
        }
        for woman in range(count)
        for image in range(images)
    ]


def test_a_ratio_split_shares_nobody_and_says_what_a_split_by_row_would_share(
    tmp_path: Path,
) -> None:
    manifest, out = _manifest(tmp_path / "m", _women()), str(tmp_path / "split.csv")
    record = write_split(manifest, out, SplitOptions(), _CONFIG)
    assert record.details["leakage"]["made"] == {"women": 0.0, "films": 0.0}
    by_row = record.details["leakage"]["by_row"]
    assert by_row["women"] > 95
    assert 60 < by_row["films"] < 95
    assert f"the woman of {by_row['women']:.1f} %" in record.details["summary"]
    table = read_split(out)
    assert not split_is_leaky(table)
    counts = record.counts
    assert (counts["women"], counts["images"]) == (100, 400)
    assert counts["test_women"] == table.loc[table["split"] == "test", "patient_id"].nunique() == 20
    assert counts["test_positive"] == 16
    said = json.loads(Path(f"{out}.run.json").read_text(encoding="utf-8"))
    assert said["counts"] == counts
    assert said["leakage"]["by_row"] == by_row
    assert "P000" not in json.dumps(said)


@pytest.mark.parametrize("kind", ["ratio", "official", "folds"])
def test_rows_without_a_patient_are_on_no_side_and_change_nothing(
    tmp_path: Path, kind: Literal["ratio", "official", "folds"]
) -> None:
    nameless = [{"image_id": f"img-{n}", "patient_id": None, "cancer": 0} for n in ("a", "b", "z")]
    sides = []
    for name, rows in (("with", [*nameless, *_women()]), ("without", _women())):
        out = str(tmp_path / f"{name}.csv")
        manifest = _manifest(tmp_path / name, rows)
        record = write_split(manifest, out, SplitOptions(kind=kind), _CONFIG)
        table = read_folds(out) if kind == "folds" else read_split(out)
        sides.append(table.set_index("image_id").iloc[:, -1])
        assert record.counts["unused_without_patient"] == len(rows) - 400
        assert ("3 of them without a patient_id" in record.details["summary"]) == (name == "with")
    assert sides[0][["img-a", "img-b", "img-z"]].isna().all()
    assert sides[0].drop(["img-a", "img-b", "img-z"]).equals(sides[1])


def test_a_manifest_without_any_patient_is_refused(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "m", [{"image_id": "img-a", "patient_id": None, "cancer": 0}])
    with pytest.raises(InputError, match="none of the 1 rows has a patient_id"):
        write_split(manifest, str(tmp_path / "split.csv"), SplitOptions(), _CONFIG)


def test_a_split_by_row_is_marked_in_the_file(tmp_path: Path) -> None:
    manifest, out = _manifest(tmp_path / "m", _women()), str(tmp_path / "split.csv")
    record = write_split(manifest, out, SplitOptions(allow_leakage=True), _CONFIG)
    assert split_is_leaky(read_split(out))
    assert record.details["leakage"]["made"]["women"] > 95
    assert "it is marked" in record.details["summary"]


def test_an_official_split_gets_its_validation_and_keeps_its_test_side(tmp_path: Path) -> None:
    manifest, out = _manifest(tmp_path / "m", _women()), str(tmp_path / "split.csv")
    record = write_split(manifest, out, SplitOptions(kind="official"), _CONFIG)
    assert record.counts["test_women"] == 30
    assert record.counts["valid_women"] == 8 + 2  # 15 % of 56 and of 14
    assert record.counts["unused_images"] == 0


def test_an_official_split_that_shares_is_refused_or_settled(tmp_path: Path) -> None:
    rows = _women()
    rows[0]["split"] = "train"
    manifest, out = _manifest(tmp_path / "m", rows), tmp_path / "split.csv"
    with pytest.raises(PatientLeak, match="1 women and 1 films"):
        write_split(manifest, str(out), SplitOptions(kind="official"), _CONFIG)
    assert not out.exists()
    record = write_split(manifest, str(out), SplitOptions(kind="official", shared="drop"), _CONFIG)
    assert record.counts["unused_images"] == 4
    assert "on no side: 4 images" in record.details["summary"]


def test_folds_leave_the_official_test_side_alone_unless_told(tmp_path: Path) -> None:
    manifest, out = _manifest(tmp_path / "m", _women()), str(tmp_path / "folds.csv")
    record = write_split(manifest, out, SplitOptions(kind="folds", folds=5), _CONFIG)
    folds = read_folds(out)
    assert set(folds.loc[folds["fold"].isna(), "patient_id"]) == {f"P{k:03d}" for k in range(30)}
    assert [record.counts[f"fold_{k}_women"] for k in range(5)] == [14] * 5
    assert record.details["leakage"]["made"] == {"women": 0.0, "films": 0.0}
    assert record.details["leakage"]["by_row"]["women"] > 95
    options = SplitOptions(kind="folds", folds=5, include_test=True)
    write_split(manifest, out, options, _CONFIG)
    assert read_folds(out)["fold"].notna().all()


def test_crops_follow_their_woman_and_are_counted_where_asked(tmp_path: Path) -> None:
    rows = _women()
    for row in rows[::2]:
        row["kind"] = "crop"
    manifest, out = _manifest(tmp_path / "m", rows), str(tmp_path / "split.csv")
    config = Config.model_validate({"recipe": "test", "data": {"kind": "crop"}})
    record = write_split(manifest, out, SplitOptions(), config)
    assert record.details["leakage"]["rows"] == "crop"
    assert len(read_split(out)) == 400
    assert record.counts["images"] == 400


def test_a_data_set_of_one_kind_has_no_percentages_of_the_other(tmp_path: Path) -> None:
    manifest, out = _manifest(tmp_path / "m", _women()), str(tmp_path / "out.csv")
    config = Config.model_validate({"recipe": "test", "data": {"kind": "crop"}})
    for options in (SplitOptions(), SplitOptions(kind="folds", include_test=True)):
        leakage = write_split(manifest, out, options, config).details["leakage"]
        assert leakage["made"] == {"women": None, "films": None}
        assert leakage["by_row"] == {}
