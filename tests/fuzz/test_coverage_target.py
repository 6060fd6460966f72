"""The walk that coverage-guided fuzzing takes, and what it says without its engine."""

import importlib.util
from pathlib import Path

import pytest

from mammo_ray.dicom.codecs import DECODERS
from tests.dicom.files import ALL_SYNTAXES
from tests.fuzz import coverage_target


def test_good_files_of_every_syntax_are_walked_and_no_decoder_is_left_replaced(
    tmp_path: Path,
) -> None:
    before = dict(DECODERS)
    coverage_target.write_seeds(tmp_path / "corpus")
    seeds = sorted((tmp_path / "corpus").iterdir())
    assert len(seeds) == len(ALL_SYNTAXES)
    for seed in seeds:
        content = seed.read_bytes()
        for length in range(0, len(content), 101):
            coverage_target.walk(content[:length] + bytes(length % 3))
    assert dict(DECODERS) == before


def test_a_fault_of_the_walk_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("a fault")

    monkeypatch.setattr("mammo_ray.dicom.header.read_header", fail)
    with pytest.raises(KeyError, match="a fault"):
        coverage_target.walk(b"")


def test_a_missing_engine_or_corpus_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert coverage_target.main(["corpus"]) == 2
    assert "pip install 'mammo-ray[fuzz]'" in capsys.readouterr().out
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert coverage_target.main(["-max_total_time=1"]) == 2
    assert "corpus" in capsys.readouterr().out
