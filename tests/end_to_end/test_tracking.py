"""Tracking in a local database: what MLflow's own client finds there afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kedro.framework.session import KedroSession

from sparkify_kedro.framework.runs.repeat import load_summary
from sparkify_kedro.framework.runs.summary import RunSummary
from sparkify_kedro.framework.runs.versions import catalog_of
from sparkify_kedro.tracking.mlflow_client import client_of
from sparkify_kedro.tracking.record import track
from sparkify_kedro.tracking.settings import Tracking

if TYPE_CHECKING:
    from conftest import Project

LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")
MODELS = {f"{label}.{algorithm}" for label in LABELS for algorithm in ALGORITHMS}


@pytest.fixture(scope="module")
def tracking(small_project: Project) -> Tracking:
    return Tracking(uri=f"sqlite:///{small_project.folder}/data/tracking.db", experiment="sparkify-churn")


@pytest.fixture(scope="module")
def client(tracking: Tracking, small_project: Project, first_run: str) -> Any:
    """After the first run has been tracked twice, as if it had been repeated."""
    client = client_of(tracking)
    with KedroSession.create(small_project.folder) as session:
        catalog = catalog_of(session.load_context())
    summary = load_summary(small_project.versions("08_reporting", "run_summary.json")[0], catalog)
    for _ in range(2):
        track(client, tracking, summary, catalog)
    return client


def runs(client: Any, condition: str = "") -> list[Any]:
    experiment = client.get_experiment_by_name("sparkify-churn").experiment_id
    return list(client.search_runs([experiment], condition, order_by=["attributes.start_time ASC"]))


def parents(client: Any) -> list[Any]:
    return [run for run in runs(client) if "mlflow.parentRunId" not in run.data.tags]


def test_a_run_has_parameters_seconds_and_a_manifest_that_can_be_read(
    client: Any, small_project: Project, tmp_path: Path
) -> None:
    run = parents(client)[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["sampling.split.folds.number"] == "2"
    assert run.data.metrics["seconds/modeling"] > 0
    manifest = Path(client.download_artifacts(run.info.run_id, "run_summary.json", str(tmp_path)))
    summary = RunSummary.model_validate_json(manifest.read_text())
    assert summary.run_id == run.info.run_name
    assert "report.html" in {file.path for file in client.list_artifacts(run.info.run_id)}


def test_every_model_is_a_nested_run_with_its_scores_and_files(client: Any, small_project: Project) -> None:
    parent = parents(client)[0].info.run_id
    nested = runs(client, f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {run.info.run_name for run in nested} == MODELS
    for run in nested:
        label, algorithm = run.info.run_name.split(".")
        metrics = small_project.report(label, algorithm, "metrics.json")
        assert run.data.metrics["test/brier"] == pytest.approx(metrics["brier"])
        search = json.loads(small_project.newest("06_models", label, algorithm, "search_report.json").read_text())
        assert run.data.metrics["out_of_fold/auc_roc"] == pytest.approx(search["out_of_fold"]["auc_roc"])
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert files == {"model", "out_of_fold", "search_report.json"}
        assert {file.path for file in client.list_artifacts(run.info.run_id, "model")} >= {"model/metadata"}


@pytest.mark.parametrize("label", LABELS)
def test_a_champion_is_registered_and_promoted_if_it_may_be(client: Any, small_project: Project, label: str) -> None:
    comparison = small_project.report(label, "comparison.json")
    registered = client.get_registered_model(f"sparkify-churn.{label}")
    versions = [client.get_model_version(registered.name, number) for number in ("1", "2")]
    assert int(registered.aliases["candidate"]) == 2
    for version in versions:
        assert version.tags["algorithm"] == comparison["champion"]
        assert version.description.startswith(f"# {label}")
        assert ("not distinguishable from chance" in version.tags["why"]) is (version.tags["promoted"] == "False")
    is_promoted = versions[1].tags["promoted"] == "True"
    assert registered.aliases.get("champion") == (registered.aliases["candidate"] if is_promoted else None)
    if is_promoted:
        assert "differs from that of the present champion by +0.000" in versions[1].tags["why"]


def test_runs_of_the_command_line_are_tracked_also_where_they_fail(
    client: Any, tracking: Tracking, small_project: Project
) -> None:
    before = len(parents(client))
    params = f"--params=tracking.uri={tracking.uri}"
    assert "The run is tracked at" in small_project.kedro("run", "--nodes=log.most_played", params)
    failed = small_project.try_kedro(
        "run", "--nodes=engineer_user_time_bins", f"{params},feature_engineering.as_of='2001-01-01'"
    )
    assert failed.code != 0
    succeeded, stopped = parents(client)[before:]
    assert succeeded.info.status == "FINISHED"
    assert stopped.info.status == "FAILED"
    assert "feature_engineering.as_of is 2001-01-01" in stopped.data.tags["error"]


def test_a_server_that_cannot_be_reached_does_not_fail_a_run(small_project: Project) -> None:
    output = small_project.kedro("run", "--nodes=log.most_played", "--params=tracking.uri=http://127.0.0.1:9")
    assert "The run could not be tracked at http://127.0.0.1:9" in output
