"""A run writes down what it read, did and wrote, whether it succeeded or failed."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pluggy import PluginManager
from pyspark.sql import SparkSession

SMALL_LOG = {"simulation": {"users": 3, "files": 1, "start": "2018-10-01", "end": "2018-10-15"}}

RAW_SCHEMA = "conf/base/schemas/raw_events.json"
EVENT = {
    "ts": 1538352117000,
    "userId": "30",
    "sessionId": 29,
    "itemInSession": 0,
    "page": "Home",
    "level": "paid",
    "registration": 1538173362000,
}


def run(project: Path, pipeline: str, **parameters: Any) -> None:
    """A run like ``kedro run --pipelines=...``, in this process, whose Spark is running already."""
    with KedroSession.create(project_path=project, runtime_params=parameters) as session:
        session.run(pipeline_names=[pipeline])


def summaries(project: Path) -> list[dict[str, Any]]:
    """What the project's runs wrote down, the first run first."""
    files = sorted((project / "data" / "08_reporting" / "run_summary.json").glob("*/run_summary.json"))
    return [json.loads(file.read_text()) for file in files]


def test_a_run_is_written_down(spark: SparkSession, project: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was asked for, the parameters in effect, versions, rows and seconds of every node, and with what."""
    with caplog.at_level(logging.INFO, logger="sparkify_kedro"):
        run(project, "simulation", **SMALL_LOG)

    (summary,) = summaries(project)
    assert (summary["succeeded"], summary["error"]) == (True, None)
    assert summary["asked_for"] == {"pipeline_names": ["simulation"], "runtime_params": SMALL_LOG}
    assert summary["parameters"]["simulation"]["users"] == 3
    assert summary["parameters"]["simulation"]["seed"] == 20181001
    assert summary["versions_written"] == {"simulated_users": summary["run_id"]}
    assert (project / "data" / "01_raw" / "simulated_users" / summary["run_id"]).is_dir()

    users, events = summary["nodes"]
    assert users["node"] == "simulate_users"
    assert users["rows_written"] == {"simulated_users": 3}
    assert events["node"] == "simulate_events"
    assert events["rows_written"] == {
        "simulated_events": spark.read.text(str(project / "data" / "01_raw" / "simulated_events")).count()
    }
    seconds = pytest.approx(users["seconds"] + events["seconds"], abs=0.02)
    assert summary["stages"] == {"simulation": {"nodes": 2, "seconds": seconds}}
    assert 0 < users["seconds"] + events["seconds"] <= summary["seconds"] + 0.02
    assert summary["packages"]["pyspark"] == spark.version

    said = [record.getMessage() for record in caplog.records if record.name == "sparkify_kedro.hooks"]
    assert said == ["Running simulate_users", "Running simulate_events"]


def test_a_failed_run_is_written_down_and_the_next_runs_start_afresh(spark: SparkSession, project: Path) -> None:
    """No summary knows of another run's error, nodes or versions; what a run reads of another one, it names."""
    (project / "log.json").write_text(f"{json.dumps(EVENT)}\nno event\n")
    with pytest.raises(DatasetError, match="nowhere"):
        run(project, "ingestion", raw_events="nowhere.json")
    run(project, "ingestion", raw_events="log.json")
    run(project, "feature_engineering")

    failed, succeeded, followed = summaries(project)
    assert failed["succeeded"] is False
    assert "nowhere.json" in failed["error"]
    assert failed["nodes"] == []
    assert failed["versions_written"] == {}

    assert (succeeded["succeeded"], succeeded["error"]) == (True, None)
    rows = {name: rows for node in succeeded["nodes"] for name, rows in node["rows_written"].items()}
    assert rows == {"parsed_lines": 2, "events": 1, "rejected_events": 1}
    assert set(succeeded["versions_written"].values()) == {succeeded["run_id"]}

    # A run reads files that have no versions, versions of other runs, and what it has written itself: told apart.
    assert succeeded["files_read"]["raw_events"] == "log.json"
    assert succeeded["versions_read"] == {}
    assert followed["files_read"] == {}
    assert followed["versions_read"] == dict.fromkeys(["events", "log_span"], succeeded["run_id"])
    assert followed["versions_written"] == {"user_time_bins": followed["run_id"]}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, and the summary then has no commit")
def test_a_run_names_the_commit_it_ran_from(spark: SparkSession, project: Path) -> None:
    """And says whether the files differ from it."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        return subprocess.run(
            ["git", *who, *words], cwd=project, capture_output=True, text=True, check=True
        ).stdout.strip()

    (project / ".gitignore").write_text("data/\n__pycache__/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--no-gpg-sign", "--message=Begin")
    for _ in range(2):
        with pytest.raises(DatasetError):
            run(project, "ingestion", raw_events="nowhere.json")
        (project / "conf" / "base" / "globals.yml").open("a").write("# changed\n")

    clean, changed = (summary["git"] for summary in summaries(project))
    assert clean == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert changed == {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_a_node_that_asks_is_told_of_the_run_so_far_and_of_those_before_it(spark: SparkSession, project: Path) -> None:
    """By a pipeline of two nodes between which the run is asked for."""
    (project / "log.json").write_text(json.dumps(EVENT))
    run(project, "ingestion", raw_events="log.json")
    told: list[dict[str, Any]] = []

    def ask(log_span: dict[str, Any], run_so_far: dict[str, Any]) -> list[dict[str, Any]]:
        told.append(run_so_far)
        return []

    asking = Pipeline([Node(func=ask, inputs=["log_span", "run_so_far"], outputs="log.most_played", name="ask")])
    with KedroSession.create(project_path=project) as session:
        context = session.load_context()
        hooks = session._hook_manager
        SequentialRunner().run(asking, catalog=_ready(context, hooks), hook_manager=hooks, run_id="now")
    (ingestion,) = summaries(project)
    (so_far,) = told
    assert so_far["run_id"] == "now"
    assert so_far["versions_read"] == {"log_span": ingestion["run_id"]}
    assert so_far["parameters"]["feature_engineering"]["time_bin_days"] == 14
    assert so_far["earlier"] == [ingestion]
    assert so_far["earlier"][0]["files_read"] == {"raw_events": "log.json", "raw_events_schema": RAW_SCHEMA}
    assert so_far["earlier"][0]["stages"]["ingestion"]["nodes"] == 4


def _ready(context: KedroContext, hooks: PluginManager) -> DataCatalog:
    """The catalog of a run that begins."""
    catalog = context.catalog
    hooks.hook.before_pipeline_run(run_params={"run_id": "now"}, pipeline=Pipeline([]), catalog=catalog)
    return catalog
