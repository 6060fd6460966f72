"""Options and parameter types that commands share."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mammo_ray import storage
from mammo_ray.config import Config, load_config, overlay, recipe_names
from mammo_ray.distributed.environment import prepare_environment
from mammo_ray.schema import Layout


class _Location(click.ParamType[str]):
    """A path or `s3://` address; a path becomes absolute, for workers run in other folders."""

    name = "location"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("is empty", param, ctx)
        return storage.absolute(value)


class _LocalFolder(_Location):
    """A path on this machine, for what is written by ordinary files."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if storage.is_s3(value):
            self.fail(f"{value!r} is object storage; a local folder is needed", param, ctx)
        return super().convert(value, param, ctx)


LOCATION = _Location()
LOCAL_FOLDER = _LocalFolder()


def example(text: str) -> str:
    """The example at the end of a command's help."""
    return f"\b\nExample:\n  {text}"


def configurable(command: Callable[..., int]) -> Callable[..., int]:
    """Options that give the configuration, without a recipe."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    command = click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting."
    )(command)
    return click.option(
        "--config", "config_file", type=file, help="A YAML file instead of a recipe."
    )(command)


def on_ray(command: Callable[..., int]) -> Callable[..., int]:
    """Options of every command that runs on Ray; sets the environment before Ray is imported."""

    @click.option("--address", help="A running Ray cluster; without it, a local Ray.")
    @configurable
    @functools.wraps(command)
    def wrapped(**options: Any) -> int:  # noqa: ANN401 - click gives each its own type
        prepare_environment(options["address"])
        return command(**options)

    return wrapped


recipe = click.option("--recipe", metavar="NAME", help=f"One of: {', '.join(recipe_names())}.")
out = click.option(
    "--out", type=LOCATION, required=True, metavar="DIR", help="Folder or s3:// prefix."
)
model = click.option(
    "--model", "bundle", type=LOCATION, required=True, metavar="BUNDLE", help="Model bundle."
)
expected = click.option(
    "--expected", type=LOCATION, metavar="FILE", help="CSV of the exams that should have come."
)
kind = click.option(
    "--kind",
    "data_kind",
    type=click.Choice(["full", "crop"]),
    help="Whole films, or crops around lesions.",
)
layout = click.argument("layout", type=click.Choice([str(name) for name in Layout]))
manifest_source = click.argument("manifest_source", type=LOCATION, metavar="MANIFEST")


def data_set(command: Callable[..., int]) -> Callable[..., int]:
    """Layout and root of a data set, and where its tables and names come from."""
    options = [
        layout,
        click.argument("root", type=LOCATION),
        click.option(
            "--tables", type=LOCATION, metavar="DIR", help="Folder of the tables, if not in ROOT."
        ),
        click.option(
            "--listing",
            type=LOCATION,
            metavar="FILE",
            help="CSV or Parquet of the names below ROOT, instead of listing it.",
        ),
        click.option(
            "--tables-only", is_flag=True, help="Open no image; reject what would need a look."
        ),
        click.option(
            "--outcomes", type=LOCATION, metavar="FILE", help="CSV of labels; without it, none."
        ),
        expected,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def config_of(options: dict[str, Any]) -> Config:
    """Recipe or file with overrides."""
    overrides = options["overrides"]
    if options.get("data_kind"):
        overrides = (*overrides, f"data.kind={options['data_kind']}")
    return load_config(options.get("recipe"), options["config_file"], overrides)


def bundle_config(bundle: str, options: dict[str, Any]) -> Config:
    """The bundle's own configuration, or the given file, with overrides."""
    if options["config_file"]:
        return load_config(path=options["config_file"], overrides=options["overrides"])
    from mammo_ray.models.bundle import read_bundle

    return overlay(read_bundle(bundle).config, options["overrides"], f"the recipe of {bundle}")
