"""Runs hold a lock, and successful runs remove old versions."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.io.core import DatasetError
from kedro.validation.exceptions import ModelInstantiationError
from pyspark.sql import SparkSession

from sparkify_kedro.framework.runs.cleanup import find_leftovers
from sparkify_kedro.framework.runs.locks import RunLocks
from sparkify_kedro.framework.runs.settings import run_settings

SMALL_LOG = {"simulation": {"users": 2, "files": 1, "start": "2018-10-01", "end": "2018-10-03"}}
USERS = "data/01_raw/simulated_users"


def run(project: Path, pipeline: str, **parameters: Any) -> None:
    with KedroSession.create(project_path=project, runtime_params=parameters) as session:
        session.run(pipeline_names=[pipeline])


def versions(project: Path, dataset: str) -> list[str]:
    return sorted(path.name for path in (project / dataset).iterdir())


def test_runs_that_succeed_keep_the_newest_versions(
    spark: SparkSession, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says how many are gone; a run that fails takes nothing away; 0 keeps all."""
    keep_one = SMALL_LOG | {"runs": {"keep_versions": 1}}
    run(project, "simulation", **SMALL_LOG)
    with pytest.raises(DatasetError):
        run(project, "ingestion", raw_events="nowhere.json", runs={"keep_versions": 1})
    (first,) = versions(project, USERS)
    summary = "data/08_reporting/run_summary.json"
    assert len(versions(project, summary)) == 2
    run(project, "simulation", **SMALL_LOG | {"runs": {"keep_versions": 0}})
    assert len(versions(project, USERS)) == 2

    with caplog.at_level(logging.INFO, logger="sparkify_kedro"):
        run(project, "simulation", **keep_one)
    assert versions(project, USERS) == versions(project, summary) > [first]
    messages = [
        record.getMessage() for record in caplog.records if record.name == "sparkify_kedro.framework.hooks.retention"
    ]
    assert messages == ["Removed 5 old versions of 2 datasets (runs.keep_versions: 1)"]
    assert RunLocks(project).active() == []
    with KedroSession.create(project_path=project) as session:
        assert find_leftovers(session.load_context().catalog, RunLocks(project)) == []


def test_a_run_holds_a_lock_until_it_ends_or_is_interrupted(
    spark: SparkSession, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it ends, fails, or is interrupted, it is running no longer."""
    run(project, "simulation", **SMALL_LOG)
    (users,) = versions(project, USERS)
    seen = []

    def interrupt(self: Any, *_: Any, **__: Any) -> None:
        seen.extend(RunLocks(project).active())
        raise KeyboardInterrupt

    monkeypatch.setattr("kedro.runner.SequentialRunner._run", interrupt)
    try:
        run(project, "simulation", **SMALL_LOG)
    except KeyboardInterrupt:
        interrupted = True
    gc.collect()
    assert interrupted
    (running,) = seen
    assert running.reads == {"simulated_users": users}
    assert (RunLocks(project).active(), RunLocks(project).stale()) == ([], [])


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"keep_versions": -1, "on_stale": "warn"},
            r"^runs\.keep_versions should be greater than or equal to 0 \(it is -1\)$",
        ),
        ({"keep_versions": "all", "on_stale": "warn"}, r"^runs\.keep_versions should be a valid integer"),
        ({"keep_versions": 5, "on_stale": "warn", "keep_version": 5}, r"^runs\.keep_version is not a known parameter"),
        ({"keep_versions": 5, "on_stale": "perhaps"}, r"^runs\.on_stale should be 'warn' or 'stop'"),
        (None, r"^runs should be"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(block: Any, expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        run_settings({"runs": block})


def test_an_invalid_parameter_is_reported_before_the_run(project: Path) -> None:
    with pytest.raises(ModelInstantiationError, match="keep_versions"):
        run(project, "simulation", runs={"keep_versions": -1})
    assert not (project / "data").exists()
