"""What is added to a phantom archive is told apart as its truth says."""

import csv
from pathlib import Path

from mammo_ray.datasets.phantoms.archive_extras import add_other_objects, others_truth_path
from tests.datasets.test_archive import read_archive


def test_every_added_file_is_kept_or_left_out_as_its_truth_says(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    made = {str(archive / o.path): o for o in add_other_objects(archive, seed=5)}
    manifest = read_archive(archive)
    assert manifest.rejections.num_rows == 0
    kept = {row["uri"]: row["image_kind"] for row in manifest.rows.to_pylist()}
    left_out = {row["uri"]: row["rule"] for row in manifest.exclusions.to_pylist()}
    assert kept == {uri: o.image_kind for uri, o in made.items() if o.excluded_by is None}
    assert left_out == {uri: o.excluded_by for uri, o in made.items() if o.excluded_by}
    assert len(set(left_out.values())) == 8


def test_switched_off_rules_leave_everything_in(tmp_path: Path) -> None:
    made = add_other_objects(tmp_path / "archive", seed=5)
    rules = {str(o.excluded_by).replace("-", "_") for o in made if o.excluded_by}
    manifest = read_archive(tmp_path / "archive", **dict.fromkeys(rules, False))
    assert manifest.rows.num_rows == len(made)


def test_the_same_seed_gives_the_same_bytes_and_the_truth_lies_beside(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    made = add_other_objects(first, seed=1)
    assert add_other_objects(second, seed=1) == made
    for found in made:
        assert (first / found.path).read_bytes() == (second / found.path).read_bytes()
    with others_truth_path(first).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [o.path for o in made]
    assert others_truth_path(first).parent == tmp_path
