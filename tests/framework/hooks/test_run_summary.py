"""A run saves a summary of its inputs, nodes and outputs, whether it succeeds or fails."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pluggy import PluginManager
from pyspark.sql import SparkSession

from sparkify_kedro.cli import runs
from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.framework.runs.summary import RunSoFar

SMALL_LOG = {"simulation": {"users": 3, "files": 1, "start": "2018-10-01", "end": "2018-10-15"}}

EVENT = {
    "ts": 1538352117000,
    "userId": "30",
    "sessionId": 29,
    "itemInSession": 0,
    "page": "Home",
    "level": "paid",
    "registration": 1538173362000,
}


def run(project: Path, pipeline: str, only_missing: bool = False, plugin: Any = None, **parameters: Any) -> str:
    """A run like ``kedro run --pipelines=...``, in this process, whose Spark is running already; its id."""
    with KedroSession.create(project_path=project, runtime_params=parameters) as session:
        if plugin is not None:
            session._hook_manager.register(plugin)
        session.run(pipeline_names=pipeline.split(","), only_missing_outputs=only_missing)
        return session.session_id


def summaries(project: Path) -> list[dict[str, Any]]:
    """What the project's runs wrote down, the first run first."""
    files = sorted((project / "data" / "08_reporting" / "run_summary.json").glob("*/run_summary.json"))
    return [json.loads(file.read_text()) for file in files]


@pytest.fixture(scope="module")
def ingested_once(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]
) -> Path:
    """A project that has read the events of two users."""
    project = copy_project(tmp_path_factory.mktemp("ingested"))
    write_log(project, "log.json", users=2)
    run(project, "ingestion", raw_events="log.json")
    return project


@pytest.fixture
def ingested(ingested_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(ingested_once, tmp_path / "ingested"))


def test_a_run_summary_is_saved(spark: SparkSession, project: Path, caplog: pytest.LogCaptureFixture) -> None:
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

    progress = [record.getMessage() for record in caplog.records if record.name.endswith("hooks.progress")]
    assert [line.split()[1:] for line in progress] == [
        ["1/2", "simulation", "simulate_users"],
        ["2/2", "simulation", "simulate_events"],
    ]


@pytest.mark.faults
def test_the_summary_of_a_failed_run_does_not_affect_later_ones(spark: SparkSession, project: Path) -> None:
    """No summary knows of another run's error, nodes or versions; what a run reads of another one, it names."""
    (project / "log.json").write_text(f"{json.dumps(EVENT)}\nno event\n")
    with pytest.raises(DatasetError, match="nowhere"):
        run(project, "ingestion", raw_events="nowhere.json")
    run(project, "ingestion", raw_events="log.json", ingestion={"max_rejected_share": 0.5})
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

    # A run reads files that have no versions, versions of other runs, and its own versions; the summary separates them.
    assert succeeded["files_read"]["raw_events"] == "log.json"
    assert succeeded["versions_read"] == {}
    assert followed["files_read"] == {}
    assert followed["versions_read"] == dict.fromkeys(["events", "log_span"], succeeded["run_id"])
    assert followed["versions_written"] == {"user_time_bins": followed["run_id"]}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, and the summary then has no commit")
def test_the_summary_contains_the_git_commit(spark: SparkSession, project: Path) -> None:
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


@pytest.mark.parametrize("git_installed", [True, False])
def test_a_project_outside_a_repository_has_no_commit(
    spark: SparkSession, project: Path, git_installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download of the project is no clone, and a machine need not have git."""
    if not git_installed:
        monkeypatch.setenv("PATH", str(project / "conf"))
    with pytest.raises(DatasetError, match=r"nowhere\.json"):
        run(project, "ingestion", raw_events="nowhere.json")
    (summary,) = summaries(project)
    assert summary["git"] is None


def test_a_node_can_take_the_run_so_far(spark: SparkSession, ingested: Path) -> None:
    """By a pipeline of two nodes between which the run is asked for."""
    seen: list[RunSoFar] = []

    def ask(log_span: Any, run_so_far: RunSoFar) -> list[dict[str, Any]]:
        seen.append(run_so_far)
        return []

    asking = Pipeline([Node(func=ask, inputs=["log_span", "run_so_far"], outputs="log.most_played", name="ask")])
    with KedroSession.create(project_path=ingested) as session:
        context = session.load_context()
        hooks = session._hook_manager
        SequentialRunner().run(asking, catalog=_ready(context, hooks), hook_manager=hooks, run_id="now")
    (ingestion,) = summaries(ingested)
    (so_far,) = seen
    assert so_far.run_id == "now"
    assert so_far.versions_read == {"log_span": ingestion["run_id"]}
    assert so_far.parameters["feature_engineering"]["time_bin_days"] == 14
    assert [earlier.model_dump(mode="json") for earlier in so_far.earlier] == [ingestion]
    assert so_far.earlier[0].files_read == {"raw_events": "log.json"}
    assert so_far.earlier[0].stages["ingestion"].nodes == len(pipelines["ingestion"].nodes)


def _ready(context: KedroContext, hooks: PluginManager) -> DataCatalog:
    """The catalog of a run that begins."""
    catalog = context.catalog
    hooks.hook.before_pipeline_run(run_params={"run_id": "now"}, pipeline=Pipeline([]), catalog=catalog)
    return catalog


LATER = "9999-01-01T00.00.00.000Z"


class AnotherRun:
    """Whose versions of what ingestion writes come to be there in the middle of a run, later than the run's own."""

    def __init__(self, data: Path, version: str) -> None:
        self._data, self._version = data, version

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        if node.name == "select_events":
            for folder in self._data.glob(f"0[28]_*/*/{self._version}"):
                folder.rename(folder.with_name(LATER))


def write_log(project: Path, name: str, users: int) -> None:
    """A log of a moment, whose users have rows without any history."""
    (project / "conf/local/parameters_feature_engineering.yml").write_text(
        "feature_engineering: {min_history_days: 0}\n"
    )
    lines = [json.dumps(EVENT | {"userId": str(user)}) for user in range(users)]
    (project / name).write_text("\n".join(lines))


def test_a_run_reads_its_own_versions(spark: SparkSession, ingested: Path) -> None:
    project = ingested
    write_log(project, "log.json", users=3)
    (other,) = (summary["run_id"] for summary in summaries(project))
    own = run(
        project,
        "ingestion,feature_engineering",
        plugin=AnotherRun(project / "data", other),
        raw_events="log.json",
    )

    assert sorted(path.name for path in (project / "data/02_intermediate/events").iterdir()) == [own, LATER]
    report = json.loads((project / f"data/08_reporting/ingestion_report.json/{own}/ingestion_report.json").read_text())
    assert (report["events"], report["users"]) == (3, 3)
    bins = spark.read.parquet(str(project / f"data/04_feature/user_time_bins/{own}/user_time_bins"))
    assert bins.count() == 3
    assert summaries(project)[-1]["versions_read"] == {}


def test_stale_inputs_are_logged_or_stop_the_run(
    spark: SparkSession, ingested: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = ingested
    changed = {"ingestion": {"max_rejected_share": 0.5}}
    why = "line_counts: parameter ingestion.max_rejected_share changed from 0.05 to 0.5"
    with pytest.raises(ValueError, match=re.escape(f"Stale inputs: events, log_span ({why}")):
        run(project, "feature_engineering", **changed, runs={"on_stale": "stop"})
    assert not (project / "data/04_feature/user_time_bins").exists()

    with caplog.at_level(logging.WARNING, logger="sparkify_kedro"):
        run(project, "feature_engineering", runs={"on_stale": "stop"})
        assert "Stale inputs" not in caplog.text
        run(project, "feature_engineering", **changed)
    assert f"Stale inputs: events, log_span ({why}" in caplog.text
    assert len(list((project / "data/04_feature/user_time_bins").iterdir())) == 2


def test_only_missing_outputs_makes_missing_and_stale_datasets(spark: SparkSession, ingested: Path) -> None:
    """After a run that was whole, after a table is gone, after a parameter, the log and a note have changed."""
    project = ingested

    def nodes_of(pipeline: str = "ingestion", **parameters: Any) -> list[str]:
        run(project, pipeline, only_missing=True, **{"raw_events": "log.json"} | parameters)
        return sorted(node["node"] for node in summaries(project)[-1]["nodes"])

    write_log(project, "other.json", users=3)
    everything = sorted(node["node"] for node in summaries(project)[-1]["nodes"])
    assert "select_events" in everything
    assert nodes_of() == []
    shutil.rmtree(project / "data/02_intermediate/rejected_events")
    assert nodes_of() == ["select_rejected"]
    assert nodes_of("feature_engineering") == ["engineer_user_time_bins"]
    week = {"feature_engineering": {"time_bin_days": 7}}
    assert nodes_of("ingestion,feature_engineering", **week) == ["engineer_user_time_bins"]
    assert nodes_of(raw_events="other.json") == everything
    newest = max((project / "data/08_reporting/ingestion_report.json").iterdir())
    (note,) = newest.glob("*.provenance.json")
    note.unlink()
    assert nodes_of(raw_events="other.json") == ["report_ingestion"]


def test_a_run_can_be_repeated_and_compared(
    spark: SparkSession, ingested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though parameters and newer versions are others meanwhile; not where what it has read has changed."""
    project = ingested
    monkeypatch.chdir(project)
    (first,) = (summary["run_id"] for summary in summaries(project))
    week = run(project, "feature_engineering", feature_engineering={"time_bin_days": 7})
    write_log(project, "other.json", users=5)
    other = run(project, "ingestion", raw_events="other.json")

    # By its manifest alone, as tracking keeps it.
    manifest = project / "manifest.json"
    shutil.copy(project / "data/08_reporting/run_summary.json" / week / "run_summary.json", manifest)
    result = invoke("repeat", str(manifest))
    assert result.exit_code == 0, result.output
    assert "results: all 1 are the same" in result.output
    *_, repeated = summaries(project)
    assert repeated["parameters"]["feature_engineering"]["time_bin_days"] == 7
    assert repeated["versions_read"] == dict.fromkeys(["events", "log_span"], first)
    assert repeated["fingerprints"] == summaries(project)[1]["fingerprints"]

    result = invoke("compare", first, other).output
    assert "raw_events: 'log.json' | 'other.json'" in result
    assert "rows of events: rows: 2 | 5" in result
    listed = invoke("list").output.splitlines()
    assert [line.split()[0] for line in listed] == sorted((line.split()[0] for line in listed), reverse=True)
    assert len([line for line in listed if "succeeded" in line]) == 4

    write_log(project, "log.json", users=4)
    refused = invoke("repeat", first)
    assert refused.exit_code == 1
    assert (
        refused.output.splitlines()[-1]
        == f"Error: log.json, which the run {first} read as raw_events, has changed since"
    )
    shutil.rmtree(project / "data/02_intermediate/log_span.json" / first)
    assert "no longer exist: log_span" in invoke("repeat", week).output
    assert "there is no summary of a run 'banana'" in invoke("compare", week, "banana").output


def invoke(*words: str) -> Result:
    """A command of ``kedro runs``."""
    return CliRunner().invoke(runs, words)


@pytest.mark.parametrize(
    ("error", "notes"),
    [(InputDataError("no event"), ["read from log.json"]), (ValueError("a leak"), None)],
)
def test_an_error_in_the_content_of_a_file_names_the_file(
    spark: SparkSession, project: Path, error: Exception, notes: list[str] | None
) -> None:
    (project / "log.json").write_text(json.dumps(EVENT))
    failing = Node(func=len, inputs="raw_events", outputs="parsed_lines", name="fail")
    with KedroSession.create(project_path=project, runtime_params={"raw_events": "log.json"}) as session:
        context = session.load_context()
        hooks = session._hook_manager
        catalog = _ready(context, hooks)
        hooks.hook.after_dataset_loaded(dataset_name="raw_events", data=catalog.load("raw_events"), node=failing)
        hooks.hook.on_node_error(error=error, node=failing, catalog=catalog, inputs={}, is_async=False, run_id="now")
    assert getattr(error, "__notes__", None) == notes
