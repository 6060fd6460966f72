"""A small campaign, and the judgement of one that goes wrong."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.sandbox import Sandbox
from tests.dicom.files import EXPLICIT
from tests.fuzz.campaign import CONFIG, SYNTAXES, Tally, failures, fuzz_syntax

CASES = 20


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(CONFIG.memory_megabytes) as box:
        yield box


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_damage_is_rejected_with_a_reason_or_leaves_the_pixels(
    syntax: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    tally = fuzz_syntax(syntax, CASES, 1, sandbox, tmp_path)
    assert failures(tally) == []
    outcomes = Counter({"same": 0, "different": 0, "rejected": 0}) + tally.outcomes
    assert sum(outcomes.values()) == sum(tally.cases.values()) == CASES
    assert sum(tally.reasons.values()) == tally.outcomes["rejected"] >= CASES // 3
    assert tally.same["unchanged"] == tally.cases["unchanged"] == 2
    if syntax != EXPLICIT:
        assert sum(tally.different.values()) == tally.different["pixel bits"]
    assert 20 < tally.peak_megabytes < DecodeConfig().memory_megabytes


def test_what_may_not_happen_is_told() -> None:
    tally = Tally(peak_megabytes=CONFIG.memory_megabytes + 1)
    tally.outcomes.update(deaths=2, hangs=1, rejected=5)
    tally.cases.update(harmless=10, unchanged=10)
    tally.same.update(harmless=9, unchanged=10, truncated=1)
    tally.different.update({"cut and closed": 3, "pixel bits": 7})
    assert failures(tally) == [
        "2 deaths",
        "1 hangs",
        "4 truncated files were accepted",
        "19 of 20 good files kept their pixels",
        f"the child took {CONFIG.memory_megabytes + 1} MB, above its cap",
    ]
    assert failures(Tally()) == []
