"""The numbers of a training, sent to MLflow where a tracking server is named.

Only the configuration and numbers travel: no identifier, no path, no image, no user name.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mammo_ray import __version__
from mammo_ray.config import Config

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_EXPERIMENT = "mammo-ray"
_BATCH = 100  # parameters that MLflow takes at a time
_logger = logging.getLogger(__name__)

Numbers = Mapping[str, float | int | bool]


def track_run(
    config: Config,
    history: Sequence[Numbers],
    metrics: Numbers,
    marks: Mapping[str, str] | None = None,
) -> str | None:
    """Log one finished training as an MLflow run, and give the run's id.

    The server is that of `MLFLOW_TRACKING_URI`, the experiment that of `MLFLOW_EXPERIMENT_NAME`
    or `mammo-ray`. Without a server nothing is done and nothing of MLflow is imported. MLflow's
    own telemetry is switched off for this process.

    Args:
        config: logged as parameters, `section.key`.
        history: one entry an epoch; its numbers are logged with `epoch` as the step.
        metrics: the final numbers, logged as `final_NAME`.
        marks: what must be said of the numbers (leakage, certificate), as tags `mammo_ray.NAME`.

    Returns:
        The id of the run; None without a server, or (with a warning in the log) where the server
        failed: the same numbers stand beside the result, and a training is not lost for them.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return None
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        return _send(MlflowClient(tracking_uri=uri), config, history, metrics, marks or {})
    except MlflowException as error:
        _logger.warning("MLflow did not take the numbers of this run: %s", error.error_code)
        return None


def _send(
    client: "MlflowClient",
    config: Config,
    history: Sequence[Numbers],
    metrics: Numbers,
    marks: Mapping[str, str],
) -> str:
    from mlflow.entities import Metric, Param

    def points(numbers: Numbers, prefix: str, step: int) -> list[Metric]:
        now = int(time.time() * 1000)
        plain = {name: value for name, value in numbers.items() if not isinstance(value, bool)}
        return [Metric(prefix + name, float(value), now, step) for name, value in plain.items()]

    run_id = _create_run(client, config, marks)
    params = [Param(key, value) for key, value in _flat(config.model_dump(mode="json")).items()]
    for start in range(0, len(params), _BATCH):
        client.log_batch(run_id, params=params[start : start + _BATCH])
    for entry in history:
        client.log_batch(run_id, metrics=points(entry, "", int(entry["epoch"])))
    client.log_batch(run_id, metrics=points(metrics, "final_", 0))
    client.set_terminated(run_id)
    _logger.info("MLflow run %s", run_id)
    return run_id


def _create_run(client: "MlflowClient", config: Config, marks: Mapping[str, str]) -> str:
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
    found = client.get_experiment_by_name(experiment)
    number = found.experiment_id if found else client.create_experiment(experiment)
    tags = {"mammo_ray.version": __version__, "mammo_ray.recipe": config.recipe}
    tags |= {f"mammo_ray.{name}": text for name, text in marks.items()}
    run_id: str = client.create_run(number, tags=tags, run_name=config.recipe).info.run_id
    return run_id


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """`section.key` -> text for every leaf of a tree."""
    leaves: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = str(value)
    return leaves
