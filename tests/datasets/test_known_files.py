"""What a layout knows is joined to what examination found, by uri and never by order."""

import pyarrow as pa

from mammo_ray.datasets.known_files import (
    LeftOut,
    exclude_rows,
    fill,
    filled_manifest,
    known_table,
    reject_rows,
    table_of,
)
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import FileIndex, Source
from mammo_ray.schema import EXAMINED, EXCLUSIONS, REJECTIONS, ExclusionRule, RejectionReason
from mammo_ray.storage import StoredFile

ROWS = table_of(
    {"image_id": ["i1", "i2", "i3"], "uri": ["a", "b", "c"], "patient_id": ["P1", None, None]},
    EXAMINED,
)
EXAMINED_FILES = Manifest(ROWS, EXCLUSIONS.empty_table(), REJECTIONS.empty_table())


def test_values_find_their_file_whatever_the_order_and_leave_others_alone() -> None:
    known = known_table({"uri": ["c", "a"], "patient_id": ["N3", "N1"], "cancer": [1, None]})
    filled = fill(ROWS, known)
    assert filled["patient_id"].to_pylist() == ["N1", None, "N3"]
    assert filled["cancer"].to_pylist() == [None, None, 1]
    assert filled.schema.equals(EXAMINED)


def test_a_header_may_go_before_what_is_known() -> None:
    known = known_table({"uri": ["a", "b"], "patient_id": ["N1", "N2"]})
    assert fill(ROWS, known, ("patient_id",))["patient_id"].to_pylist() == ["P1", "N2", None]


def test_rows_move_to_rejections_and_exclusions_with_their_identity() -> None:
    chosen = pa.chunked_array([[True, False, False]])
    reason, rule = RejectionReason.TABLE_ROW_INVALID, ExclusionRule.NOT_IN_LAYOUT
    rejected = reject_rows(EXAMINED_FILES, chosen, reason, "why")
    assert rejected.rows["uri"].to_pylist() == ["b", "c"]
    (row,) = rejected.rejections.to_pylist()
    assert (row["uri"], row["patient_id"], row["stage"]) == ("a", "P1", "manifest")
    assert (row["reason"], row["detail"]) == (reason, "why")
    (row,) = exclude_rows(EXAMINED_FILES, chosen, rule, "why").exclusions.to_pylist()
    assert (row["image_id"], row["rule"], row["patient_id"]) == ("i1", rule, "P1")


def test_files_left_out_are_named_by_id_and_gain_what_is_known_of_them() -> None:
    source = Source("/r", FileIndex(()), "set", "key")
    left_out = LeftOut(source)
    left_out.exclude(StoredFile("x.txt", "/r/x.txt", 1), ExclusionRule.NOT_AN_IMAGE, "text")
    left_out.reject(StoredFile("y.png", "/r/y.png", 1), RejectionReason.MISSING_FILE, "gone")
    known = known_table({"uri": ["/r/y.png"], "patient_id": ["N9"], "laterality": ["L"]})
    manifest = filled_manifest(EXAMINED_FILES, known, left_out)
    assert manifest.seen == 5
    (excluded,), (rejected,) = manifest.exclusions.to_pylist(), manifest.rejections.to_pylist()
    assert (excluded["image_id"], excluded["patient_id"]) == (source.image_id("x.txt"), None)
    assert (rejected["image_id"], rejected["patient_id"]) == (source.image_id("y.png"), "N9")
    assert rejected["laterality"] == "L"
