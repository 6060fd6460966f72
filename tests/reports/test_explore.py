"""The page about a data set: numbers, samples, and what it must not say."""

import re
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mammo_ray.reports.explore import (
    COUNTED,
    count_values,
    explore_columns,
    render_exploration,
)
from mammo_ray.reports.explore_samples import Sample, choose_samples, draw_sample
from mammo_ray.schema import MANIFEST
from tests.reports.prepared_images import prepared_image


def manifest(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, MANIFEST)


ROWS = [
    {"patient_id": "W1", "cancer": 1, "pathology": "malignant", "site": "1", "mask_uris": ["a"]},
    {"patient_id": "W1", "cancer": 0, "pathology": "benign", "site": "1", "mask_uris": []},
    {"patient_id": "W2", "cancer": 0, "pathology": "benign", "site": None, "mask_uris": None},
    {"patient_id": "W3", "cancer": None, "pathology": None, "site": "2", "mask_uris": None},
]


def test_every_value_is_counted_with_its_women_and_cancers() -> None:
    explored = explore_columns(manifest(ROWS).select)
    assert (explored.images, explored.women, explored.positive) == (4, 3, 1)
    assert explored.counts["pathology"].to_dict("list") == {
        "value": ["benign", "malignant", "unknown"],
        "images": [2, 1, 1],
        "women": [2, 1, 1],
        "positive": [0, 1, 0],
    }
    assert explored.counts["cancer"]["value"].tolist() == ["0", "1", "unknown"]
    assert explored.counts["site"]["images"].tolist() == [2, 1, 1]


def test_missing_values_are_counted_and_an_empty_list_is_one() -> None:
    missing = explore_columns(manifest(ROWS).select).missing.set_index("column")
    assert missing.index.tolist() == MANIFEST.names
    assert missing.loc["patient_id", "missing"] == 0
    assert missing.loc["pathology", "missing"] == 1
    assert missing.loc["mask_uris", "missing"] == 3
    assert missing.loc["accession", "share"] == 1.0


@pytest.mark.parametrize("values", [["b", "a", "b"], [1.0, 2.0, 1.0], [True, False, True]])
def test_values_of_any_type_become_text(values: list[object]) -> None:
    frame = pd.DataFrame({"value": values, "patient_id": ["p", "q", "p"], "cancer": [0, 1, 0]})
    counted = count_values(frame)
    assert counted["value"].tolist()[0] == str(values[0]).removesuffix(".0")
    assert counted["images"].tolist() == [2, 1]


def test_the_page_says_the_numbers_and_escapes_what_tables_hold() -> None:
    rows = [{**ROWS[0], "site": "<script>alert(1)</script>"}, *ROWS[1:]]
    page = render_exploration(explore_columns(manifest(rows).select), [])
    assert "4 images of 3 women." in page
    assert "1 image with cancer, 2 without, 1 with no such label." in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "The manifest says nothing of: BI-RADS, Breast density," in page


def test_the_page_stays_small_and_names_no_patient_study_or_file() -> None:
    secret = {
        "uri": "/films/secret-uri", "study_uid": "1.2.secret", "accession": "secret-accession",
        "series_uid": "1.3.secret", "sop_uid": "1.4.secret", "device_serial": "secret-serial",
    }  # fmt: skip
    rows = [
        {**secret, "patient_id": f"secret-{k}", "site": f"site {k}", "image_id": f"img-{k}"}
        for k in range(2_000)
    ]
    samples = [Sample("img-0123456789abc", "benign", "L CC", "data:image/jpeg;base64,AA==", "")]
    page = render_exploration(explore_columns(manifest(rows).select), samples)
    assert "secret" not in page
    assert "img-01234567" in page
    assert "1,988 more" in page
    assert len(page) < 60_000
    assert not re.search(r"https?://|<script|<link", page)


def test_a_sample_that_cannot_be_used_says_why() -> None:
    samples = [Sample("img-1", "benign", "L CC", None, "decode-failed")]
    page = render_exploration(explore_columns(manifest(ROWS).select), samples)
    assert "cannot be used:<br>decode-failed" in page


def test_no_counted_column_tells_whose_image_it_is() -> None:
    assert set(COUNTED) <= set(MANIFEST.names)
    assert not {"patient_id", "study_uid", "accession", "study_date", "uri"} & set(COUNTED)


def _rows_to_choose(**columns: object) -> pd.DataFrame:
    base = {"pathology": None, "cancer": None, "kind": "full", "drawn": False, **columns}
    return pd.DataFrame(
        {"image_id": [f"i{k:02d}" for k in range(12)], "patient_id": ["W"] * 12, **base}
    )


def test_samples_are_of_every_class_drawn_first_then_other_women() -> None:
    rows = _rows_to_choose(
        pathology=["benign"] * 6 + ["malignant"] * 5 + [None],
        patient_id=["A", "A", "B", "C", "C", "C", "D", "D", "D", "E", "E", "F"],
        drawn=[False] * 4 + [True, False] + [True] * 5 + [False],
    )
    chosen = choose_samples(rows, each=3)
    shown = {g: rows["image_id"].tolist() for g, rows in chosen.groupby("group")}
    assert shown == {
        "benign": ["i04", "i00", "i02"],
        "malignant": ["i06", "i09", "i07"],
        "unknown": ["i11"],
    }


@pytest.mark.parametrize(
    ("columns", "groups"),
    [
        ({"cancer": [1.0] * 3 + [0.0] * 8 + [np.nan]}, ["cancer", "no cancer", "unknown"]),
        (
            {"pathology": ["benign"] * 6 + [None] * 6, "cancer": [None] * 6 + [0.0] * 6},
            ["benign", "no cancer"],
        ),
        ({"kind": ["full"] * 6 + ["crop"] * 6}, ["crop", "full"]),
        ({"pathology": [f"p{k}" for k in range(12)]}, [f"p{k}" for k in (0, 1, 2, 3, 4, 5, 6, 7)]),
    ],
)
def test_the_class_is_the_best_that_is_known(
    columns: dict[str, list[object]], groups: list[str]
) -> None:
    chosen = choose_samples(_rows_to_choose(**columns), each=1)
    assert sorted(chosen["group"]) == groups
    assert choose_samples(_rows_to_choose(**columns), each=0).empty


def test_classes_are_drawn_in_their_colours_around_their_pixels() -> None:
    mask = np.zeros((80, 60), np.uint8)
    mask[20:40, 10:30], mask[50:70, 30:50] = 1, 2
    picture = prepared_image(mask)
    plain = prepared_image(None)
    drawn, bare = (_decoded(draw_sample(image)).astype(int) for image in (picture, plain))
    changed = np.abs(drawn - bare).max(axis=2) > 60
    assert changed[19:22, 15:25].any(axis=0).all()
    assert not changed[25:35, 15:25].any()  # the inside stays as it is
    assert not changed[5:15].any()
    red, blue = drawn[20, 12:28].mean(axis=0), drawn[50, 32:48].mean(axis=0)
    assert red[2] > red[0] + 60  # orange
    assert blue[0] > blue[2] + 60


def _decoded(uri: str) -> np.ndarray:
    import base64

    import cv2

    content = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_a_large_manifest_takes_seconds() -> None:
    rows = 300_000
    columns = {
        "patient_id": np.repeat(np.arange(rows // 4), 4).astype(str),
        "cancer": np.tile(np.array([0, 0, 1, 0], np.int8), rows // 4),
        "density": np.tile(["A", "B", "C", "D"], rows // 4),
    }
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    empty = {
        field.name: pa.nulls(rows, field.type) for field in MANIFEST if field.name not in columns
    }
    for name, values in empty.items():
        table = table.append_column(name, values)
    started = time.monotonic()
    explored = explore_columns(table.select)
    assert explored.counts["density"]["women"].tolist() == [rows // 4] * 4
    assert time.monotonic() - started < 20
