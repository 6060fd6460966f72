"""Ids are stable, keyed, and tell nothing of what they stand for."""

import pytest

from mammo_ray.identifiers import hash_key, is_keyed, keyed_id


def test_the_same_parts_and_key_give_the_same_id() -> None:
    first = keyed_id("img", "key", "archive", "1.2.3")
    assert first == keyed_id("img", "key", "archive", "1.2.3")
    assert first.startswith("img-")
    assert len(first) == len("img-") + 24


def test_another_key_data_set_or_cut_between_the_parts_gives_another_id() -> None:
    ids = {
        keyed_id("img", "key", "archive", "1.2.3"),
        keyed_id("img", "other", "archive", "1.2.3"),
        keyed_id("img", "key", "archive2", "1.2.3"),
        keyed_id("img", "key", "archive1", ".2.3"),
        keyed_id("img", "k" * 200, "archive", "1.2.3"),
    }
    assert len(ids) == 5


def test_the_key_comes_from_the_environment_and_an_empty_one_is_unkeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAMMO_HASH_KEY", "secret")
    assert hash_key() == "secret"
    assert is_keyed(hash_key())
    monkeypatch.setenv("MAMMO_HASH_KEY", "")
    assert not is_keyed(hash_key())
