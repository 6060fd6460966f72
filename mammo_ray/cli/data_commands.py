"""Commands about data sets: phantom, fetch, manifest, check, explore, split, export, prepare."""

from pathlib import Path
from typing import Any

import click

from mammo_ray.cli import options
from mammo_ray.cli.options import (
    LOCAL_FOLDER,
    LOCATION,
    config_of,
    configurable,
    example,
    on_ray,
)
from mammo_ray.distributed.origin import Origin
from mammo_ray.errors import UsageError
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import Layout


@click.command(epilog=example("mammo phantom cbis-ddsm-kaggle ./phantoms --rows 300 --swapped 30"))
@options.layout
@click.argument("out", type=LOCAL_FOLDER)
@click.option("--rows", type=click.IntRange(min=1), help="Images; for CBIS-DDSM, lesions.")
@click.option("--women", type=click.IntRange(min=1), help="Instead of --rows, for `archive`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--tables", type=LOCAL_FOLDER, metavar="DIR", help="Real tables, for CBIS-DDSM: used as is."
)
@click.option(
    "--swapped", type=click.IntRange(min=0), default=0, help="Rows with crop and mask exchanged."
)
@click.option("--others", is_flag=True, help="With what archives hold beside screening images.")
@configurable
def phantom(
    layout: str,
    out: str,
    rows: int | None,
    women: int | None,
    seed: int,
    tables: str | None,
    *,
    swapped: int,
    others: bool,
    **given: Any,  # noqa: ANN401
) -> int:
    """Make a synthetic data set: same seed, same bytes; its truth lies beside it."""
    from mammo_ray.datasets.phantoms.archive import IMAGES_A_WOMAN
    from mammo_ray.datasets.phantoms.archive_extras import add_other_objects
    from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
    from mammo_ray.datasets.phantoms.layouts import write_phantom

    if (rows is None) == (women is None):
        raise UsageError("give --rows or --women, one of the two")
    if women is not None and layout != Layout.ARCHIVE:
        raise UsageError(f"--women is for the layout archive; {layout} takes --rows")
    if others and layout != Layout.ARCHIVE:
        raise UsageError("--others is for the layout archive")
    config = config_of(given)
    settings = config.phantom
    request = PhantomRequest(
        rows=rows if rows is not None else (women or 0) * IMAGES_A_WOMAN,
        seed=seed,
        tables=Path(tables) if tables else None,
        swapped=swapped,
        cancer_share=settings.cancer_share,
        processes=settings.processes,
    )
    record = RunRecord("phantom", config, inputs={"seed": str(seed), "layout": layout})
    counts = write_phantom(Layout(layout), Path(out), request)
    record.counts = {"images": counts.images, "women": counts.women}
    if others:
        record.counts["others"] = len(add_other_objects(Path(out), seed))
    record.write_beside(out)
    click.echo(
        f"{layout}: {counts.images} images of {counts.women} women in {out}; "
        f"truth in {truth_path(Path(out))}"
    )
    return 0


@click.command(epilog=example("mammo fetch kaggle:hayder17/breast-cancer-detection --out ./data"))
@click.argument("source", metavar="SOURCE")
@click.option("--out", type=LOCAL_FOLDER, required=True, metavar="DIR", help="A new folder.")
@click.option("--checksum", metavar="sha256:HEX", help="What the download must have.")
@configurable
def fetch(source: str, out: str, checksum: str | None, **given: Any) -> int:  # noqa: ANN401
    """Download a data set (kaggle:OWNER/NAME, URL, Google Drive link, PATH.zip) and unpack it."""
    from mammo_ray.datasets.fetching.fetch import FetchOptions, fetch_data_set

    config = config_of(given)
    record = RunRecord("fetch", config)
    summary = fetch_data_set(source, Path(out), FetchOptions.of(config.data.fetch, checksum))
    record.inputs = {"source": summary.source, "sha256": summary.sha256 or "none"}
    record.counts = {"files": summary.files, "bytes": summary.bytes}
    record.write_beside(out)
    click.echo(f"{summary.files} files ({summary.bytes / 1e6:.1f} MB) in {out}")
    return 0


@click.command(epilog=example("mammo manifest archive s3://site/2026 --out ./manifest"))
@options.data_set
@options.out
@options.recipe
@on_ray
def manifest(out: str, **given: Any) -> int:  # noqa: ANN401
    """Read a data set in one pass: manifest, exclusions, rejections."""
    from mammo_ray.distributed.manifest import build_manifest

    record, code = build_manifest(_origin(given), config_of(given), out, given["address"])
    _say_manifest(record, given)
    return code


@click.command(epilog=example("mammo check ./manifest --pixels"))
@options.manifest_source
@click.option("--pixels", is_flag=True, help="Decode every image and mask once.")
@click.option("--out", type=LOCATION, metavar="DIR", help="Folder for check.json; else MANIFEST's.")
@on_ray
def check(manifest_source: str, *, pixels: bool, out: str | None, **given: Any) -> int:  # noqa: ANN401
    """Find leaks, duplicates, contradictions and bad masks; exit code 4 where there are any."""
    from mammo_ray.distributed.check import check_manifest

    record, code = check_manifest(
        manifest_source, config_of(given), pixels=pixels, address=given["address"], out=out
    )
    click.echo(record.details["table"])
    return code


@click.command(epilog=example("mammo explore ./manifest --out ./overview"))
@options.manifest_source
@options.out
@on_ray
def explore(manifest_source: str, out: str, **given: Any) -> int:  # noqa: ANN401
    """Count a manifest by every label and show samples with their masks: one HTML page."""
    from mammo_ray.distributed.explore import explore_manifest

    explore_manifest(manifest_source, out, config_of(given))
    click.echo(f"overview in {out}/index.html")
    return 0


@click.command(epilog=example("mammo split ./manifest --kind folds --folds 5 --out folds.csv"))
@options.manifest_source
@click.option("--kind", type=click.Choice(["official", "ratio", "folds"]), required=True)
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--test-fraction", type=click.FloatRange(0, 1), default=0.2, show_default=True)
@click.option("--validation-fraction", type=click.FloatRange(0, 1), default=0.15, show_default=True)
@click.option(
    "--validation-from",
    type=click.Choice(["rest", "test"]),
    default="rest",
    show_default=True,
    help="Carve validation from the women left, or from the test side.",
)
@click.option(
    "--shared",
    type=click.Choice(["refuse", "train", "test", "drop"]),
    default="refuse",
    show_default=True,
    help="Women on both sides of an official split.",
)
@click.option("--include-test", is_flag=True, help="Fold the official test side too.")
@click.option("--allow-leakage", is_flag=True, help="Split by row; marks every result.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=LOCATION, required=True, metavar="FILE", help="The CSV to write.")
@configurable
def split(manifest_source: str, out: str, **given: Any) -> int:  # noqa: ANN401
    """Divide the women of a manifest into sides or folds."""
    from mammo_ray.distributed.split import SplitOptions, write_split

    chosen = SplitOptions(
        kind=given["kind"],
        folds=given["folds"],
        include_test=given["include_test"],
        test_fraction=given["test_fraction"],
        validation_fraction=given["validation_fraction"],
        validation_from=given["validation_from"],
        shared=given["shared"],
        allow_leakage=given["allow_leakage"],
        seed=given["seed"],
    )
    record = write_split(manifest_source, out, chosen, config_of(given))
    click.echo(record.details["summary"])
    return 0


@click.command(epilog=example("mammo export ./manifest --to ./renamed --format png16"))
@options.manifest_source
@click.option("--to", type=LOCATION, required=True, metavar="DIR", help="Folder or s3:// prefix.")
@click.option(
    "--format", "file_format", type=click.Choice(["dcm", "png16", "jpg"]), default="png16",
    show_default=True,
)  # fmt: skip
@click.option(
    "--name",
    default="{patient_id}_{laterality}_{view_position}_{kind}",
    show_default=True,
    metavar="TEMPLATE",
    help="Name of every file, without its suffix.",
)
@on_ray
def export(manifest_source: str, to: str, file_format: str, name: str, **given: Any) -> int:  # noqa: ANN401
    """Write the images and masks of a manifest under names of your own."""
    from mammo_ray.distributed.export import export_manifest

    record, code = export_manifest(
        manifest_source, to, file_format, name, config_of(given), given["address"]
    )
    counts = record.counts
    click.echo(
        f"{counts['planned']} files = {counts['done']} written + {counts['rejected']} rejected, "
        f"in {to}"
    )
    return code


@click.command(epilog=example("mammo prepare ./manifest --recipe default --out ./prepared"))
@options.manifest_source
@options.kind
@options.out
@options.recipe
@on_ray
def prepare(manifest_source: str, out: str, **given: Any) -> int:  # noqa: ANN401
    """Decode, crop, orient and resize every image of a manifest into Parquet parts."""
    from mammo_ray.distributed.ingest import prepare_archive

    record, code = prepare_archive(manifest_source, config_of(given), out, given["address"])
    _say_prepared(record)
    return code


@click.command(epilog=example("mammo ingest archive ./archive --outcomes labels.csv --out ./data"))
@options.data_set
@options.kind
@options.out
@options.recipe
@on_ray
def ingest(out: str, **given: Any) -> int:  # noqa: ANN401
    """Manifest and preparation in one: DIR/manifest and DIR/prepared."""
    from mammo_ray.distributed.ingest import ingest_data_set

    record, code = ingest_data_set(_origin(given), config_of(given), out, given["address"])
    click.echo(f"{given['layout']}: manifest in {out}/manifest, images in {out}/prepared")
    _say_prepared(record)
    return code


COMMANDS: tuple[click.Command, ...] = (
    phantom, fetch, manifest, check, explore, split, export, prepare, ingest,
)  # fmt: skip


def _origin(given: dict[str, Any]) -> Origin:
    return Origin(
        layout=Layout(given["layout"]),
        root=given["root"],
        tables=given["tables"],
        listing=given["listing"],
        outcomes=given["outcomes"],
        expected=given["expected"],
        tables_only=given["tables_only"],
    )


def _say_manifest(record: RunRecord, given: dict[str, Any]) -> None:
    counts = record.counts
    click.echo(
        f"{given['layout']}: {counts['seen']} files seen = {counts['rows']} images "
        f"+ {counts['excluded']} excluded + {counts['rejected']} rejected; "
        f"{counts['women']} women, {counts['positive']} images with cancer"
    )
    for line in record.details.get("said", []):
        click.echo(line)
    if given["outcomes"]:
        click.echo(
            f"outcomes: {counts['outcomes_unmatched']} rows speak of no image here; "
            f"{counts['labels_withheld']} images disagree with theirs and stay unlabelled"
        )
    if given["expected"]:
        click.echo(f"expected exams: {counts['exams_missing']} are missing")


def _say_prepared(record: RunRecord) -> None:
    counts = record.counts
    click.echo(
        f"{counts['planned']} images = {counts['done']} prepared + {counts['rejected']} rejected "
        f"in {counts['parts']} parts; content digest {record.outputs['content_digest']}"
    )
