"""What tells the label without the image."""

import numpy as np
import pytest

from mammo_ray.config import load_config, recipe_names
from mammo_ray.datasets.checks.finding import Check, Severity
from mammo_ray.datasets.checks.shortcuts import (
    association_with_cancer,
    balanced_accuracy,
    check_shortcuts,
    reading_columns_in,
)
from tests.datasets.checks.frames import Row, answer, frame


def _women(cancer_by_site: dict[str, list[int]]) -> list[Row]:
    return [
        {"patient_id": f"{site}-{k}", "site": site, "cancer": cancer}
        for site, labels in cancer_by_site.items()
        for k, cancer in enumerate(labels)
    ]


def test_a_site_that_goes_with_the_label_is_found_when_strong_and_noted_when_weak() -> None:
    strong = frame(*_women({"a": [1] * 40 + [0] * 10, "b": [1] * 5 + [0] * 45}))
    found = answer(list(check_shortcuts(strong, {})), Check.SITE_AND_LABEL)
    assert found is not None
    assert found.severity == Severity.FINDING
    assert "b 10.0 % of 50, a 80.0 % of 50" in found.detail
    weak = frame(*_women({"a": [1] * 90 + [0] * 310, "b": [1] * 40 + [0] * 360}))
    note = answer(list(check_shortcuts(weak, {})), Check.SITE_AND_LABEL)
    assert note is not None
    assert note.severity == Severity.NOTE


def test_equal_sites_have_nothing_to_say() -> None:
    rows = frame(*_women({"a": [1] * 20 + [0] * 30, "b": [1] * 21 + [0] * 29}))
    assert answer(list(check_shortcuts(rows, {})), Check.SITE_AND_LABEL) is None


def test_the_association_counts_women_not_images_and_agrees_with_a_table_by_hand() -> None:
    rows = frame(*_women({"a": [1] * 30 + [0] * 20, "b": [1] * 20 + [0] * 30}) * 3)
    association = association_with_cancer(rows, "site")
    assert association is not None
    assert association.shares == (("a", 50, 0.6), ("b", 50, 0.4))
    # Chi-square of [[20, 30], [30, 20]] with Yates' correction is 3.24.
    assert association.strength == pytest.approx(np.sqrt(3.24 / 100))
    assert association.p_value == pytest.approx(0.0719, abs=1e-4)


def test_machines_are_told_by_maker_and_model() -> None:
    rows = _women({"x": [1] * 40 + [0] * 10 + [1] * 5 + [0] * 45})
    for k, row in enumerate(rows):
        row |= {"manufacturer": "M", "model_name": "one" if k < 50 else "two"}
    found = answer(list(check_shortcuts(frame(*rows), {})), Check.MACHINE_AND_LABEL)
    assert found is not None
    assert "M two 10.0 % of 50, M one 80.0 % of 50" in found.detail


def test_columns_after_the_reading_are_noted_with_how_well_they_tell_the_label() -> None:
    rows = [
        {"patient_id": str(k), "cancer": int(k < 30), "biopsy": k < 40, "birads": "2"}
        for k in range(100)
    ]
    note = answer(list(check_shortcuts(frame(*rows), {})), Check.FOLLOWS_READING)
    assert note is not None
    assert note.severity == Severity.NOTE
    assert "biopsy 93 %" in note.detail  # sensitivity 1, specificity 60 of 70
    assert "birads" not in note.detail


def test_a_file_property_that_gives_the_label_away_is_found() -> None:
    rows = [
        {"patient_id": str(k), "cancer": k % 2, "rows": 512 + k % 2, "columns": 512}
        for k in range(100)
    ]
    found = answer(list(check_shortcuts(frame(*rows), {})), Check.LABEL_GIVEN_AWAY)
    assert found is not None
    assert found.severity == Severity.FINDING
    assert "image size 100 %" in found.detail


def test_a_value_of_one_woman_gives_nothing_away() -> None:
    rows = [{"patient_id": str(k), "cancer": k % 2, "device_serial": f"s{k}"} for k in range(200)]
    labelled = frame(*rows)
    assert balanced_accuracy(labelled, "device_serial") is None
    assert answer(list(check_shortcuts(labelled, {})), Check.LABEL_GIVEN_AWAY) is None


def test_many_values_of_a_rare_cancer_give_nothing_away_by_chance() -> None:
    random = np.random.default_rng(0)
    rows = [
        {
            "patient_id": str(k),
            "cancer": int(random.random() < 0.01),
            "device_serial": f"s{k % 400}",
        }
        for k in range(12_000)
    ]
    told = balanced_accuracy(frame(*rows), "device_serial")
    assert told is None or told < 0.8


def test_settings_that_take_a_reading_in_are_found_and_targets_are_not() -> None:
    settings = {
        "model": {"inputs": ["age", "birads"], "branch": {"extra": "biopsy"}},
        "heads": {"auxiliary": ["density", "invasive"]},
        "data": {"dataset": "pathology"},
    }
    expected = [("model.inputs", "birads"), ("model.branch.extra", "biopsy")]
    assert reading_columns_in(settings) == expected
    found = answer(list(check_shortcuts(frame({}), settings)), Check.READING_AS_INPUT)
    assert found is not None
    assert (found.severity, found.count) == (Severity.FINDING, 2)


@pytest.mark.parametrize("name", recipe_names())
def test_no_recipe_takes_a_reading_in(name: str) -> None:
    assert reading_columns_in(load_config(name).model_dump(mode="json")) == []
