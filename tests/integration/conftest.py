"""One local Ray for all integration tests, and one small phantom flow that they look at."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mammo_ray.config import Config, load_config
from mammo_ray.datasets.phantoms.archive import write_phantom_archive
from mammo_ray.schema import Layout
from tests.integration.s3_fixtures import S3, bucket, led_to, s3, s3_if_there

__all__ = ["bucket", "s3", "s3_if_there"]  # fixtures that live elsewhere

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SMALL = (
    "preprocess.height=96",
    "preprocess.width=64",
    "train.epochs=2",
    "train.batch_size=8",
    "model.width=4",
    "augment.enabled=false",
    "data.shard_images=8",
    "evaluate.bootstrap_samples=200",
)


@pytest.fixture(scope="session")
def small() -> Config:
    """A recipe that trains in seconds."""
    return load_config("demo", overrides=SMALL)


@pytest.fixture(scope="session")
def ray_local(s3_if_there: S3 | None) -> Iterator[None]:
    """A local Ray that every test of the session shares; its workers know the way to the store."""
    from mammo_ray.distributed.session import ray_session

    with ExitStack() as running:
        with led_to(s3_if_there):
            running.enter_context(ray_session())
        yield


@dataclass(frozen=True)
class Flow:
    """Folders of one run through every stage."""

    archive: str
    manifest: str
    prepared: str
    model: str
    scores: str
    evaluation: str


@pytest.fixture(scope="session")
def flow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small: Config
) -> Flow:
    """A phantom archive of 16 women through manifest, prepare, train, score and evaluate."""
    from mammo_ray.distributed.evaluate import evaluate_model
    from mammo_ray.distributed.ingest import prepare_archive
    from mammo_ray.distributed.manifest import build_manifest
    from mammo_ray.distributed.origin import Origin
    from mammo_ray.distributed.score import score_archive
    from mammo_ray.distributed.train import train_model

    request.getfixturevalue("ray_local")
    root = tmp_path_factory.mktemp("flow")
    names = ("archive", "manifest", "prepared", "model", "scores", "evaluation")
    folders = Flow(*(str(root / name) for name in names))
    write_phantom_archive(Path(folders.archive), women=16, seed=3)
    outcomes = f"{folders.archive}/outcomes.csv"
    origin = Origin(Layout.ARCHIVE, folders.archive, outcomes=outcomes)
    assert build_manifest(origin, small, folders.manifest)[1] == 0
    assert prepare_archive(folders.manifest, small, folders.prepared)[1] == 0
    train_model(folders.prepared, small, folders.model)
    assert score_archive(folders.manifest, folders.model, small, folders.scores)[1] == 0
    evaluate_model(folders.scores, folders.model, small, folders.evaluation)
    return folders


@pytest.fixture(scope="session")
def browser() -> str:
    """The browser on PATH."""
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"NO BROWSER: none of {', '.join(_BROWSERS)} is on PATH, the page was not opened")
