"""Recipes, files and overrides become one validated configuration, or a clear error."""

from pathlib import Path

import pytest

from mammo_ray.config import Config, load_config, overlay, recipe_names
from mammo_ray.errors import ConfigError


@pytest.mark.parametrize("name", recipe_names())
def test_every_packaged_recipe_is_valid_and_bears_its_name(name: str) -> None:
    config = load_config(name)
    assert config.recipe == name
    assert config.description


def test_a_configuration_survives_the_round_trip_through_its_file(tmp_path: Path) -> None:
    config = load_config("default", overrides=("preprocess.height=640", "train.seed=3"))
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(path=path) == config
    assert config.preprocess.height == 640


def test_an_unknown_key_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"train\.epohcs"):
        load_config("default", overrides=("train.epohcs=3",))


def test_a_wrong_value_is_an_error_with_key_value_and_expectation() -> None:
    with pytest.raises(ConfigError, match=r"train\.epochs.*greater than or equal to 1.*found 0"):
        load_config("default", overrides=("train.epochs=0",))


@pytest.mark.parametrize("override", ["train.epochs", "=3", "recipe.x=1", "train.epochs=[1"])
def test_a_malformed_override_is_an_error(override: str) -> None:
    with pytest.raises(ConfigError, match="override"):
        load_config("default", overrides=(override,))


def test_an_unknown_recipe_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="default"):
        load_config("nothing")


def test_a_file_with_an_object_tag_is_refused_and_runs_no_code(tmp_path: Path) -> None:
    path, planted = tmp_path / "config.yaml", tmp_path / "planted"
    path.write_text(f"recipe: !!python/object/apply:os.mkdir ['{planted}']\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(path=path)
    assert not planted.exists()


def test_recipe_and_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        load_config("default", tmp_path / "config.yaml")


def test_fractions_that_leave_no_women_to_train_on_are_refused() -> None:
    with pytest.raises(ConfigError, match="below 1"):
        load_config(overrides=("data.test_fraction=0.6", "data.validation_fraction=0.4"))


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("preprocess.clahe.enabled=true", False),
        ("preprocess.height=256", False),
        ("decode.voi=none", False),
        ("decode.timeout_seconds=5", True),
        ("train.epochs=99", True),
    ],
)
def test_the_preprocess_digest_follows_pixels_and_nothing_else(override: str, same: bool) -> None:
    base = Config(recipe="x")
    changed = overlay(base, (override,), "test")
    assert (changed.preprocess_digest() == base.preprocess_digest()) is same
