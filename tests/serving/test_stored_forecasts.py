"""Stored runs, read without Spark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.framework.project import pipelines

from sparkify_kedro.serving.forecast import UnavailableError
from sparkify_kedro.serving.settings import Serving
from sparkify_kedro.serving.stored_forecasts import StoredForecasts
from sparkify_kedro.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS
from stored_run import FEATURES, FORECAST, TREE, StoredRun

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


@pytest.fixture
def stored(project: Path) -> StoredForecasts:
    configuration = CONFIG_LOADER_CLASS(str(project / "conf"), **CONFIG_LOADER_ARGS)
    return StoredForecasts(Serving.configured(configuration, project))


def test_the_newest_run_counts_once_its_provenance_is_written(project: Path, stored: StoredForecasts) -> None:
    assert stored.newest() is None
    StoredRun(project, FIRST).write()
    newer = StoredRun(project, SECOND)
    newer.write_champion()
    newer.write_rows()
    newer.write_scores()
    assert stored.newest() == FIRST
    newer.complete("07_model_output/churn_scores", newer.made_from())
    assert stored.newest() == SECOND
    assert stored.load(SECOND).run == SECOND


def test_users_are_in_the_order_of_their_ranks_with_their_own_rows(project: Path, stored: StoredForecasts) -> None:
    forecast = stored.load(StoredRun(project, FIRST).write().version)
    assert forecast.scores["user_id"] == ["17", "a/b ü", "3"]
    assert list(forecast.rows["page_roll_advert"]) == [30, 4, 0]
    assert forecast.rows["device"] == ["mac", "mac", "ipad"]
    assert "bin_end" not in forecast.rows
    assert forecast.positions == {"17": 0, "a/b ü": 1, "3": 2}
    assert forecast.as_of is not None
    assert forecast.as_of.isoformat() == "2018-11-30T23:59:55+00:00"


def test_the_rows_and_the_champion_are_those_that_the_scores_were_made_from(
    project: Path, stored: StoredForecasts
) -> None:
    """A run that begins with the rows of an earlier one, while a newer champion is there."""
    StoredRun(project, FIRST).write()
    StoredRun(project, SECOND).write_champion()
    third = StoredRun(project, THIRD)
    third.write_scores()
    third.complete("07_model_output/churn_scores", StoredRun(project, FIRST).made_from())
    forecast = stored.load(THIRD)
    assert forecast.metadata.model == f"model of {FIRST}"
    assert forecast.champion is not None
    assert forecast.champion.model == f"model of {FIRST}"


def test_a_champion_that_was_exported_by_a_later_run(project: Path, stored: StoredForecasts) -> None:
    run = StoredRun(project, FIRST).write()
    exported = run.path(f"06_models/{FORECAST}/portable_champion.json").parent
    exported.rename(exported.with_name(SECOND))
    champion = stored.load(FIRST).champion
    assert champion is not None
    assert champion.features == FEATURES
    shutil.rmtree(exported.with_name(SECOND))
    forecast = stored.load(FIRST)
    assert forecast.champion is None
    assert forecast.reasons_of([0]) is None
    node = f"{FORECAST}.export_champion"
    with pytest.raises(UnavailableError, match=f"kedro run --nodes={node}, then start the server again"):
        forecast.score([dict.fromkeys(FEATURES, 1.0)])
    assert node in {each.name for each in pipelines["__default__"].nodes}


def test_nobody_was_scored(project: Path, stored: StoredForecasts) -> None:
    forecast = stored.load(StoredRun(project, FIRST, users=0).write([TREE], "random_forest").version)
    assert (forecast.positions, forecast.as_of) == ({}, None)
    assert forecast.reasons_of([]) == []
    # Nothing is usual, so nothing is told as a reason.
    [scored], [reasons] = forecast.score([dict.fromkeys(FEATURES, 1.0)])
    assert 0 < scored < 1
    assert reasons == []


def test_a_version_that_was_removed_meanwhile(project: Path, stored: StoredForecasts) -> None:
    run = StoredRun(project, FIRST).write()
    shutil.rmtree(run.path("07_model_output/churn_scores").parent)
    with pytest.raises(FileNotFoundError, match="churn_scores is not complete"):
        stored.load(FIRST)


def test_locations_follow_the_storage_of_the_configuration(project: Path) -> None:
    (project / "conf" / "local").mkdir(exist_ok=True)
    (project / "conf" / "local" / "globals.yml").write_text("storage: s3://bucket/churn\n")
    configuration = CONFIG_LOADER_CLASS(str(project / "conf"), **CONFIG_LOADER_ARGS)
    locations = Serving.configured(configuration, project).locations
    assert locations.churn_scores == "s3://bucket/churn/07_model_output/churn_scores"
    assert locations.portable_champion == f"s3://bucket/churn/06_models/{FORECAST}/portable_champion.json"
