"""MLflow's client, without usage data and without long waits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .settings import Tracking, artifacts_beside

# MLflow reads these when it is imported; what the user has set stays.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_MISSING = 'MLflow is not installed: install the extra mlflow, as in pip install ".[mlflow]"'
# Of one call.
_MOST_PARAMETERS, _MOST_METRICS = 100, 1_000
_LONGEST_VALUE = 500


class MissingMlflowError(ImportError):
    """MLflow is not installed."""


def client_of(tracking: Tracking) -> Any:
    """A client for the tracking URI.

    Raises:
        MissingMlflowError: where MLflow is not installed.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise MissingMlflowError(_MISSING) from error
    return MlflowClient(tracking_uri=tracking.target, registry_uri=tracking.target)


def experiment_of(client: Any, tracking: Tracking) -> str:
    """The id of the experiment, which is created where there is none."""
    found = client.get_experiment_by_name(tracking.experiment)
    if found is not None:
        return str(found.experiment_id)
    location = artifacts_beside(tracking.target or "")
    return str(client.create_experiment(tracking.experiment, artifact_location=location))


@contextmanager
def tracked_run(client: Any, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Any]:
    """A run that ends as finished, or as failed where the block raises."""
    run = client.create_run(experiment, run_name=name, tags=dict(tags))
    try:
        yield run
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)


def log_parameters(client: Any, run_id: str, parameters: Mapping[str, Any]) -> None:
    """Parameters by clean name; values that are too long are cut."""
    from mlflow.entities import Param  # noqa: PLC0415

    entries = [Param(clean(name), str(value)[:_LONGEST_VALUE]) for name, value in parameters.items()]
    for start in range(0, len(entries), _MOST_PARAMETERS):
        client.log_batch(run_id, params=entries[start : start + _MOST_PARAMETERS])


def log_metrics(client: Any, run_id: str, metrics: Mapping[str, float]) -> None:
    """Metrics by clean name."""
    from mlflow.entities import Metric  # noqa: PLC0415

    entries = [Metric(clean(name), float(value), 0, 0) for name, value in metrics.items()]
    for start in range(0, len(entries), _MOST_METRICS):
        client.log_batch(run_id, metrics=entries[start : start + _MOST_METRICS])


def clean(name: str) -> str:
    """A name with the characters that MLflow allows in keys.

    Examples:
        >>> clean("segments.tenure_days.up to 30 (%)")
        'segments.tenure_days.up to 30 ___'
    """
    return re.sub(r"[^\w\-. /]", "_", name)[:250]
