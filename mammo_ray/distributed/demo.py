"""The whole flow on a phantom archive, in a few minutes on a laptop."""

import logging
from pathlib import Path

from mammo_ray.config import Config
from mammo_ray.datasets.phantoms.archive import write_phantom_archive
from mammo_ray.distributed.evaluate import evaluate_model
from mammo_ray.distributed.ingest import prepare_archive
from mammo_ray.distributed.manifest import build_manifest
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.score import score_archive
from mammo_ray.distributed.session import ray_session
from mammo_ray.distributed.train import train_model
from mammo_ray.errors import InputError
from mammo_ray.reports.page import write_report
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import Layout

_log = logging.getLogger(__name__)


def run_demo(out: str, women: int, seed: int, config: Config, address: str | None = None) -> str:
    """Phantom archive, manifest, preparation, training, scores, evaluation and report, below `out`.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: `out` exists and is not empty.
    """
    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{out} is not empty: remove it, or give another --out")
    archive = str(folder / "archive")
    record = RunRecord("demo", config)
    where = {n: str(folder / n) for n in ("manifest", "prepared", "model", "scores", "evaluation")}
    _say("1 of 7: a phantom archive of %d women", women)
    phantom = config.phantom
    summary = write_phantom_archive(
        Path(archive), women, seed, phantom.cancer_share, phantom.processes
    )
    _say("2 of 7: the manifest, from headers")
    outcomes = str(Path(archive, "outcomes.csv"))
    origin = Origin(Layout.ARCHIVE, archive, outcomes=outcomes)
    build_manifest(origin, config, where["manifest"])
    with ray_session(address):
        _say("3 of 7: preparation on Ray Data")
        prepare_archive(where["manifest"], config, where["prepared"])
        _say("4 of 7: training on Ray Train")
        train_model(where["prepared"], config, where["model"])
        _say("5 of 7: scoring of the whole archive on Ray Data")
        score_archive(where["manifest"], where["model"], config, where["scores"])
        _say("6 of 7: evaluation on women never trained on")
        evaluate_model(where["scores"], where["model"], config, where["evaluation"])
    _say("7 of 7: the report")
    page = write_report(out, config.report)
    record.counts = {"images": summary.images, "women": summary.women}
    record.write(out)
    return page


def _say(message: str, *values: object) -> None:
    _log.info("== " + message, *values)
