"""Random invalid lines in a log are counted, and events and features are not affected."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from spark_examples import spark_examples
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import LogSpan
from sparkify_kedro.pipelines.feature_engineering.nodes import engineer_user_time_bins
from sparkify_kedro.pipelines.ingestion.nodes import (
    check_lines,
    parse_lines,
    report_ingestion,
    select_events,
    select_rejected,
)
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion

PROJECT = Path(__file__).parents[3]


def configured(pipeline: str) -> dict[str, Any]:
    return yaml.safe_load((PROJECT / f"conf/base/parameters_{pipeline}.yml").read_text(encoding="utf-8"))[pipeline]


# However much of a log is dirt, these tests want to see what is made of the rest.
CONTRACT = Ingestion.model_validate(configured("ingestion") | {"max_rejected_share": 1})
FEATURES = FeatureEngineering.model_validate(configured("feature_engineering") | {"min_history_days": 0})
PAGES = CONTRACT.columns["page"].one_of or []
START, HOUR = 1_538_352_000_000, 3_600_000


def clean_event(item: int, user: int, hour: int, page: str, level: str) -> dict[str, Any]:
    """An event of a user's, which no other event repeats."""
    event = {
        "ts": START + hour * HOUR, "userId": str(user), "sessionId": hour // 24, "page": page, "auth": "Logged In",
        "method": "PUT", "status": 200, "level": level, "itemInSession": item, "location": "Fargo, ND",
        "userAgent": "Mozilla/5.0 (iPhone)", "lastName": "Zzyzxlast", "firstName": "Zzyzxfirst",
        "registration": START - user * 100 * HOUR, "gender": "F",
    }  # fmt: skip
    return event | ({"artist": "Ärtist", "song": f"Song {hour}", "length": 200.5} if page == "NextSong" else {})


@st.composite
def clean_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Forty to sixty events of five users over two months."""
    choice = draw(st.randoms(use_true_random=False))
    return [
        clean_event(
            item,
            choice.randrange(1, 6),
            choice.randrange(60 * 24),
            choice.choice(PAGES),
            choice.choice(["free", "paid"]),
        )
        for item in range(draw(st.integers(40, 60)))
    ]


EVENT = clean_event(0, 1, 100, "NextSong", "paid")
LINE = json.dumps(EVENT)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
# Values that no event can have, whatever else the line holds.
IMPOSSIBLE: dict[str, list[Any]] = {
    "ts": [None, "1538352000000", 1.5, -1, 1_538_352_000, START * 1_000, 2**70, True, [], {}],
    "userId": [None, {"id": 1}, ["1"], "1" * 10_000],
    "sessionId": [None, "1", 0.5, [1], {}],
    "itemInSession": [None, "1", 2**64],
    "page": [None, "", {"name": "Home"}, "x" * 300],
    "level": [None, "", "gold", 1, []],
    "registration": [None, "x", 0, -(2**63), [START]],
    "status": ["200", {}],
    "length": ["x", -1, float("nan"), float("inf"), 10**9],
}  # fmt: skip
impossible_events = st.sampled_from([EVENT | {name: value} for name in IMPOSSIBLE for value in IMPOSSIBLE[name]])
# Lines of which no event comes.
dirt = st.one_of(
    texts,
    st.binary(max_size=40).map(lambda some: some.decode("utf-8", errors="replace")),
    st.binary(max_size=40).map(lambda some: some.decode("latin-1")),
    st.integers(0, len(LINE) - 1).map(lambda end: LINE[:end]),
    st.integers(1, len(LINE)).map(lambda start: LINE[start:]),
    st.tuples(st.integers(2, len(LINE)), texts).map(
        lambda cut: LINE[: cut[0] - 1] + '"' + cut[1] + LINE[cut[0] :] + '"'
    ),
    impossible_events.map(json.dumps),
    impossible_events.map(lambda event: json.dumps({"event": event})),
    st.sampled_from(
        [
            f"[{LINE}]",
            f"{LINE}]",
            f"{LINE},{LINE}]",
            f"{LINE}{LINE}",
            f"{LINE},",
            json.dumps(LINE),
            "[" * 2_000,
            '{"a":' * 2_000,
        ]
    ),
    st.sampled_from(["", " "]).map(lambda user: json.dumps(EVENT | {"userId": user})),
)
# The same event, written in another way.
retold = st.sampled_from(
    [
        lambda event, _: json.dumps(event, ensure_ascii=False),
        lambda event, _: json.dumps(event, separators=(",", ":")),
        lambda event, _: f"  {json.dumps(event, indent=1).replace(chr(10), ' ')}\r",
        lambda event, _: json.dumps(dict(reversed(event.items()))),
        lambda event, odd: json.dumps(event | {"extra": odd, "userid": odd}),
        lambda event, _: f"\ufeff{json.dumps(event)}",
        lambda event, _: json.dumps(event | {"sessionId": event["sessionId"], "location": event["location"]}),
    ]
)


class Made(NamedTuple):
    """What ingestion makes of some lines."""

    events: DataFrame
    rejected: DataFrame
    report: dict[str, Any]
    span: LogSpan


def ingest(spark: SparkSession, lines: list[str]) -> Made:
    """The nodes in the pipeline's order."""
    parsed = parse_lines(spark.createDataFrame([(line,) for line in lines], "value string"), CONTRACT).cache()
    rejected = select_rejected(parsed)
    counts = check_lines(parsed, rejected, CONTRACT)
    events = select_events(parsed, counts).cache()
    report, span = report_ingestion(counts, events)
    return Made(events, rejected, report.model_dump(mode="json"), span)


def collected(table: DataFrame) -> list[Row]:
    return sorted(table.collect(), key=repr)


def assert_accounted_for(made: Made, lines: list[str]) -> None:
    report = made.report
    rejected = sum(report["rejected"].values())
    assert report["lines_read"] == len(lines)
    assert len(lines) == report["events"] + report["logged_out"] + report["duplicates"] + rejected
    assert report["events"] == made.events.count()
    kept = made.rejected.collect()
    assert len(kept) == rejected
    assert all(row.failures for row in kept)


@spark_examples(1)
@given(clean=clean_logs(), between=st.lists(dirt, min_size=40, max_size=80), data=st.data())
def test_invalid_lines_change_neither_events_nor_features(
    spark: SparkSession, clean: list[dict[str, Any]], between: list[str], data: st.DataObject
) -> None:
    """Shuffled, with duplicates, each event in a random spelling, among lines that are not events."""
    order = random.Random(data.draw(st.integers(0, 2**32)))
    written = [data.draw(retold)(event, data.draw(values)) for event in clean]
    repeats = order.sample(written, len(written) // 3)
    lines = order.sample([*written, *repeats, *between], len(written) + len(repeats) + len(between))

    alone, dirty = ingest(spark, [json.dumps(event) for event in clean]), ingest(spark, lines)
    assert_accounted_for(dirty, lines)
    assert alone.report["events"] == len(clean)
    assert dirty.report["duplicates"] == len(repeats)
    assert dirty.span == alone.span
    assert collected(dirty.events) == collected(alone.events)
    features = [collected(engineer_user_time_bins(made.events, made.span, FEATURES)) for made in (alone, dirty)]
    assert features[0] == features[1]
    assert len(features[0]) >= len({event["userId"] for event in clean})


def beside_clean_events(place: int, changes: dict[str, Any]) -> dict[str, Any]:
    """``EVENT`` with changed values, at a place in its session that no clean event has."""
    item = changes.get("itemInSession", place)
    is_place = isinstance(item, int | float) and 0 <= item < 1_000
    return {**EVENT, **changes, "itemInSession": item + 1_000 if is_place else item}


@pytest.mark.faults
@spark_examples(2)
@given(
    clean=clean_logs(),
    odd=st.lists(st.dictionaries(st.sampled_from([*EVENT, "new"]), values, min_size=1, max_size=4), max_size=80),
    between=st.lists(dirt, max_size=40),
)
def test_every_line_is_accounted_for_and_every_event_stays(
    spark: SparkSession, clean: list[dict[str, Any]], odd: list[dict[str, Any]], between: list[str]
) -> None:
    """Lines with any value anywhere may or may not make events; those of the other lines are there untouched."""
    strange = [json.dumps(beside_clean_events(place, line)) for place, line in enumerate(odd)]
    plain = [json.dumps(event) for event in clean]
    made = ingest(spark, strange + plain + between)
    assert_accounted_for(made, strange + plain + between)
    events = collected(made.events.where("user_id in ('1', '2', '3', '4', '5') and item_in_session between 0 and 999"))
    assert events == collected(ingest(spark, plain).events)
