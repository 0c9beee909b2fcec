"""Ingestion: every line of a log is an event, a logged-out row, a repeat or rejected, and each one is accounted for."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from sparkify_kedro.datasets import SparkDataFrameDataset
from sparkify_kedro.pipelines.ingestion import schemas
from sparkify_kedro.pipelines.ingestion.nodes import parse_lines, report_ingestion, select_events, select_rejected
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion

PROJECT = Path(__file__).parents[3]
RAW_EVENTS_SCHEMA = json.loads((PROJECT / "conf/base/schemas/raw_events.json").read_text(encoding="utf-8"))
PARAMETERS = Ingestion(earliest=date(2018, 1, 1), latest=date(2019, 1, 1))

# Columns of the log as the design lists them, with the type each one has.
RAW_COLUMNS = {
    "ts": "bigint",
    "userId": "string",
    "sessionId": "bigint",
    "page": "string",
    "auth": "string",
    "method": "string",
    "status": "bigint",
    "level": "string",
    "itemInSession": "bigint",
    "location": "string",
    "userAgent": "string",
    "lastName": "string",
    "firstName": "string",
    "registration": "bigint",
    "gender": "string",
    "artist": "string",
    "song": "string",
    "length": "double",
}

GOOD: dict[str, Any] = {
    "ts": 1_538_352_000_000,
    "userId": "30",
    "sessionId": 29,
    "page": "NextSong",
    "auth": "Logged In",
    "method": "PUT",
    "status": 200,
    "level": "paid",
    "itemInSession": 50,
    "location": "Bakersfield, CA",
    "userAgent": "Mozilla/5.0",
    "lastName": "Zzyzxlast",
    "firstName": "Zzyzxfirst",
    "registration": 1_538_173_362_000,
    "gender": "M",
    "artist": "Martha Tilston",
    "song": "Rockpools",
    "length": 277.89016,
}


def milliseconds(*moment: int) -> int:
    """Milliseconds since the epoch of a moment in UTC: year, month, day, hour, ..."""
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1_000)


def raw_line(*, without: Collection[str] = (), **changes: Any) -> str:
    """A line of the log: the good event, with some columns changed and some left out."""
    return json.dumps({name: value for name, value in (GOOD | changes).items() if name not in without})


class Case(NamedTuple):
    """A line, and what it is to be taken for."""

    line: str
    outcome: str
    reason: str | None = None


MALFORMED = "not a JSON object with the columns' types"
NO_SONG = ("artist", "song", "length")
NOBODY = ("registration", "gender", "firstName", "lastName", "location", "userAgent", *NO_SONG)

CASES = {
    "valid event": Case(raw_line(), "event"),
    "a page without a song": Case(raw_line(page="Home", without=NO_SONG), "event"),
    "a column nobody asked for": Case(raw_line(device="phone"), "event"),
    "blanks around the object": Case(f"  {raw_line()}  ", "event"),
    "a whole number as length": Case(raw_line(length=200), "event"),
    "first plausible ts": Case(raw_line(ts=milliseconds(2018, 1, 1)), "event"),
    "last plausible ts": Case(raw_line(ts=milliseconds(2019, 1, 1) - 1), "event"),
    "registration after the event": Case(raw_line(registration=GOOD["ts"] + 5), "event"),
    "logged out": Case(raw_line(userId="", auth="Logged Out", page="Home", without=NOBODY), "logged out"),
    "logged out, everything else there": Case(raw_line(userId=""), "logged out"),
    "userId of blanks": Case(raw_line(userId="  "), "logged out"),
    "blank line": Case("", "rejected", MALFORMED),
    "line of blanks": Case("   ", "rejected", MALFORMED),
    "not JSON": Case("127.0.0.1 - - GET /home", "rejected", MALFORMED),
    "cut off": Case(raw_line()[:-20], "rejected", MALFORMED),
    "cut off at the front": Case(raw_line()[20:], "rejected", MALFORMED),
    "a JSON null": Case("null", "rejected", MALFORMED),
    "a JSON number": Case("17", "rejected", MALFORMED),
    "a JSON list of events": Case(f"[{raw_line()}, {raw_line(userId='31')}]", "rejected", MALFORMED),
    "ts is text": Case(raw_line(ts="1538352000000"), "rejected", MALFORMED),
    "ts is a fraction": Case(raw_line(ts=1538352000000.5), "rejected", MALFORMED),
    "ts is true": Case(raw_line(ts=True), "rejected", MALFORMED),
    "ts does not fit": Case(raw_line(ts=2**70), "rejected", MALFORMED),
    "sessionId is text": Case(raw_line(sessionId="29"), "rejected", MALFORMED),
    "itemInSession is a list": Case(raw_line(itemInSession=[50]), "rejected", MALFORMED),
    "registration is text": Case(raw_line(registration="long ago"), "rejected", MALFORMED),
    "status is text": Case(raw_line(status="OK"), "rejected", MALFORMED),
    "length is text": Case(raw_line(length="277.9"), "rejected", MALFORMED),
    "an empty object": Case("{}", "rejected", "ts is missing"),
    "ts missing": Case(raw_line(without=["ts"]), "rejected", "ts is missing"),
    "ts null": Case(raw_line(ts=None), "rejected", "ts is missing"),
    "userId missing": Case(raw_line(without=["userId"]), "rejected", "userId is missing"),
    "userId null": Case(raw_line(userId=None), "rejected", "userId is missing"),
    "page missing": Case(raw_line(without=["page"]), "rejected", "page is missing"),
    "page missing, logged out": Case(raw_line(userId="", without=["page"]), "rejected", "page is missing"),
    "level missing": Case(raw_line(without=["level"]), "rejected", "level is missing"),
    "sessionId missing": Case(raw_line(without=["sessionId"]), "rejected", "sessionId is missing"),
    "itemInSession missing": Case(raw_line(without=["itemInSession"]), "rejected", "itemInSession is missing"),
    "registration missing": Case(raw_line(without=["registration"]), "rejected", "registration is missing"),
    "registration null": Case(raw_line(registration=None), "rejected", "registration is missing"),
    "ts in seconds": Case(raw_line(ts=1_538_352_000), "rejected", "ts is implausible"),
    "ts just too early": Case(raw_line(ts=milliseconds(2018, 1, 1) - 1), "rejected", "ts is implausible"),
    "ts just too late": Case(raw_line(ts=milliseconds(2019, 1, 1)), "rejected", "ts is implausible"),
    "ts negative": Case(raw_line(ts=-1), "rejected", "ts is implausible"),
}


def parse(spark: SparkSession, lines: Collection[str]) -> DataFrame:
    """The lines, parsed with the project's raw schema."""
    raw_events = spark.createDataFrame([(line,) for line in lines], "value string")
    return parse_lines(raw_events, RAW_EVENTS_SCHEMA, PARAMETERS)


def stored(table: DataFrame) -> DataFrame:
    """The table as the next node gets it from the catalog: computed once."""
    return table.localCheckpoint()


def collected(table: DataFrame) -> list[Row]:
    """The rows in an order that does not depend on Spark."""
    return sorted(table.collect(), key=repr)


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    """How each case was judged; parsing moves no row, so the rows come in the order of the lines."""
    rows = parse(spark, [case.line for case in CASES.values()]).collect()
    return dict(zip(CASES, rows, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_line_is_judged(judged: dict[str, Row], name: str) -> None:
    case, row = CASES[name], judged[name]
    assert (row.outcome, row.reason) == (case.outcome, case.reason)


@pytest.mark.parametrize("name", CASES)
def test_only_a_rejected_line_is_kept_and_kept_word_for_word(judged: dict[str, Row], name: str) -> None:
    case = CASES[name]
    assert judged[name].line == (case.line if case.outcome == "rejected" else None)


def test_event_carries_its_values_in_snake_case(judged: dict[str, Row]) -> None:
    assert judged["valid event"].asDict() == {
        "outcome": "event",
        "reason": None,
        "line": None,
        "user_id": "30",
        "session_id": 29,
        "item_in_session": 50,
        "ts": 1_538_352_000_000,
        "page": "NextSong",
        "auth": "Logged In",
        "method": "PUT",
        "status": 200,
        "level": "paid",
        "registration": 1_538_173_362_000,
        "gender": "M",
        "location": "Bakersfield, CA",
        "user_agent": "Mozilla/5.0",
        "artist": "Martha Tilston",
        "song": "Rockpools",
        "length": 277.89016,
    }


def test_line_with_more_than_one_object_is_rejected(spark: SparkSession) -> None:
    lines = [raw_line() + raw_line(userId="31"), raw_line() + " and more", raw_line() + "}"]
    assert [row.outcome for row in parse(spark, lines).collect()] == ["rejected"] * len(lines)


def test_absurd_registration_is_rejected(spark: SparkSession) -> None:
    lines = [raw_line(registration=registration) for registration in (-(2**63), 2**63 - 1, -(10**18))]
    assert [row.outcome for row in parse(spark, lines).collect()] == ["rejected"] * len(lines)


def test_tables_have_the_declared_columns(spark: SparkSession) -> None:
    parsed = parse(spark, [raw_line()])
    tables = {
        schemas.parsed_lines: parsed,
        schemas.events: select_events(parsed),
        schemas.rejected_events: select_rejected(parsed),
    }
    for schema, table in tables.items():
        declared = [(field.name, field.dataType) for field in schema.struct.fields]
        assert [(field.name, field.dataType) for field in table.schema.fields] == declared


def test_names_of_people_do_not_come_out(spark: SparkSession) -> None:
    """Only a rejected line, kept word for word, still holds them."""
    usable = [case.line for case in CASES.values() if case.outcome != "rejected"]
    assert sum("Zzyzx" in line for line in usable) > 5
    parsed = stored(parse(spark, usable))
    valid_events = stored(select_events(parsed))
    columns = {name.lower().replace("_", "") for name in [*parsed.columns, *valid_events.columns]}
    assert columns.isdisjoint({"lastname", "firstname"})
    made = [*parsed.collect(), *valid_events.collect(), *select_rejected(parsed).collect()]
    assert "Zzyzx" not in repr([made, report_ingestion(parsed, valid_events)])


def test_exact_repeats_count_once(spark: SparkSession) -> None:
    """A repeat agrees in user, session, item, moment and page; events that differ in one of these all stay."""
    others = [
        raw_line(userId="31"),
        raw_line(sessionId=30),
        raw_line(itemInSession=51),
        raw_line(ts=GOOD["ts"] + 1),
        raw_line(page="Home"),
    ]
    parsed = stored(parse(spark, [raw_line(), *others, raw_line(), raw_line()]))
    valid_events = stored(select_events(parsed))
    keys = [tuple(row[name] for name in schemas.EVENT_KEYS) for row in valid_events.collect()]
    assert len(keys) == len(set(keys)) == 1 + len(others)
    assert report_ingestion(parsed, valid_events)[0]["duplicates"] == 2


def test_repeats_that_differ_elsewhere_give_the_same_event_in_any_order(spark: SparkSession) -> None:
    lines = [
        raw_line(userId=user, song=song, level=level, length=length)
        for user in ("1", "2", "3")
        for song, level, length in [("B", "free", 1.0), ("A", "paid", 9.0), (None, "paid", None), ("A", "free", 3.0)]
    ]
    shuffled = random.Random(1).sample(lines, len(lines))
    orders = [parse(spark, lines), parse(spark, lines[::-1]), parse(spark, shuffled).repartition(3)]
    first, *rest = [collected(select_events(parsed)) for parsed in orders]
    assert [row.user_id for row in first] == ["1", "2", "3"]
    # The event that stands for all is one of them, not a blend.
    assert all(
        raw_line(userId=row.user_id, song=row.song, level=row.level, length=row.length) in lines for row in first
    )
    assert rest == [first, first]


def test_event_date_is_the_day_in_utc(spark: SparkSession) -> None:
    moments = {
        milliseconds(2018, 10, 31, 0): date(2018, 10, 31),
        milliseconds(2018, 10, 31, 12): date(2018, 10, 31),
        milliseconds(2018, 11, 1) - 1: date(2018, 10, 31),
        milliseconds(2018, 11, 1): date(2018, 11, 1),
        milliseconds(2018, 3, 25, 1, 30): date(2018, 3, 25),
    }
    valid_events = select_events(parse(spark, [raw_line(ts=ts) for ts in moments]))
    assert {row.ts: row.event_date for row in valid_events.collect()} == moments


def test_rejected_lines_come_with_their_reason_as_often_as_they_occur(spark: SparkSession) -> None:
    rejected = [(case.line, case.reason) for case in CASES.values() if case.outcome == "rejected"]
    lines = [case.line for case in CASES.values()] * 2
    rows = select_rejected(parse(spark, lines)).collect()
    assert Counter(map(tuple, rows)) == Counter(rejected * 2)


def test_report_of_an_empty_log(spark: SparkSession) -> None:
    parsed = parse(spark, [])
    nothing = {"events": 0, "users": 0, "first_ts": None, "last_ts": None}
    account = {
        "lines_read": 0,
        "events": 0,
        "logged_out": 0,
        "duplicates": 0,
        "rejected": {},
        "users": 0,
    }
    assert report_ingestion(parsed, select_events(parsed)) == (account | nothing, nothing)


def accounted(report: dict[str, Any]) -> int:
    """The lines that a report accounts for."""
    return report["events"] + report["logged_out"] + report["duplicates"] + sum(report["rejected"].values())


Keyed = tuple[tuple[str, int, int, str], str]


def keyed_line(user: str, item: int, ts: int, page: str, song: str | None) -> Keyed:
    """What makes an event a repeat of another one, and its line."""
    return (user, item, ts, page), raw_line(userId=user, itemInSession=item, ts=ts, page=page, song=song)


# Few values, so that keys meet again, also with another song.
event_lines = st.builds(
    keyed_line,
    user=st.sampled_from(["1", "2"]),
    item=st.sampled_from([0, 1]),
    ts=st.sampled_from([GOOD["ts"], GOOD["ts"] + 1]),
    page=st.sampled_from(["NextSong", "Home"]),
    song=st.sampled_from([None, "A", "B"]),
)
dirty_cases = st.sampled_from([case for case in CASES.values() if case.outcome != "event"])


@settings(max_examples=12, deadline=None)
@given(good=st.lists(event_lines, max_size=20), dirty=st.lists(dirty_cases, max_size=20), order=st.randoms())
def test_every_line_is_accounted_for(
    spark: SparkSession, good: list[Keyed], dirty: list[Case], order: random.Random
) -> None:
    """The report of a random mix of good, repeated, logged-out and dirty lines is what a count by hand gives."""
    lines = [line for _, line in good] + [case.line for case in dirty]
    order.shuffle(lines)
    parsed = stored(parse(spark, lines))
    valid_events = stored(select_events(parsed))
    report, log_span = report_ingestion(parsed, valid_events)
    assert log_span == {name: report[name] for name in ("events", "users", "first_ts", "last_ts")}

    keys = {key for key, _ in good}
    moments = {ts for _, _, ts, _ in keys}
    assert report == {
        "lines_read": len(lines),
        "events": len(keys),
        "logged_out": sum(case.outcome == "logged out" for case in dirty),
        "duplicates": len(good) - len(keys),
        "rejected": dict(Counter(case.reason for case in dirty if case.reason)),
        "users": len({user for user, *_ in keys}),
        "first_ts": min(moments, default=None),
        "last_ts": max(moments, default=None),
    }
    assert accounted(report) == report["lines_read"]
    found = [(row.user_id, row.item_in_session, row.ts, row.page) for row in valid_events.collect()]
    assert sorted(found) == sorted(keys)


odd_values = st.sampled_from([None, "", " ", "x", "NaN", 0, 1, -1, 1.5, True, [], [1], {}, {"a": 1}, 2**70, -(2**63)])
odd_lines = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(0, len(raw_line())).map(lambda end: raw_line()[:end]),
    st.dictionaries(st.sampled_from(list(GOOD)), odd_values, min_size=1, max_size=3).map(lambda odd: raw_line(**odd)),
)


@settings(max_examples=6, deadline=None)
@given(lines=st.lists(odd_lines, min_size=10, max_size=100))
def test_no_line_breaks_ingestion_or_gets_lost(spark: SparkSession, lines: list[str]) -> None:
    """Whatever the lines are, none raises and each one is counted once."""
    parsed = stored(parse(spark, lines))
    valid_events = stored(select_events(parsed))
    report, log_span = report_ingestion(parsed, valid_events)
    assert log_span == {name: report[name] for name in ("events", "users", "first_ts", "last_ts")}
    assert report["lines_read"] == len(lines) == accounted(report)
    assert report["events"] == len(valid_events.collect())
    assert sum(report["rejected"].values()) == len(select_rejected(parsed).collect())


def test_raw_schema_has_the_18_columns() -> None:
    fields = {
        field["name"]: {"long": "bigint"}.get(field["type"], field["type"]) for field in RAW_EVENTS_SCHEMA["fields"]
    }
    assert len(RAW_EVENTS_SCHEMA["fields"]) == 18
    assert fields == RAW_COLUMNS


LOG = [*(raw_line(itemInSession=item, song=f"Søng {item}") for item in range(20)), "", "{not JSON", raw_line(userId="")]


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same log as one file, compressed in two ways, and in parts."""
    folder = tmp_path_factory.mktemp("logs")
    whole = "".join(f"{line}\n" for line in LOG).encode()
    (folder / "log.json").write_bytes(whole)
    (folder / "log.json.gz").write_bytes(gzip.compress(whole))
    (folder / "log.json.bz2").write_bytes(bz2.compress(whole))
    parts = folder / "parts"
    parts.mkdir()
    for number, lines in enumerate((LOG[:7], LOG[7:8], LOG[8:])):
        # The last line of a part need not end.
        (parts / f"part-{number}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    mixed = folder / "mixed"
    mixed.mkdir()
    (mixed / "a.json").write_text("\n".join(LOG[:9]), encoding="utf-8")
    (mixed / "b.json.bz2").write_bytes(bz2.compress("\r\n".join(LOG[9:]).encode()))
    return folder


@pytest.mark.parametrize("path", ["log.json", "log.json.gz", "log.json.bz2", "parts", "mixed", "parts/part-*.json.gz"])
def test_file_folder_and_glob_read_the_same(spark: SparkSession, log_folder: Path, path: str) -> None:
    raw_events = SparkDataFrameDataset(filepath=str(log_folder / path), file_format="text").load()
    assert raw_events.columns == ["value"]
    assert sorted(row.value for row in raw_events.collect()) == sorted(LOG)
