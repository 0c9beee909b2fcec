"""A trial runs with other parameters and leaves nothing behind."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.framework.trial_run import trial_run

EVENT = {
    "ts": 1_538_352_117_000, "userId": "30", "sessionId": 29, "itemInSession": 0, "page": "Home", "level": "paid",
    "registration": 1_538_173_362_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def project_with_events(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]
) -> Path:
    """A project whose newest events are one user's, twelve days apart."""
    project = copy_project(tmp_path_factory.mktemp("trial"))
    later = EVENT | {"ts": EVENT["ts"] + 12 * 86_400_000, "itemInSession": 1}
    (project / "log.json").write_text(f"{json.dumps(EVENT)}\n{json.dumps(later)}\n")
    with KedroSession.create(project_path=project, runtime_params={"raw_events": "log.json"}) as session:
        session.run(pipeline_names=["ingestion"])
    return project


@pytest.fixture
def ingested(project_with_events: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a trial leaves it as it was."""
    monkeypatch.chdir(project_with_events)
    return project_with_events


def test_other_parameters_give_other_rows_and_no_version(ingested: Path) -> None:
    def files() -> set[Path]:
        return {path for path in (ingested / "data").rglob("*") if path.is_file()}

    before = files()
    rows = {}
    for days in (14, 4):
        found = trial_run(
            pipelines["feature_engineering"],
            ["user_time_bins"],
            {"feature_engineering": {"time_bin_days": days, "min_history_days": 0}},
        )
        assert isinstance(found["user_time_bins"], DataFrame)
        rows[days] = found["user_time_bins"].count()
    # Landmarks just after the last event, and every so many days before, down to just after the first event.
    assert rows == {14: 1, 4: 4}
    assert files() == before


def test_intermediate_datasets_can_be_requested(ingested: Path) -> None:
    """Data that a later node takes is forgotten by a runner, and is kept here; the runner is silent only meanwhile."""
    level = logging.getLogger("kedro").level
    found = trial_run(pipelines["ingestion"], ["parsed_lines", "log_span"], {"raw_events": "log.json"})
    assert found["parsed_lines"].count() == 2
    assert found["log_span"].events == 2
    assert logging.getLogger("kedro").level == level


def test_invalid_requests_are_refused(ingested: Path) -> None:
    with pytest.raises(ValueError, match="banana"):
        trial_run(pipelines["ingestion"], ["banana"])
    with pytest.raises(Exception, match="time_bin_days should be greater than or equal to 1"):
        trial_run(pipelines["feature_engineering"], ["user_time_bins"], {"feature_engineering": {"time_bin_days": 0}})
