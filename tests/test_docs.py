"""The documents say what the commands take and what the tree holds."""

import re
from pathlib import Path

import click
import pytest

from mammo_ray.cli import mammo
from mammo_ray.config import recipe_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(mammo.commands))
def test_every_command_stands_in_the_readme_with_all_its_options(name: str) -> None:
    assert f"`mammo {name}" in README
    options = [p for p in mammo.commands[name].params if isinstance(p, click.Option)]
    for option in options:
        assert f"`{max(option.opts, key=len)}" in README, f"{name}: {option.opts}"


@pytest.mark.parametrize("name", sorted(mammo.commands))
def test_every_command_shows_an_example_of_itself(name: str) -> None:
    assert f"mammo {name}" in (mammo.commands[name].epilog or "")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def test_the_tree_in_the_readme_names_every_module_and_nothing_else() -> None:
    tree = README.split("```text\n", 1)[1].split("```", 1)[0]
    named = set(re.findall(r"^\s*([a-z_0-9]+\.(?:py|yaml))\b", tree, re.MULTILINE))
    files = {
        path.name
        for folder in ("mammo_ray", "jobs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml"} and not path.name.startswith("__")
    }
    assert named == files


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = project.split("dependencies = [", 1)[1].split("]\n", 1)[0]
    names = re.findall(r'"([a-z0-9-]+)', block)
    assert len(names) > 15
    for name in names:
        assert re.search(rf"\b{name}\b", reasons), name


def test_the_lock_names_no_package_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url", lock)
