"""Logs of other services: two worked examples, and each part of a mapping by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from pyspark.sql import DataFrame, Row, SparkSession

from sparkify_kedro.framework.datasets import JSONRecordsDataset
from sparkify_kedro.pipelines.ingestion.nodes import parse_lines
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion

PROJECT = Path(__file__).parents[3]
CONTRACT = yaml.safe_load((PROJECT / "conf/base/parameters_ingestion.yml").read_text())["ingestion"]
MINUTE = 60_000
START = 1_538_352_000_000  # 2018-10-01

WEB_ANALYTICS: dict[str, Any] = {
    "time": "us",
    "columns": {
        "ts": "event_timestamp",
        "userId": "user_pseudo_id",
        "sessionId": "ga_session_id",
        "page": "event_name",
        "song": "event_params.title",
        "length": "event_params.seconds",
    },
    "values": {
        "page": {"NextSong": ["play", "play_next"], "Home": ["page_view"], "Cancellation Confirmation": ["unsubscribe"]}
    },
    "constants": {"level": "paid"},
    "derive": ["registration", "itemInSession"],
}
SUBSCRIPTION_APP: dict[str, Any] = {
    "time": "iso",
    "columns": {"ts": "occurred_at", "userId": "customer", "page": "event", "registration": "signed_up_at"},
    "values": {
        "page": {
            "NextSong": ["track_started"],
            "Submit Upgrade": ["plan_upgraded"],
            "Submit Downgrade": ["plan_downgraded"],
            "Cancellation Confirmation": ["subscription_cancelled"],
        }
    },
    "derive": ["level", "sessionId", "itemInSession"],
    "session_gap_minutes": 30,
}


def contract(source: dict[str, Any]) -> Ingestion:
    return Ingestion(**CONTRACT, source=source)


def parsed(spark: SparkSession, source: dict[str, Any], *lines: dict[str, Any] | str) -> list[Row]:
    """Lines of JSON as the mapping reads them, in the order of user and time."""
    texts = [(line if isinstance(line, str) else json.dumps(line),) for line in lines]
    return in_order(parse_lines(spark.createDataFrame(texts, "value string"), contract(source)))


def in_order(table: DataFrame) -> list[Row]:
    return table.orderBy("user_id", "ts", "page").collect()


def test_a_web_analytics_export(spark: SparkSession) -> None:
    """Microseconds, names of events, flattened parameters; no level, no registration, no place in the session."""
    shared = {"user_pseudo_id": "1a.7", "ga_session_id": 17, "device": {"category": "mobile"}}
    rows = parsed(
        spark,
        WEB_ANALYTICS,
        shared | {"event_timestamp": START * 1_000 + 250_999, "event_name": "page_view"},
        shared
        | {
            "event_timestamp": START * 1_000 + 60_000_001,
            "event_name": "play_next",
            "event_params.title": "7.10",
            "event_params.seconds": 200,
        },
        {"event_timestamp": START * 1_000, "event_name": "unsubscribe", "user_pseudo_id": "2", "ga_session_id": 1},
    )
    assert [row.outcome for row in rows] == ["event"] * 3
    assert [(row.user_id, row.session_id, row.item_in_session, row.ts, row.page, row.registration) for row in rows] == [
        ("1a.7", 17, 0, START + 250, "Home", START + 250),
        ("1a.7", 17, 1, START + 60_000, "NextSong", START + 250),
        ("2", 1, 0, START, "Cancellation Confirmation", START),
    ]
    assert (rows[1].song, rows[1].length, rows[1].level) == ("7.10", 200.0, "paid")
    assert rows[0].gender is None


def test_the_csv_of_a_subscription_app(spark: SparkSession, tmp_path: Path) -> None:
    """Times with zones, no sessions, own names of events, and the level from upgrades and downgrades."""
    lines = [
        ("occurred_at", "customer", "event", "signed_up_at", "note"),
        ("2018-10-01T02:00:00+02:00", "ada", "track_started", "2018-09-01", "a, b"),
        ("2018-10-01T00:20:00Z", "ada", "plan_upgraded", "2018-09-01", 'with "quotes"'),
        ("2018-10-01T00:51:00Z", "ada", "track_started", "2018-09-01", ""),
        ("2018-10-01T00:52:00Z", "ada", "plan_downgraded", "2018-09-01", ""),
        ("2018-10-01T00:53:00Z", "ada", "subscription_cancelled", "2018-09-01", ""),
        ("2018-10-01T00:00:00Z", "bob", "track_started", "2018-09-02", ""),
        ("2018-10-01T00:00:00Z", "bob", "track_started", "2018-09-02", ""),
        ("2018-10-01T00:30:00Z", "bob", "plan_downgraded", "2018-09-02", ""),
    ]
    with (tmp_path / "app.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    rows = in_order(
        parse_lines(JSONRecordsDataset(filepath=str(tmp_path / "app.csv")).load(), contract(SUBSCRIPTION_APP))
    )
    assert [(row.user_id, (row.ts - START) // MINUTE, row.session_id, row.item_in_session) for row in rows] == [
        ("ada", 0, 0, 0),
        ("ada", 20, 0, 1),
        ("ada", 51, 1, 0),  # 31 minutes later
        ("ada", 52, 1, 1),
        ("ada", 53, 1, 2),
        ("bob", 0, 0, 0),
        ("bob", 0, 0, 0),  # the same line twice
        ("bob", 30, 0, 1),  # not after more than 30 minutes
    ]
    assert [row.level for row in rows] == ["free", "free", "paid", "paid", "free", "paid", "paid", "paid"]
    assert {row.registration for row in rows} == {START - 30 * 1_440 * MINUTE, START - 29 * 1_440 * MINUTE}


def test_wrong_values_are_named_as_in_the_public_log(spark: SparkSession) -> None:
    good = {"event_timestamp": START * 1_000, "event_name": "play", "user_pseudo_id": "1", "ga_session_id": 1}
    rows = parsed(
        spark,
        WEB_ANALYTICS,
        good | {"event_timestamp": "yesterday", "user_pseudo_id": "1"},
        good | {"ga_session_id": "x", "user_pseudo_id": "2"},
        good | {"event_timestamp": START, "user_pseudo_id": "3"},
        good | {"event_name": None, "user_pseudo_id": "4"},
        good | {"ga_session_id": 9007199254740993, "user_pseudo_id": "5"},
        good | {"user_pseudo_id": "6", "ga_session_id": "12"},
    )
    assert [tuple(row.failures or ()) for row in rows] == [
        ("ts is not a whole number",),
        ("sessionId is not a whole number",),
        ("ts is out of range", "registration is out of range"),
        ("page is missing",),
        (),
        (),
    ]
    assert [row.session_id for row in rows[4:]] == [9007199254740993, 12]


def test_a_line_that_is_no_object_is_rejected_without_its_text(spark: SparkSession) -> None:
    """Which part of it is personal the mapping does not say."""
    rows = parsed(spark, WEB_ANALYTICS, '{"email": "ada@example.org", ', "[1]", "", "null")
    assert [(row.failures, row.line) for row in rows] == [(["not a JSON object"], "…")] * 4


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"columns": {"user_id": "id"}}, "source.columns has 'user_id', which is not known: did you mean 'userId'?"),
        ({"values": {"page": {"Nextsong": ["play"]}}}, "source.values.page has 'Nextsong'.*did you mean 'NextSong'"),
        ({"constants": {"level": "paid"}, "derive": ["level"]}, "source says twice where level comes from"),
        ({"columns": {"sessionId": "s"}, "derive": ["sessionId"]}, "source says twice where sessionId comes from"),
        ({"time": "seconds"}, "'ms', 's', 'us' or 'iso'"),
        ({"session_gap_minutes": 0}, "greater than 0"),
        ({"derive": ["gender"]}, "'registration', 'level', 'sessionId' or 'itemInSession'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(source: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        contract(source)


@pytest.mark.parametrize(("time", "value"), [("s", START / 1e3), ("s", START // 1_000), ("ms", float(START))])
def test_times_in_seconds_and_milliseconds(spark: SparkSession, time: str, value: float) -> None:
    source = WEB_ANALYTICS | {"time": time}
    line = {"event_timestamp": value, "event_name": "play", "user_pseudo_id": "1", "ga_session_id": 1}
    assert [row.ts for row in parsed(spark, source, line)] == [START]


def test_names_may_change_places(spark: SparkSession) -> None:
    source = WEB_ANALYTICS | {"values": {"page": {"Home": ["start"], "NextSong": ["Home"], "Help": ["NextSong"]}}}
    line = {"event_timestamp": START * 1_000, "user_pseudo_id": "1", "ga_session_id": 1}
    rows = parsed(spark, source, *(line | {"event_name": name} for name in ("start", "Home", "NextSong")))
    assert sorted(row.page for row in rows) == ["Help", "Home", "NextSong"]
