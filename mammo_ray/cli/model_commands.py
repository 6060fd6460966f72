"""Commands about models: train, score, evaluate, report, demo."""

from typing import Any

import click

from mammo_ray.cli import options
from mammo_ray.cli.options import (
    LOCAL_FOLDER,
    LOCATION,
    bundle_config,
    config_of,
    configurable,
    example,
    on_ray,
)
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import Protocol


@click.command(epilog=example("mammo train ./prepared --recipe default --out ./model"))
@click.argument("prepared", type=LOCATION)
@click.option(
    "--split", type=LOCATION, metavar="FILE", help="A split.csv instead of one made by patient."
)
@options.out
@options.recipe
@on_ray
def train(prepared: str, split: str | None, out: str, **given: Any) -> int:  # noqa: ANN401
    """Train one model on Ray Train and write its bundle."""
    from mammo_ray.distributed.train import train_model

    record = train_model(prepared, config_of(given), out, split, given["address"])
    counts = record.counts
    click.echo(
        f"trained on {counts['train_women']} women, chosen on {counts['valid_women']}, "
        f"{counts['test_women']} held out; bundle in {out}"
    )
    return 0


@click.command(epilog=example("mammo score ./archive --model ./model --out ./scores"))
@click.argument("source", type=LOCATION, metavar="ARCHIVE_OR_MANIFEST")
@options.model
@click.option("--protocol", type=click.Choice([str(p) for p in Protocol]), help="Views of an exam.")
@options.expected
@options.out
@on_ray
def score(
    source: str,
    bundle: str,
    protocol: str | None,
    expected: str | None,
    out: str,
    **given: Any,  # noqa: ANN401
) -> int:
    """Score every image of an archive and judge every exam; write a worklist."""
    from mammo_ray.distributed.score import find_source, score_archive

    if protocol:
        given["overrides"] = (*given["overrides"], f"score.protocol={protocol}")
    config = bundle_config(bundle, given)
    origin = find_source(source, expected)
    record, code = score_archive(origin, bundle, config, out, given["address"])
    counts = record.counts
    click.echo(
        f"{counts['planned']} images = {counts['done']} scored + {counts['rejected']} rejected "
        f"(and {counts['rejected_before']} by the manifest); {counts['exams']} exams = "
        f"{counts['exams_scored']} scored + {counts['exams_incomplete']} incomplete + "
        f"{counts['exams_failed']} failed + {counts['exams_out_of_scope']} out of scope + "
        f"{counts['exams_missing']} missing; "
        f"worklist in {out}/worklist.csv"
    )
    return code


@click.command(epilog=example("mammo evaluate ./prepared --model ./model --out ./evaluation"))
@click.argument("source", type=LOCATION, metavar="SCORES_OR_PREPARED")
@options.model
@options.out
@on_ray
def evaluate(source: str, bundle: str, out: str, **given: Any) -> int:  # noqa: ANN401
    """Judge a model on the women that it was never trained on."""
    from mammo_ray.distributed.evaluate import evaluate_model

    config = bundle_config(bundle, given)
    record = evaluate_model(source, bundle, config, out, given["address"])
    click.echo(record.details["summary"])
    return 0


@click.command(epilog=example("mammo report ./scores"))
@click.argument("folder", type=LOCATION, metavar="DIR")
@configurable
def report(folder: str, **given: Any) -> int:  # noqa: ANN401
    """Write one self-contained HTML page about a run, or about the runs in a folder."""
    from mammo_ray.reports.page import write_report

    config = config_of(given)
    record = RunRecord("report", config)
    page = write_report(folder, config.report)
    record.write_beside(page)
    click.echo(f"report in {page}")
    return 0


@click.command(epilog=example("mammo demo --out ./demo-output"))
@click.option("--out", type=LOCAL_FOLDER, default="demo-output", show_default=True, metavar="DIR")
@click.option("--women", type=click.IntRange(min=12), default=48, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@on_ray
def demo(out: str, women: int, seed: int, **given: Any) -> int:  # noqa: ANN401
    """Everything on a phantom archive, from DICOM files to a report, in a few minutes."""
    from mammo_ray.distributed.demo import run_demo

    if not given["config_file"]:
        given["recipe"] = "demo"
    page = run_demo(out, women, seed, config_of(given), given["address"])
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


COMMANDS: tuple[click.Command, ...] = (train, score, evaluate, report, demo)
