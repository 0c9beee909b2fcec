"""Record a run that has ended: its parameters, stages and reports, its models, and its champions."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog

from sparkify_kedro.churn.reports import Comparison, Metrics, RankingScores, SearchReport
from sparkify_kedro.framework.runs.summary import RunSummary
from sparkify_kedro.framework.runs.versions import is_versioned, protocol_of, version_path
from sparkify_kedro.learning.parameters import Evaluation

from .mlflow_client import clean, experiment_of, log_metrics, log_parameters, tracked_run
from .promotion import Decision, decide
from .settings import Tracking

# The blocks of parameters that a run's results depend on; the manifest has all.
_BLOCKS = ("ingestion", "feature_engineering", "user_types", "sampling", "modeling", "scoring")
CHAMPION, CANDIDATE = "champion", "candidate"
_PARENT = "mlflow.parentRunId"
MANIFEST = "run_summary.json"


def track(client: Any, tracking: Tracking, summary: RunSummary, catalog: DataCatalog) -> None:
    """Record a run with its models, and register its champions.

    Args:
        client: MLflow's client.
        tracking: the experiment.
        summary: the run.
        catalog: what the run has written.
    """
    experiment = experiment_of(client, tracking)
    tags = {"succeeded": str(summary.succeeded), "pipelines": ", ".join(summary.stages)}
    if summary.git is not None:
        tags |= {"commit": summary.git.commit, "uncommitted_changes": str(summary.git.dirty)}
    with tracked_run(client, experiment, summary.run_id, tags) as run:
        run_id = run.info.run_id
        blocks = {name: summary.parameters[name] for name in _BLOCKS if name in summary.parameters}
        log_parameters(client, run_id, dict(_leaves(blocks)))
        seconds = {f"seconds/{name}": stage.seconds for name, stage in summary.stages.items()}
        log_metrics(client, run_id, seconds | {"seconds/run": summary.seconds})
        client.log_text(run_id, summary.model_dump_json(indent=2), MANIFEST)
        if (page := _written("report", summary, catalog)) is not None:
            client.log_artifact(run_id, str(page))
        if summary.error is not None:
            client.set_tag(run_id, "error", summary.error[:5_000])
            raise FailedRunError
        nested = {
            name: _track_model(client, experiment, run_id, name, summary, catalog)
            for name in sorted(_of_kind("metrics", summary))
        }
        for label in sorted(_of_kind("champion", summary)):
            _register(client, tracking, label, nested, summary, catalog)


class FailedRunError(Exception):
    """Marks the tracked run as failed."""


def _of_kind(kind: str, summary: RunSummary) -> list[str]:
    """The namespaces in which the run has written a dataset."""
    return [
        name.rpartition(".")[0]
        for name, version in summary.versions_written.items()
        if version is not None and name.rpartition(".")[2] == kind
    ]


def _written(name: str, summary: RunSummary, catalog: DataCatalog) -> Path | None:
    """Where the run has written a dataset on this machine; None where it has not."""
    version, dataset = summary.versions_written.get(name), catalog.get(name)
    if version is None or not is_versioned(dataset) or protocol_of(dataset) != "file":
        return None
    return version_path(dataset, version)


def _track_model(
    client: Any, experiment: str, parent: str, name: str, summary: RunSummary, catalog: DataCatalog
) -> str:
    """A run for the model of a label and an algorithm, nested in the run's own; its id."""
    metrics: Metrics = catalog.load(f"{name}.metrics")
    with tracked_run(client, experiment, name, {_PARENT: parent, "kedro_run": summary.run_id}) as run:
        run_id = str(run.info.run_id)
        found = dict(_scores("test", metrics.test))
        found |= {"test/brier": metrics.brier, "test/calibration_error": metrics.calibration_error}
        if f"{name}.search_report" in summary.versions_written:
            report: SearchReport = catalog.load(f"{name}.search_report")
            found |= dict(_scores("out_of_fold", report.out_of_fold))
            log_parameters(client, run_id, {**report.settings, **report.best.settings})
            client.log_text(run_id, report.model_dump_json(indent=2), "search_report.json")
        log_metrics(client, run_id, {key: value for key, value in found.items() if value is not None})
        for folder in ("model", "out_of_fold"):
            if (path := _written(f"{name}.{folder}", summary, catalog)) is not None:
                client.log_artifacts(run_id, str(path), artifact_path=folder)
    return run_id


def _scores(prefix: str, scores: RankingScores) -> Iterator[tuple[str, float | None]]:
    for name in ("average_precision", "auc_pr", "auc_roc", "prevalence"):
        yield f"{prefix}/{name}", getattr(scores, name)
        if (interval := getattr(scores, f"{name}_interval", None)) is not None:
            yield from zip((f"{prefix}/{name}_low", f"{prefix}/{name}_high"), interval, strict=True)


def _register(
    client: Any, tracking: Tracking, label: str, nested: Mapping[str, str], summary: RunSummary, catalog: DataCatalog
) -> None:
    """Register a champion with its card and scores, and promote it unless the gate is shut."""
    comparison: Comparison = catalog.load(f"{label}.comparison")
    model = f"{label}.{comparison.champion}"
    if model not in nested:
        return  # the model is of an earlier run, and was registered then
    name = clean(f"{tracking.experiment}.{label}").replace("/", "_")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"The champions of {label}.")
    decision = _decide(client, name, comparison, nested[model], summary)
    out_of_fold = comparison.champion_scores.out_of_fold
    card = _written(f"{label}.model_card", summary, catalog)
    version = client.create_model_version(
        name,
        source=f"{client.get_run(nested[model]).info.artifact_uri}/model",
        run_id=nested[model],
        description=None if card is None else card.read_text(),
        tags={
            "algorithm": comparison.champion,
            "kedro_run": summary.run_id,
            **{key: f"{value:.4f}" for key, value in _scores("out_of_fold", out_of_fold) if value is not None},
            "promoted": str(decision.is_promoted),
            "why": decision.reason[:5_000],
        },
    )
    client.set_registered_model_alias(name, CANDIDATE, version.version)
    if decision.is_promoted:
        client.set_registered_model_alias(name, CHAMPION, version.version)


def _decide(client: Any, name: str, comparison: Comparison, run_id: str, summary: RunSummary) -> Decision:
    evaluation = Evaluation.model_validate(summary.parameters["modeling"]["evaluation"])
    aliases = client.get_registered_model(name).aliases
    present = None
    if CHAMPION in aliases:
        present = _scored(client, client.get_model_version(name, aliases[CHAMPION]).run_id)
    scores = _scored(client, run_id)
    if scores is None:
        return Decision(False, "its scores out of fold are not tracked")
    return decide(comparison, scores, present, evaluation)


def _scored(client: Any, run_id: str) -> pd.DataFrame | None:
    """The tracked scores of a model out of fold."""
    if "out_of_fold" not in {each.path for each in client.list_artifacts(run_id)}:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return pd.read_parquet(client.download_artifacts(run_id, "out_of_fold", folder))


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", json.dumps(value) if isinstance(value, list) else value
