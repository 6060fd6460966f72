"""The `mammo` command: parse, configure, one library call, say what came of it, exit code.

Exit codes: 0 done, 1 failed, 2 bad usage, configuration or input, 3 done but more than the allowed
share of images rejected.
"""

import functools
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mammo_ray import __version__, storage
from mammo_ray.config import Config, load_config, overlay, recipe_names
from mammo_ray.distributed.environment import prepare_environment
from mammo_ray.errors import MammoError
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import Protocol

_log = logging.getLogger("mammo_ray")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line without the program's name; None: those of the process.
    """
    _set_up_logging()
    try:
        code = mammo.main(
            args=None if arguments is None else list(arguments),
            prog_name="mammo",
            standalone_mode=False,
        )
    except MammoError as error:
        click.echo(f"mammo: error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("mammo: stopped", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _set_up_logging() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    _log.setLevel(logging.INFO)


class _Location(click.ParamType[str]):
    """A path or `s3://` address; a path becomes absolute, for workers run in other folders."""

    name = "location"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("is empty", param, ctx)
        return storage.absolute(value)


class _LocalFolder(_Location):
    """A path on this machine; the archive that is drawn there is written by ordinary files."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if storage.is_s3(value):
            self.fail(f"{value!r} is object storage; a local folder is needed", param, ctx)
        return super().convert(value, param, ctx)


_LOCATION = _Location()
_LOCAL_FOLDER = _LocalFolder()


def _example(text: str) -> dict[str, str]:
    return {"epilog": f"\b\nExample:\n  {text}"}


def _common(command: Callable[..., int]) -> Callable[..., int]:
    """Options of every command that runs on Ray; sets the environment before Ray is imported."""

    @click.option("--address", help="A running Ray cluster; without it, a local Ray.")
    @_configurable
    @functools.wraps(command)
    def wrapped(**options: Any) -> int:  # noqa: ANN401 - click gives each its own type
        prepare_environment(options["address"])
        return command(**options)

    return wrapped


def _configurable(command: Callable[..., int]) -> Callable[..., int]:
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    command = click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting."
    )(command)
    return click.option(
        "--config", "config_file", type=file, help="A YAML file instead of a recipe."
    )(command)


_recipe = click.option("--recipe", metavar="NAME", help=f"One of: {', '.join(recipe_names())}.")
_out = click.option(
    "--out", type=_LOCATION, required=True, metavar="DIR", help="Folder or s3:// prefix."
)
_model = click.option(
    "--model", "bundle", type=_LOCATION, required=True, metavar="BUNDLE", help="Model bundle."
)
_outcomes = click.option(
    "--outcomes", type=_LOCATION, metavar="FILE", help="CSV of labels; without it, none."
)
_layout = click.argument("layout", type=click.Choice(["archive"]))


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="mammo")
def mammo() -> None:
    """Batch scoring and training for screening mammography, on Ray.

    Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 done but too many images rejected.
    """


@mammo.command(**_example("mammo phantom archive ./phantoms --women 40 --seed 1"))
@_layout
@click.argument("out", type=_LOCAL_FOLDER)
@click.option("--women", type=click.IntRange(min=1), required=True, help="Four views each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_configurable
def phantom(layout: str, out: str, women: int, seed: int, **options: Any) -> int:  # noqa: ANN401
    """Make a synthetic screening archive: same seed, same bytes."""
    from mammo_ray.datasets.phantom_archive import write_phantom_archive

    config = _config(options)
    record = RunRecord("phantom", config, inputs={"seed": str(seed)})
    settings = config.phantom
    summary = write_phantom_archive(
        Path(out), women, seed, settings.cancer_share, settings.processes
    )
    record.counts = {"images": summary.images, "women": summary.women}
    record.write_beside(out)
    click.echo(f"{layout}: {summary.images} images of {summary.women} women in {out}")
    return 0


@mammo.command(**_example("mammo manifest archive s3://site/2026 --out ./manifest"))
@_layout
@click.argument("root", type=_LOCATION)
@_outcomes
@_out
@_recipe
@_common
def manifest(
    layout: str,
    root: str,
    outcomes: str | None,
    out: str,
    **options: Any,  # noqa: ANN401
) -> int:
    """List an archive from its headers: manifest, exclusions, rejections."""
    from mammo_ray.distributed.manifest import build_manifest

    record, code = build_manifest(root, outcomes, _config(options), out, options["address"])
    click.echo(
        f"{layout}: {record.counts['seen']} files seen = {record.counts['rows']} images "
        f"+ {record.counts['excluded']} excluded + {record.counts['rejected']} rejected; "
        f"{record.counts['women']} women, {record.counts['positive']} images with cancer"
    )
    if outcomes:
        click.echo(
            f"outcomes: {record.counts['outcomes_unmatched']} rows speak of no image here; "
            f"{record.counts['labels_withheld']} images disagree with theirs and stay unlabelled"
        )
    return code


@mammo.command(**_example("mammo prepare ./manifest --recipe default --out ./prepared"))
@click.argument("manifest_source", type=_LOCATION, metavar="MANIFEST")
@_out
@_recipe
@_common
def prepare(manifest_source: str, out: str, **options: Any) -> int:  # noqa: ANN401
    """Decode, crop, orient and resize every image of a manifest into Parquet parts."""
    from mammo_ray.distributed.ingest import prepare_archive

    record, code = prepare_archive(manifest_source, _config(options), out, options["address"])
    _say_prepared(record)
    return code


@mammo.command(**_example("mammo ingest archive ./archive --outcomes outcomes.csv --out ./data"))
@_layout
@click.argument("root", type=_LOCATION)
@_outcomes
@_out
@_recipe
@_common
def ingest(
    layout: str,
    root: str,
    outcomes: str | None,
    out: str,
    **options: Any,  # noqa: ANN401
) -> int:
    """Manifest and preparation in one: DIR/manifest and DIR/prepared."""
    from mammo_ray.distributed.ingest import ingest_archive

    record, code = ingest_archive(root, outcomes, _config(options), out, options["address"])
    click.echo(f"{layout}: manifest in {out}/manifest, images in {out}/prepared")
    _say_prepared(record)
    return code


@mammo.command(**_example("mammo train ./prepared --recipe default --out ./model"))
@click.argument("prepared", type=_LOCATION)
@click.option(
    "--split", type=_LOCATION, metavar="FILE", help="A split.csv instead of one made by patient."
)
@_out
@_recipe
@_common
def train(prepared: str, split: str | None, out: str, **options: Any) -> int:  # noqa: ANN401
    """Train one model on Ray Train and write its bundle."""
    from mammo_ray.distributed.train import train_model

    record = train_model(prepared, _config(options), out, split, options["address"])
    counts = record.counts
    click.echo(
        f"trained on {counts['train_women']} women, chosen on {counts['valid_women']}, "
        f"{counts['test_women']} held out; bundle in {out}"
    )
    return 0


@mammo.command(**_example("mammo score ./archive --model ./model --out ./scores"))
@click.argument("source", type=_LOCATION, metavar="ARCHIVE_OR_MANIFEST")
@_model
@click.option("--protocol", type=click.Choice([str(p) for p in Protocol]), help="Views of an exam.")
@_out
@_common
def score(
    source: str,
    bundle: str,
    protocol: str | None,
    out: str,
    **options: Any,  # noqa: ANN401
) -> int:
    """Score every image of an archive and judge every exam; write a worklist."""
    from mammo_ray.distributed.score import score_archive

    if protocol:
        options["overrides"] = (*options["overrides"], f"score.protocol={protocol}")
    config = _bundle_config(bundle, options)
    record, code = score_archive(source, bundle, config, out, options["address"])
    counts = record.counts
    click.echo(
        f"{counts['planned']} images = {counts['done']} scored + {counts['rejected']} rejected "
        f"(and {counts['rejected_before']} by the manifest); {counts['exams']} exams = "
        f"{counts['exams_scored']} scored + {counts['exams_incomplete']} incomplete + "
        f"{counts['exams_failed']} failed + {counts['exams_out_of_scope']} out of scope; "
        f"worklist in {out}/worklist.csv"
    )
    return code


@mammo.command(**_example("mammo evaluate ./prepared --model ./model --out ./evaluation"))
@click.argument("source", type=_LOCATION, metavar="SCORES_OR_PREPARED")
@_model
@_out
@_common
def evaluate(source: str, bundle: str, out: str, **options: Any) -> int:  # noqa: ANN401
    """Judge a model on the women that it was never trained on."""
    from mammo_ray.distributed.evaluate import evaluate_model

    config = _bundle_config(bundle, options)
    record = evaluate_model(source, bundle, config, out, options["address"])
    click.echo(record.details["summary"])
    return 0


@mammo.command(**_example("mammo report ./scores"))
@click.argument("folder", type=_LOCATION, metavar="DIR")
@_configurable
def report(folder: str, **options: Any) -> int:  # noqa: ANN401
    """Write one self-contained HTML page about a run, or about the runs in a folder."""
    from mammo_ray.reports.page import write_report

    config = _config(options)
    record = RunRecord("report", config)
    page = write_report(folder, config.report)
    record.write_beside(page)
    click.echo(f"report in {page}")
    return 0


@mammo.command(**_example("mammo demo --out ./demo-output"))
@click.option("--out", type=_LOCAL_FOLDER, default="demo-output", show_default=True, metavar="DIR")
@click.option("--women", type=click.IntRange(min=12), default=48, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@_common
def demo(out: str, women: int, seed: int, **options: Any) -> int:  # noqa: ANN401
    """Everything on a phantom archive, from DICOM files to a report, in a few minutes."""
    from mammo_ray.distributed.demo import run_demo

    if not options["config_file"]:
        options["recipe"] = "demo"
    page = run_demo(out, women, seed, _config(options), options["address"])
    click.echo(
        f"\nMade in {out}:\n"
        "  archive/     DICOM files, outcomes.csv, lesions.csv (synthetic)\n"
        "  manifest/    manifest.parquet, exclusions.parquet, rejections.parquet\n"
        "  prepared/    images/part-*.parquet\n"
        "  model/       the model bundle\n"
        "  scores/      images/part-*.parquet, breasts.parquet, exams.parquet, worklist.csv\n"
        "  evaluation/  evaluation.json and figures\n"
        f"Look at {page} first, then at {out}/scores/worklist.csv."
    )
    return 0


def _config(options: dict[str, Any]) -> Config:
    """Recipe or file with overrides."""
    return load_config(options.get("recipe"), options["config_file"], options["overrides"])


def _bundle_config(bundle: str, options: dict[str, Any]) -> Config:
    """The bundle's own configuration, or the given file, with overrides."""
    if options["config_file"]:
        return load_config(path=options["config_file"], overrides=options["overrides"])
    from mammo_ray.models.bundle import read_bundle

    return overlay(read_bundle(bundle).config, options["overrides"], f"the recipe of {bundle}")


def _say_prepared(record: RunRecord) -> None:
    counts = record.counts
    click.echo(
        f"{counts['planned']} images = {counts['done']} prepared + {counts['rejected']} rejected "
        f"in {counts['parts']} parts; content digest {record.outputs['content_digest']}"
    )


if __name__ == "__main__":
    sys.exit(main())
