"""What ``kedro logs inspect`` shows of a log, and the mapping that it proposes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from sparkify_kedro.framework.files import Content
from sparkify_kedro.pipelines.ingestion.inspection import (
    column_for,
    describe,
    describe_files,
    propose_source,
    summarize,
    values_of,
)
from sparkify_kedro.pipelines.ingestion.nodes import parse_lines
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion
from sparkify_kedro.pipelines.ingestion.synonyms import likely_column, likely_pages

CONFIGURED = yaml.safe_load((Path(__file__).parents[3] / "conf/base/parameters_ingestion.yml").read_text())["ingestion"]
CONTRACT = Ingestion(**CONFIGURED)
SUBSCRIPTIONS = [
    {"customer": f"c{number}", "email": "ada@example.org", "occurred_at": f"2018-10-0{number}T10:00:00Z",
     "event": event, "plan": plan, "sex": "female", "note": {"a": 1}}
    for number, (event, plan) in enumerate(
        [("track_started", "basic"), ("plan_upgraded", "basic"), ("track_started", "premium"), ("odd", "premium"),
         ("subscription_cancelled", "premium")], start=1,
    )
]  # fmt: skip
PROPOSAL = {
    "time": "iso",
    "columns": {"ts": "occurred_at", "userId": "customer", "page": "event", "level": "plan", "gender": "sex"},
    "values": {
        "page": {
            "Cancellation Confirmation": ["subscription_cancelled"],
            "Submit Upgrade": ["plan_upgraded"],
            "NextSong": ["track_started"],
        },
        "level": {"free": ["basic"], "paid": ["premium"]},
        "gender": {"F": ["female"]},
    },
    "derive": ["registration", "sessionId", "itemInSession"],
}


@pytest.mark.parametrize(
    ("lines", "proposal"),
    [(SUBSCRIPTIONS, PROPOSAL), ([line | {"event": "track_started"} for line in SUBSCRIPTIONS], None)],
    ids=["a service's log", "without cancellations"],
)
def test_a_proposal_maps_the_log(
    spark: SparkSession, lines: list[dict[str, object]], proposal: dict[str, object] | None
) -> None:
    """It is what a person would write, and the log is read with it."""
    log = spark.createDataFrame([(json.dumps(line),) for line in lines], "value string")
    summary = summarize(log)
    assert (summary.lines, summary.looked_at, summary.objects) == (5, 5, 5)
    columns = {name: column_for(name, summary, CONTRACT) for name in ("page", "level", "gender")}
    assert columns == {"page": "event", "level": "plan", "gender": "sex"}
    page, level, gender = (values_of(log, str(column)) for column in columns.values())
    found = propose_source(summary, page, level, gender, CONTRACT)
    text = describe(summary, found, page, CONTRACT)
    assert "ada@example.org" not in text
    assert yaml.safe_load(text[text.index("ingestion:\n") :].partition("\n\n")[0]) == {"ingestion": {"source": found}}
    assert ("No event was found that says that a subscription is cancelled" in text) is (proposal is None)
    if proposal is not None:
        assert found == proposal
        assert "kept under their own names: odd (1)." in text
        rows = parse_lines(log, Ingestion(**CONFIGURED, source=found)).collect()
        assert [(row.outcome, row.level, row.gender) for row in rows[:1]] == [("event", "free", "F")]


def test_the_public_log_needs_no_mapping(spark: SparkSession) -> None:
    line = {"ts": 1538352000000, "userId": "1", "sessionId": 1, "page": "Home", "level": "free", "itemInSession": 0,
            "registration": 1538352000000, "firstName": "Ada", "lastName": "Lee", "gender": "F"}  # fmt: skip
    log = spark.createDataFrame([(json.dumps(line),), ("x",)], "value string")
    summary = summarize(log)
    text = describe(summary, propose_source(summary, {"Home": 1}, {"free": 1}, {"F": 1}, CONTRACT), {}, CONTRACT)
    assert text.startswith("2 lines, 1 of the first 2 are records.")
    assert text.endswith("The log needs no mapping.")
    assert "Ada" not in text
    assert "Not in the log: auth, method, status, location, userAgent, artist, song, length." in text


@pytest.mark.parametrize(("largest", "unit"), [(1538352000, "s"), (1538352000123, None), (1538352000123456, "us")])
def test_the_unit_of_times_follows_from_their_size(spark: SparkSession, largest: int, unit: str | None) -> None:
    log = spark.createDataFrame([(json.dumps({"ts": largest}),)], "value string")
    assert propose_source(summarize(log), {}, {}, {}, CONTRACT).get("time") == unit


@pytest.mark.parametrize(
    ("column", "names", "expected"),
    [
        ("userId", ["USERID", "user"], "USERID"),
        ("userId", ["user id"], "user id"),
        ("song", ["event_params.title", "track"], "event_params.title"),
        ("sessionId", ["ga_session_id", "x"], "ga_session_id"),
        ("gender", ["agenda"], None),
    ],
)
def test_other_names_of_columns(column: str, names: list[str], expected: str | None) -> None:
    assert likely_column(column, names) == expected


def test_other_names_of_pages() -> None:
    names = [
        "thumbsUp",
        "add_to_playlist",
        "cancel_clicked",
        "CancelConfirmed",
        "video_play",
        "sign-out",
        "zzz",
        "Home",
    ]
    assert likely_pages(names, CONFIGURED["columns"]["page"]["one_of"]) == {
        "Cancellation Confirmation": ["CancelConfirmed"],
        "Cancel": ["cancel_clicked"],
        "Thumbs Up": ["thumbsUp"],
        "Add to Playlist": ["add_to_playlist"],
        "Logout": ["sign-out"],
        "NextSong": ["video_play"],
    }


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ([], "0 files: no data"),
        ([Content("Parquet", None, True)] * 2, "2 files: Parquet"),
        (
            [Content("JSON lines", codec, True) for codec in ("gzip", None, "gzip")],
            "3 files: JSON lines, 2 gzip, 1 plain",
        ),
    ],
)
def test_files_are_described(contents: list[Content], text: str) -> None:
    assert describe_files(contents) == text
