"""What came of stored scores, in a hand-made log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession

from partial_reports import report
from sparkify_kedro.churn.reports import ChampionMetadata, LogSpan, MonitoringReport
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.monitoring.figure import draw_monitoring
from sparkify_kedro.pipelines.monitoring.nodes import judge_scores, watch_forecasts
from sparkify_kedro.pipelines.monitoring.parameters import Monitoring
from sparkify_kedro.pipelines.monitoring.schemas import judged_scores as schema

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20})
MONITORING = Monitoring.model_validate(PARAMETERS["monitoring"])
CANCEL = "Cancellation Confirmation"
OLD, NEW, NOW = (f"2018-{day}T03.00.00.000Z" for day in ("11-02", "11-16", "12-01"))
FIRST = datetime(2018, 10, 1, tzinfo=UTC)
SPAN = LogSpan(
    first_ts=int(FIRST.timestamp() * 1_000), last_ts=int(datetime(2018, 11, 30, 12, tzinfo=UTC).timestamp() * 1_000)
)
THIS_RUN = report(RunSoFar, {"run_id": NOW})
Stored = Mapping[str, Callable[[], Any]]


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2018, month, number, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    """A, B and C live where they say; two cancel, one of them on the last moment of the old horizon."""
    end = day(11, 15) - timedelta(milliseconds=1)
    rows = [
        ("a", day(10, 2), "Home", "Oxnard-Thousand Oaks-Ventura, CA"),
        ("a", end, CANCEL, "Oxnard-Thousand Oaks-Ventura, CA"),
        ("b", day(10, 3), "Home", "Boston-Cambridge-Newton, MA-NH"),
        ("b", day(11, 20), CANCEL, "New York-Newark-Jersey City, NY-NJ-PA"),
        ("c", day(10, 4), "Home", "Berlin"),
        ("d", day(10, 5), "Home", None),
    ]
    table = [(user, int(at.timestamp() * 1_000 + 0.5), page, place) for user, at, page, place in rows]
    return spark.createDataFrame(table, "user_id string, ts bigint, page string, location string").cache()


def scores(spark: SparkSession, as_of: datetime, *names: str, horizon: int = 14) -> Callable[[], DataFrame]:
    rows = [(name, as_of, horizon, 0.5 / rank, rank, 1) for rank, name in enumerate(names, start=1)]
    columns = "user_id string, as_of timestamp, horizon_days int, probability double, rank int, decile int"
    return lambda: spark.createDataFrame(rows, columns)


def rows_of(spark: SparkSession, *names: str) -> Callable[[], DataFrame]:
    rows = [(name, "paid", "mac", 1) for name in names]
    return lambda: spark.createDataFrame(rows, "user_id string, level_at_end string, device string, is_male int")


def judged(spark: SparkSession, events: DataFrame, stored: Stored, rows: Stored | None = None) -> pd.DataFrame:
    table = judge_scores(stored, rows or {}, events, SPAN, THIS_RUN)
    assert schema.validate(table) is table
    return table.toPandas().set_index(["run", "user_id"]).sort_index()


def test_cancellations_within_the_horizon_count(spark: SparkSession, events: DataFrame) -> None:
    stored = {NEW: scores(spark, day(11, 15), "b", "c"), OLD: scores(spark, day(11, 1), "a", "b", "c")}
    found = judged(spark, events, stored, {OLD: rows_of(spark, "a", "b")})
    assert found["label"].to_dict() == {(OLD, "a"): 1, (OLD, "b"): 0, (OLD, "c"): 0, (NEW, "b"): 1, (NEW, "c"): 0}
    assert found.loc[(OLD, "a"), ["level", "device", "gender"]].tolist() == ["paid", "mac", "male"]
    # Of c the scored rows are not stored.
    assert found.loc[[(OLD, "c"), (NEW, "b")], ["level", "device", "gender"]].isna().all(axis=None)
    assert found["region"].to_dict() == {
        (OLD, "a"): "CA", (OLD, "b"): "NY", (OLD, "c"): "Berlin", (NEW, "b"): "NY", (NEW, "c"): "Berlin"
    }  # fmt: skip


def test_a_cancellation_at_the_end_of_the_horizon_is_beyond_it(spark: SparkSession, events: DataFrame) -> None:
    found = judged(spark, events, {OLD: scores(spark, day(11, 14) - timedelta(days=13), "a", horizon=13)})
    assert found["label"].tolist() == [0]


@pytest.mark.parametrize(
    ("as_of", "is_known"),
    [
        (day(11, 16), True),
        (day(11, 16, 12), True),
        (day(11, 16, 13), False),  # 30 November, 12 o'clock, is the last event
        (FIRST, True),
        (FIRST - timedelta(hours=1), False),
    ],
)
def test_only_horizons_that_the_log_covers_are_known(
    spark: SparkSession, events: DataFrame, as_of: datetime, is_known: bool
) -> None:
    found = judged(spark, events, {OLD: scores(spark, as_of, "c")})
    assert found["label"].notna().tolist() == [is_known]


def test_the_scores_of_this_run_and_no_scores_are_nothing_to_judge(spark: SparkSession, events: DataFrame) -> None:
    assert judged(spark, events, {NOW: scores(spark, day(11, 1), "a")}).empty
    assert judged(spark, events, {}).empty


def test_a_user_whom_the_log_does_not_know_is_marked(spark: SparkSession, events: DataFrame) -> None:
    found = judged(spark, events, {OLD: scores(spark, day(11, 1), "d", "strange")})
    assert found["is_known"].to_dict() == {(OLD, "d"): True, (OLD, "strange"): False}


def watched(
    spark: SparkSession,
    events: DataFrame,
    stored: Stored,
    metadata: Stored | None = None,
    drift: Stored | None = None,
    **changes: Any,
) -> MonitoringReport:
    table = judge_scores(stored, {}, events, SPAN, THIS_RUN)
    monitoring = MONITORING.model_copy(update=changes)
    return watch_forecasts(table, metadata or {}, drift or {}, SPAN, monitoring, EVALUATION)


def test_runs_are_judged_or_wait(spark: SparkSession, events: DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    late = "2018-11-30T00.00.00.000Z"
    stored = {
        OLD: scores(spark, day(11, 1), "a", "b", "c"),
        NEW: scores(spark, day(11, 15), "b", "c"),
        late: scores(spark, day(11, 30), "c"),
        "other": scores(spark, day(11, 2), "x", "y", "c"),
    }
    promised = report(ChampionMetadata, {"model": "m", "out_of_fold": {"auc_roc": 0.7, "auc_roc_interval": (0.6, 0.8)}})
    with caplog.at_level(logging.INFO):
        found = watched(
            spark,
            events,
            stored,
            {OLD: lambda: promised.model_dump(mode="json")},
            {OLD: lambda: {"model": "m", "warnings": ["shifted"]}},
        )
    assert [each.run for each in found.judged] == [NEW, OLD]
    newest, oldest = found.judged
    assert (newest.model, newest.promised, newest.drift_warnings) == (None, None, None)
    assert (oldest.model, oldest.drift_warnings) == ("m", ["shifted"])
    assert oldest.promised == promised.out_of_fold
    assert (oldest.as_of, oldest.horizon_end, oldest.users) == ("2018-11-01", "2018-11-15", 3)
    assert (oldest.all_users.observed, oldest.all_users.expected) == (1, pytest.approx(0.5 + 0.25 + 0.5 / 3))
    assert {each.run: each.reason for each in found.waiting} == {
        late: "its horizon is not over in this log (to 2018-11-30)",
        "other": "only 33% of its users are in this log, which seems to be another one",
    }
    assert "Monitoring: of 2 users scored as of 2018-11-15, 1 cancelled by 2018-11-29" in caplog.text
    assert MonitoringReport.model_validate(found.model_dump(mode="json")) == found
    figure = draw_monitoring(found)
    assert [list(trace.x) for trace in figure.data[:2]] == [["2018-11-01", "2018-11-15"]] * 2
    assert list(figure.data[1].y) == [1, 1]


def test_days_do_not_depend_on_the_time_zone_of_the_machine(
    spark: SparkSession, events: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        (run,) = watched(spark, events, {OLD: scores(spark, day(11, 1), "a", "b")}).judged
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (run.as_of, run.horizon_end) == ("2018-11-01", "2018-11-15")


def test_a_log_that_begins_later_and_an_unreadable_promise_are_no_error(spark: SparkSession, events: DataFrame) -> None:
    stored = {OLD: scores(spark, day(9, 1), "a", "b"), NEW: scores(spark, day(11, 15), "b", "c")}
    found = watched(spark, events, stored, {OLD: lambda: {"model": "m", "out_of_fold": {"old": 1}}, NEW: dict})
    assert [each.reason for each in found.waiting] == ["this log begins later, on 2018-10-01"]
    assert [each.promised for each in found.judged] == [None]


def test_only_the_newest_runs_are_judged(spark: SparkSession, events: DataFrame) -> None:
    stored = {OLD: scores(spark, day(11, 1), "a", "b"), NEW: scores(spark, day(11, 15), "b", "c")}
    assert [each.run for each in watched(spark, events, stored, most_runs=1).judged] == [NEW]


def test_nothing_to_watch(spark: SparkSession, events: DataFrame) -> None:
    found = watched(spark, events, {})
    assert (found.judged, found.waiting, found.newest) == ([], [], None)
    assert draw_monitoring(found).layout.title.text == "What came of the forecasts"
