"""Exams and breasts judged against a protocol."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mammo_ray import schema
from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import Protocol
from mammo_ray.scoring.aggregate import Judgement, judge_exams
from mammo_ray.scoring.protocol import Scope

FFDM = Scope(image_kinds=frozenset({"ffdm"}), implants=False)


def image(side: str | None, view: str | None, score: float | None = 0.1, **other: object) -> dict:
    """One row of scored images; a null score is a rejected image."""
    row = {
        "study_uid": "1.1", "patient_id": "P1", "study_date": "20200101", "accession": "A1",
        "image_kind": "ffdm", "laterality": side, "view_position": view, "score": score,
        "status": "scored" if score is not None else "rejected",
        "reason": None if score is not None else "pixel-data-truncated",
    }  # fmt: skip
    return row | other


def rejection(uri: str, **other: object) -> dict:
    """One file that the manifest stage could not read at all."""
    return {"uri": uri, "stage": "manifest", "reason": "not-dicom", **other}


def four_views(*scores: float | None, **other: object) -> list[dict]:
    """L CC, L MLO, R CC, R MLO."""
    places = [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]
    return [image(*place, score, **other) for place, score in zip(places, scores, strict=True)]


def frame(rows: list[dict], columns: pa.Schema, prefix: str) -> pd.DataFrame:
    """The rows as pandas reads them from a written table, nulls and types included."""
    filled = [
        {"image_id": f"{prefix}{k}", "uri": f"/a/{prefix}{k}.dcm"} | row
        for k, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=columns).to_pandas()


def judge(
    images: list[dict],
    rejections: list[dict] | None = None,
    protocol: Protocol = Protocol.FOUR_VIEW,
    scope: Scope = FFDM,
) -> Judgement:
    """`judge_exams` over rows."""
    return judge_exams(
        frame(images, schema.SCORED_IMAGES, "i"),
        frame(rejections or [], schema.REJECTIONS, "r"),
        protocol,
        scope,
        "key",
    )


def only(judgement: Judgement) -> dict[str, Any]:
    """The single exam of a judgement."""
    (exam,) = judgement.exams.to_pylist()
    return exam


def breasts_of(judgement: Judgement) -> dict[str, dict[str, Any]]:
    """The breasts of the single exam by side."""
    return {row["laterality"]: row for row in judgement.breasts.to_pylist()}


def test_a_whole_exam_is_scored_by_its_highest_breast() -> None:
    result = judge(four_views(0.1, 0.3, 0.5, 0.9))
    exam = only(result)
    assert exam["exam_id"] == keyed_id("exam", "key", "1.1")
    assert (exam["status"], exam["reasons"], exam["partial"]) == ("scored", [], False)
    assert exam["score"] == pytest.approx(0.7)
    breasts = breasts_of(result)
    assert breasts["L"]["score"] == pytest.approx(0.2)
    assert breasts["R"]["views_scored"] == ["CC", "MLO"]
    assert result.exams.schema.equals(schema.EXAMS)
    assert result.breasts.schema.equals(schema.BREASTS)
    assert result.exams.schema.metadata == {b"schema_version": schema.SCHEMA_VERSION.encode()}


def test_views_weigh_the_same_however_many_images_they_have() -> None:
    images = [*four_views(0.0, 0.0, 0.1, 0.5), image("R", "CC", 0.3), image("R", "AT", 0.6)]
    # R: CC (0.1 + 0.3) / 2 = 0.2, MLO 0.5, AT 0.6
    assert only(judge(images))["score"] == pytest.approx((0.2 + 0.5 + 0.6) / 3)


def test_a_rejected_image_makes_the_exam_incomplete_and_its_score_a_partial() -> None:
    result = judge(four_views(0.1, 0.2, 0.3, None))
    exam = only(result)
    assert exam["status"] == "incomplete"
    assert exam["reasons"] == ["R MLO: pixel-data-truncated"]
    assert (exam["score"], exam["partial"]) == (pytest.approx(0.3), True)
    assert [exam[f"images_{n}"] for n in ("planned", "scored", "rejected")] == [4, 3, 1]
    breasts = breasts_of(result)
    assert (breasts["L"]["partial"], breasts["R"]["partial"]) == (False, True)


def test_a_rejected_second_image_of_a_scored_view_still_makes_the_exam_incomplete() -> None:
    exam = only(judge([*four_views(0.1, 0.2, 0.3, 0.4), image("L", "CC", None)]))
    assert (exam["status"], exam["reasons"]) == ("incomplete", ["L CC: pixel-data-truncated"])


def test_an_absent_view_is_named() -> None:
    result = judge(four_views(0.1, 0.2, 0.3, 0.4)[:3])
    exam = only(result)
    assert (exam["status"], exam["reasons"]) == ("incomplete", ["R MLO: absent"])
    assert exam["partial"]
    assert breasts_of(result)["R"]["partial"]
    assert not breasts_of(result)["L"]["partial"]


def test_an_exam_without_any_scored_image_has_failed() -> None:
    exam = only(judge(four_views(None, None, None, None)))
    assert (exam["status"], exam["score"], exam["partial"]) == ("failed", None, False)
    assert len(exam["reasons"]) == 4


@pytest.mark.parametrize(
    ("protocol", "views", "status"),
    [
        (Protocol.MLO_ONLY, ["L MLO", "R MLO"], "scored"),
        (Protocol.MLO_ONLY, ["L MLO", "R CC"], "incomplete"),
        (Protocol.UNILATERAL, ["L CC", "L MLO"], "scored"),
        (Protocol.UNILATERAL, ["L CC", "R MLO"], "incomplete"),
        (Protocol.UNILATERAL, ["L CC", "L MLO", "R MLO"], "incomplete"),
        (Protocol.FOUR_VIEW, ["L CC", "L MLO"], "incomplete"),
        (Protocol.ANY, ["R AT"], "scored"),
    ],
)
def test_protocols_ask_for_their_views(protocol: Protocol, views: list[str], status: str) -> None:
    exam = only(judge([image(*view.split()) for view in views], protocol=protocol))
    assert exam["status"] == status
    assert (exam["reasons"] == []) == (status == "scored")


def test_a_unilateral_exam_of_unknown_side_is_incomplete() -> None:
    exam = only(judge([image(None, "CC"), image(None, "MLO")], protocol=Protocol.UNILATERAL))
    assert exam["status"] == "incomplete"
    assert exam["reasons"][0] == "CC and MLO of one side: absent"


def test_an_implant_or_another_kind_is_out_of_scope_and_its_score_is_left_out() -> None:
    images = four_views(0.1, 0.2, 0.3, 0.4)
    images[3] |= {"implant": True, "score": 0.99}
    result = judge([*images, image("L", "CC", 0.98, image_kind="tomosynthesis")])
    exam = only(result)
    assert exam["status"] == "out-of-scope"
    assert exam["reasons"] == [
        "L CC: model not validated on tomosynthesis",
        "implant: model not validated on implants",
    ]
    assert (exam["score"], exam["partial"]) == (pytest.approx(0.3), True)
    assert breasts_of(result)["L"]["partial"]


def test_a_model_validated_on_implants_takes_them() -> None:
    scope = Scope(image_kinds=frozenset({"ffdm"}), implants=True)
    exam = only(judge(four_views(0.1, 0.2, 0.3, 0.4, implant=True), scope=scope))
    assert exam["status"] == "scored"


@pytest.mark.parametrize("change", [{"laterality": None}, {"view_position": None}])
def test_an_unknown_side_or_view_counts_but_satisfies_nothing(change: dict) -> None:
    images = four_views(0.1, 0.2, 0.3, 0.9)
    images[3] |= change
    exam = only(judge(images))
    assert exam["status"] == "incomplete"
    assert exam["reasons"][0] == "R MLO: absent"
    assert exam["reasons"][1].endswith("scored, satisfies no required view")
    assert exam["score"] == pytest.approx(0.9 if "laterality" in change else 0.6)


def test_images_of_unknown_side_are_not_averaged() -> None:
    result = judge([image(None, "CC", 0.1), image(None, "CC", 0.7)], protocol=Protocol.ANY)
    assert only(result)["score"] == pytest.approx(0.7)
    assert list(breasts_of(result)) == ["unknown"]


def test_an_unknown_kind_counts_but_satisfies_nothing() -> None:
    exam = only(judge(four_views(0.1, 0.2, 0.3, 0.4, image_kind=None)))
    assert (exam["status"], exam["score"]) == ("incomplete", pytest.approx(0.35))
    assert "L CC: image kind unknown, scored, satisfies no required view" in exam["reasons"]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_a_rejection(score: float) -> None:
    exam = only(judge(four_views(0.1, 0.2, 0.3, score)))
    assert exam["reasons"] == ["R MLO: non-finite-score"]
    assert (exam["status"], exam["images_rejected"]) == ("incomplete", 1)


def test_labels_rise_from_images_and_stay_unknown_where_none_is_known() -> None:
    images = four_views(0.1, 0.2, 0.3, 0.4)
    images[0]["cancer"], images[1]["cancer"] = 0, 1
    result = judge(images)
    assert only(result)["cancer"] == 1
    assert {side: row["cancer"] for side, row in breasts_of(result).items()} == {"L": 1, "R": None}


def test_rows_of_later_stages_do_not_count_twice() -> None:
    again = rejection("/a/i3.dcm", image_id="i3", stage="prepare", study_uid="1.1")
    exam = only(judge(four_views(0.1, 0.2, 0.3, None), [again]))
    assert exam["images_planned"] == 4


def test_no_file_at_all_gives_empty_tables() -> None:
    result = judge([])
    assert (result.exams.num_rows, result.breasts.num_rows) == (0, 0)
    assert result.exams.schema.equals(schema.EXAMS)


def test_the_order_of_the_rows_does_not_matter() -> None:
    images = [
        *four_views(0.1, 0.2, 0.3, 0.4),
        *four_views(0.5, None, 0.7, 0.8, study_uid="1.2", patient_id="P2"),
    ]
    numbered = [row | {"image_id": f"n{k}"} for k, row in enumerate(images)]
    assert judge(numbered).exams.equals(judge(numbered[::-1]).exams)
