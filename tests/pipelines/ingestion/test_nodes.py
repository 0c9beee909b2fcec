"""Ingestion: every line of a log is an event, logged out, a duplicate or rejected, and is counted once."""

from __future__ import annotations

import bz2
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession

from spark_examples import spark_examples
from sparkify_kedro.framework.datasets import SparkDataFrameDataset
from sparkify_kedro.pipelines.ingestion import schemas
from sparkify_kedro.pipelines.ingestion.nodes import (
    check_lines,
    parse_lines,
    report_ingestion,
    select_events,
    select_rejected,
)
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion

PROJECT = Path(__file__).parents[3]
CONFIGURED = yaml.safe_load((PROJECT / "conf/base/parameters_ingestion.yml").read_text(encoding="utf-8"))["ingestion"]


def contract(columns: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Ingestion:
    """The project's contract for a log of 2018 of which every line may be rejected, with some changes."""
    changed = {"ts": {"between_days": ["2018-01-01", "2019-01-01"]}} | (columns or {})
    of_columns = {name: rules | changed.get(name, {}) for name, rules in CONFIGURED["columns"].items()}
    return Ingestion.model_validate(CONFIGURED | {"max_rejected_share": 1, "columns": of_columns} | changes)


PARAMETERS = contract()

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
    """A line and its expected outcome."""

    line: str
    outcome: str
    failures: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    @property
    def reason(self) -> str | None:
        """The failure by which a rejected line counts."""
        return next((name for name in self.failures if PARAMETERS.actions[name] == "reject"), None)

    @property
    def kept(self) -> str:
        """The line without names of people."""
        return re.sub(r'"Zzyzx[^"]*(?:"|$)', '"…"', self.line)


MALFORMED = ("not a JSON object",)
DECIMAL = ("userId is written with a decimal point",)
NO_SONG = ("artist", "song", "length")
NOBODY = ("registration", "gender", "firstName", "lastName", "location", "userAgent", *NO_SONG)

CASES = {
    "valid event": Case(raw_line(), "event"),
    "whole numbers with a decimal point": Case(
        raw_line(ts=1538352000000.0, sessionId=29.0, status=200.0, itemInSession=50.0, registration=1538173362000.0),
        "event",
    ),
    "whole numbers with an exponent": Case(
        raw_line().replace("1538352000000", "1.538352E12").replace("1538173362000", "15381733620e2"), "event"
    ),
    "a large number beside one with a decimal point": Case(raw_line(sessionId=9007199254740993, status=200.0), "event"),
    "NaN for a number that is missing": Case(raw_line(status=float("nan"), registration=1538173362000.0), "event"),
    "an empty text for a number that is missing": Case(raw_line(status=""), "event"),
    "logged out, NaN as registration": Case(raw_line(userId="", registration=float("nan")), "logged out"),
    "logged out, no userId": Case(raw_line(auth="Logged Out", without=["userId", "registration"]), "logged out"),
    "logged out, userId is null": Case(raw_line(userId=None, auth="Guest", registration=None), "logged out"),
    "logged out, userId of nobody": Case(raw_line(userId="1261737", auth="Logged Out"), "logged out"),
    "cancelled": Case(raw_line(auth="Cancelled", page="Cancellation Confirmation", without=NO_SONG), "event"),
    "userId with a decimal point": Case(raw_line(userId=30.0), "event", DECIMAL),
    "userId with an exponent": Case(raw_line(userId=12345678.0), "event", DECIMAL),
    "userId with a decimal point, as text": Case(raw_line(userId="30.0"), "event", DECIMAL),
    "userId with a fraction": Case(raw_line(userId=30.5), "event"),
    "userId with points": Case(raw_line(userId="10.0.0.1"), "event"),
    "two values of other kinds": Case(
        raw_line(ts="now", level="gold", length="long"),
        "rejected",
        ("ts is not a whole number", "length is not a number"),
    ),
    "a page without a song": Case(raw_line(page="Home", without=NO_SONG), "event"),
    "unknown columns": Case(raw_line(device={"a": [1]}, zone=None), "event", (), ("device", "zone")),
    "an unknown column with an invalid number": Case(
        raw_line(device={"a": [1, float("nan")]}), "event", (), ("device",)
    ),
    "an unknown column, logged out": Case(raw_line(userId="", device=1), "logged out", (), ("device",)),
    "an unknown page": Case(raw_line(page="Playlist"), "event", ("page is unknown",)),
    "odd, and used": Case(
        raw_line(auth="", method="POST", status=999, gender="X"),
        "event",
        ("auth is unknown", "method is unknown", "status is out of range", "gender is unknown"),
    ),
    "userId is a number": Case(raw_line(userId=30), "event"),
    "blanks around userId": Case(raw_line(userId=" 30 "), "event"),
    "userId as long as can be": Case(raw_line(userId="3" * 256), "event"),
    "emoji, NUL and right to left": Case(raw_line(firstName="Zzyzx😀", song="שלום\u0000 🎵", artist="سلام"), "event"),
    "the same, unescaped": Case(json.dumps(GOOD | {"song": "שלום 🎵"}, ensure_ascii=False), "event"),
    "a mark of byte order in front": Case(f"\ufeff{raw_line()}", "event"),
    "registration of a logged-out row": Case(raw_line(userId="", registration=-1), "logged out"),
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
    "the end of an array of events": Case(f"{raw_line()},{raw_line()}]", "rejected", MALFORMED),
    "cut off": Case(raw_line()[:-20], "rejected", MALFORMED),
    "cut off at the front": Case(raw_line()[20:], "rejected", MALFORMED),
    "a JSON null": Case("null", "rejected", MALFORMED),
    "a JSON number": Case("17", "rejected", MALFORMED),
    "a JSON list of events": Case(f"[{raw_line()}, {raw_line(userId='31')}]", "rejected", MALFORMED),
    "ts is text": Case(raw_line(ts="1538352000000"), "rejected", ("ts is not a whole number",)),
    "ts is a fraction": Case(raw_line(ts=1538352000000.5), "rejected", ("ts is not a whole number",)),
    "ts is true": Case(raw_line(ts=True), "rejected", ("ts is not a whole number",)),
    "ts does not fit": Case(raw_line(ts=2**70), "rejected", ("ts is not a whole number",)),
    "sessionId is text": Case(raw_line(sessionId="29"), "rejected", ("sessionId is not a whole number",)),
    "itemInSession is a list": Case(raw_line(itemInSession=[50]), "rejected", ("itemInSession is not a whole number",)),
    "registration is text": Case(
        raw_line(registration="long ago"), "rejected", ("registration is not a whole number",)
    ),
    "status is text": Case(raw_line(status="OK"), "rejected", ("status is not a whole number",)),
    "length is text": Case(raw_line(length="277.9"), "rejected", ("length is not a number",)),
    "status is a list": Case(raw_line(status=[200]), "rejected", ("status is not a whole number",)),
    "a raw NUL": Case(raw_line(song="#").replace("#", "\0"), "rejected", MALFORMED),
    "cut off in a name": Case(raw_line(firstName=None)[: raw_line().index("Zzyzxlast") + 7], "rejected", MALFORMED),
    "an empty object": Case(
        "{}",
        "rejected",
        tuple(
            f"{name} is missing"
            for name in ("ts", "userId", "sessionId", "page", "level", "itemInSession", "registration")
        ),
    ),
    "much at once": Case(
        raw_line(ts=-1, userId="[1]", page="Playlist", level="gold", length=-1, registration=None),
        "rejected",
        (
            "ts is out of range",
            "userId has another form",
            "page is unknown",
            "level is unknown",
            "registration is missing",
            "length is out of range",
        ),
    ),
    "userId is an object": Case(raw_line(userId={"id": 30}), "rejected", ("userId has another form",)),
    "userId is a list": Case(raw_line(userId=["30"]), "rejected", ("userId has another form",)),
    "userId without end": Case(raw_line(userId="3" * 10_000), "rejected", ("userId has another form",)),
    "level unknown": Case(raw_line(level="gold"), "rejected", ("level is unknown",)),
    "level null": Case(raw_line(level=None), "rejected", ("level is missing",)),
    "page empty": Case(raw_line(page=""), "rejected", ("page has another form", "page is unknown")),
    "page is an object": Case(raw_line(page={"a": 1}), "rejected", ("page has another form", "page is unknown")),
    "length negative": Case(raw_line(length=-0.5), "rejected", ("length is out of range",)),
    "length is no number": Case(raw_line(length=float("nan")), "rejected", ("length is out of range",)),
    "a rejected line's own columns": Case(raw_line(level="", device=1), "rejected", ("level is unknown",)),
    "ts missing": Case(raw_line(without=["ts"]), "rejected", ("ts is missing",)),
    "ts null": Case(raw_line(ts=None), "rejected", ("ts is missing",)),
    "userId missing": Case(raw_line(without=["userId"]), "rejected", ("userId is missing",)),
    "userId null": Case(raw_line(userId=None), "rejected", ("userId is missing",)),
    "page missing": Case(raw_line(without=["page"]), "rejected", ("page is missing",)),
    "page missing, logged out": Case(raw_line(userId="", without=["page"]), "rejected", ("page is missing",)),
    "level missing": Case(raw_line(without=["level"]), "rejected", ("level is missing",)),
    "sessionId missing": Case(raw_line(without=["sessionId"]), "rejected", ("sessionId is missing",)),
    "itemInSession missing": Case(raw_line(without=["itemInSession"]), "rejected", ("itemInSession is missing",)),
    "registration missing": Case(raw_line(without=["registration"]), "rejected", ("registration is missing",)),
    "registration null": Case(raw_line(registration=None), "rejected", ("registration is missing",)),
    "ts in seconds": Case(raw_line(ts=1_538_352_000), "rejected", ("ts is out of range",)),
    "ts just too early": Case(raw_line(ts=milliseconds(2018, 1, 1) - 1), "rejected", ("ts is out of range",)),
    "ts just too late": Case(raw_line(ts=milliseconds(2019, 1, 1)), "rejected", ("ts is out of range",)),
    "ts negative": Case(raw_line(ts=-1), "rejected", ("ts is out of range",)),
}


def parse(spark: SparkSession, lines: Collection[str], parameters: Ingestion = PARAMETERS) -> DataFrame:
    """The lines, held against the project's contract."""
    return parse_lines(spark.createDataFrame([(line,) for line in lines], "value string"), parameters)


def stored(table: DataFrame) -> DataFrame:
    """The table as the next node gets it from the catalog: computed once."""
    return table.cache()


def collected(table: DataFrame) -> list[Row]:
    """The rows in an order that does not depend on Spark."""
    return sorted(table.collect(), key=repr)


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    """How each case was judged; parsing moves no row, so the rows come in the order of the lines."""
    rows = parse(spark, [case.line for case in CASES.values()]).collect()
    return dict(zip(CASES, rows, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_outcome_of_a_line(judged: dict[str, Row], name: str) -> None:
    case, row = CASES[name], judged[name]
    found = (row.outcome, tuple(row.failures or ()), tuple(row.unknown_columns or ()))
    assert found == (case.outcome, case.failures, case.unknown_columns)


@pytest.mark.parametrize("name", CASES)
def test_only_rejected_lines_are_stored_without_personal_values(judged: dict[str, Row], name: str) -> None:
    case = CASES[name]
    assert judged[name].line == (case.kept if case.outcome == "rejected" else None)


def test_event_carries_its_values_in_snake_case(judged: dict[str, Row]) -> None:
    found = judged["valid event"].asDict()
    # The same in every row here.
    assert (found.pop("file"), len(found.pop("parser"))) == (None, 16)
    assert found == {
        "outcome": "event",
        "failures": None,
        "unknown_columns": None,
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


def test_out_of_range_registration_is_rejected(spark: SparkSession) -> None:
    lines = [raw_line(registration=registration) for registration in (-(2**63), 2**63 - 1, -(10**18))]
    assert [row.outcome for row in parse(spark, lines).collect()] == ["rejected"] * len(lines)


def test_tables_have_the_declared_columns(spark: SparkSession) -> None:
    parsed = parse(spark, [raw_line()])
    tables = {
        schemas.parsed_lines: parsed,
        schemas.events: select_events(parsed, {}),
        schemas.rejected_events: select_rejected(parsed),
    }
    for schema, table in tables.items():
        declared = [(field.name, field.dataType) for field in schema.struct.fields]
        assert [(field.name, field.dataType) for field in table.schema.fields] == declared


def test_personal_columns_are_not_stored(spark: SparkSession) -> None:
    """Not of an event, nor of a line that is kept because it is none."""
    lines = [case.line for case in CASES.values()]
    assert sum("Zzyzx" in line for line in lines) > 50
    made = Made.of(spark, lines)
    columns = {name.lower().replace("_", "") for name in [*made.parsed.columns, *made.events.columns]}
    assert columns.isdisjoint({"lastname", "firstname"})
    rows = [*made.parsed.collect(), *made.events.collect(), *made.rejected.collect()]
    assert "Zzyzx" not in repr([rows, made.counts, made.report, made.span])


def test_exact_duplicates_count_once(spark: SparkSession) -> None:
    """A repeat agrees in user, session, item, moment and page; events that differ in one of these all stay."""
    others = [
        raw_line(userId="31"),
        raw_line(sessionId=30),
        raw_line(itemInSession=51),
        raw_line(ts=GOOD["ts"] + 1),
        raw_line(page="Home"),
    ]
    made = Made.of(spark, [raw_line(), *others, raw_line(), raw_line()])
    keys = [tuple(row[name] for name in schemas.EVENT_KEYS) for row in made.events.collect()]
    assert len(keys) == len(set(keys)) == 1 + len(others)
    assert made.report["duplicates"] == 2


def test_duplicates_that_differ_in_other_columns_are_deterministic(spark: SparkSession) -> None:
    lines = [
        raw_line(userId=user, song=song, level=level, length=length)
        for user in ("1", "2", "3")
        for song, level, length in [("B", "free", 1.0), ("A", "paid", 9.0), (None, "paid", None), ("A", "free", 3.0)]
    ]
    shuffled = random.Random(1).sample(lines, len(lines))
    orders = [parse(spark, lines), parse(spark, lines[::-1]), parse(spark, shuffled).repartition(3)]
    first, *rest = [collected(select_events(parsed.cache(), {})) for parsed in orders]
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
    valid_events = select_events(parse(spark, [raw_line(ts=ts) for ts in moments]), {})
    assert {row.ts: row.event_date for row in valid_events.collect()} == moments


def test_rejected_lines_are_stored_with_their_failures(spark: SparkSession) -> None:
    rejected = [(case.kept, case.failures) for case in CASES.values() if case.outcome == "rejected"]
    lines = [case.line for case in CASES.values()] * 2
    rows = select_rejected(parse(spark, lines)).collect()
    assert Counter((row.line, tuple(row.failures)) for row in rows) == Counter(rejected * 2)


def refusal(spark: SparkSession, lines: Collection[str], parameters: Ingestion) -> str:
    """What a log is refused with."""
    parsed = parse(spark, lines, parameters)
    with pytest.raises(ValueError, match="the log") as caught:
        check_lines(parsed, select_rejected(parsed), parameters)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_log_without_a_line_or_an_event_is_refused(spark: SparkSession) -> None:
    assert refusal(spark, [], PARAMETERS) == "the log has no line: choose another file"
    assert refusal(spark, [raw_line(userId=""), raw_line(userId=""), "x"], PARAMETERS) == (
        "the log has no event: of its 3 lines 2 are logged-out rows and 1 are rejected"
    )


def test_a_log_with_too_many_rejected_lines_is_refused(spark: SparkSession) -> None:
    """The reasons by which most lines count come with their lines; a share that is just allowed passes."""
    good = [raw_line(itemInSession=item) for item in range(16)]
    bad = [raw_line(level="gold"), raw_line(level="gold", ts=None), raw_line(level="gold"), "x"]
    assert refusal(spark, good + bad, contract(max_rejected_share=0.19)) == (
        "4 of the log's 20 lines (20.0%) are rejected, and ingestion.max_rejected_share allows 19.0%: level is unknown "
        "(2), not a JSON object (1), ts is missing (1); see the dataset rejected_events "
        "for these lines, or raise the share to continue without them"
    )
    allowed = contract(max_rejected_share=0.2)
    parsed = parse(spark, good + bad, allowed)
    assert sum(check_lines(parsed, select_rejected(parsed), allowed).rejected.values()) == 4


def test_a_column_of_another_name_is_named_with_what_to_do(spark: SparkSession) -> None:
    lines = [raw_line(without=["userId"], userid="30"), raw_line(without=["userId"], userid="31")]
    assert refusal(spark, lines, contract(max_rejected_share=0.05)) == (
        "userId is missing in 2 of the log's 2 lines; the log has userid: map it with "
        "ingestion.source.columns.userId=userid"
    )
    assert "map it" not in refusal(spark, [raw_line(without=["userId"])], contract(max_rejected_share=0.05))


@pytest.mark.parametrize(
    ("changes", "line", "failure"),
    [
        ({"columns": {"page": {"if_unknown": "fail"}}}, raw_line(page="Playlist"), "page is unknown (1)"),
        ({"if_malformed": "fail"}, "x", f"{MALFORMED[0]} (1)"),
        ({"if_broken": "fail"}, raw_line(ts=0, level="gold"), "level is unknown (1), ts is out of range (1)"),
    ],
)
def test_a_rule_with_action_fail_stops_the_run(
    spark: SparkSession, changes: dict[str, Any], line: str, failure: str
) -> None:
    parameters = contract(**changes)
    message = refusal(spark, [raw_line(), line], parameters)
    assert message.startswith(f"the log breaks a rule of the contract whose action is fail: {failure}; see the dataset")
    assert select_rejected(parse(spark, [raw_line(), line], parameters)).count() == 1


def test_warnings_are_counted(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    """Of lines that are used: values and columns by name, the frequent first, and users with odd registrations."""
    lines = [
        *(raw_line(page="Playlist", itemInSession=item, device=1) for item in range(3)),
        raw_line(page="Radio", gender="X", **{"x" * 200: 1}),
        raw_line(page="Radio", level="gold", other=1),
        raw_line(userId="", page="Radio", zone=1),
        raw_line(userId="31"),
        raw_line(userId="31", registration=GOOD["registration"] + 1, itemInSession=51),
        raw_line(userId="32", registration=GOOD["ts"] + 1),
    ]
    with caplog.at_level("WARNING", logger="sparkify_kedro"):
        report = Made.of(spark, lines).report
    assert report["warnings"] == {"page is unknown": 5, "gender is unknown": 1}
    assert report["unknown_values"] == {"page": {"Playlist": 3, "Radio": 2}, "gender": {"X": 1}}
    assert list(report["unknown_columns"].items()) == [("device", 3), ("x" * 100, 1), ("zone", 1)]
    assert report["users_whose_registration_changes"] == 1
    assert report["users_registered_after_the_log"] == 1
    assert [record.getMessage() for record in caplog.records] == [
        "Accepted with warnings: page is unknown (5 lines)",
        "Accepted with warnings: gender is unknown (1 lines)",
    ]


def test_long_lists_of_names_are_truncated(spark: SparkSession) -> None:
    report = Made.of(spark, [raw_line(page=f"Page {page:02}", **{f"c{page:02}": 1}) for page in range(30)]).report
    assert list(report["unknown_values"]["page"]) == [f"Page {page:02}" for page in range(20)]
    assert list(report["unknown_columns"]) == [f"c{page:02}" for page in range(20)]


class Made(NamedTuple):
    """What ingestion makes of some lines."""

    parsed: DataFrame
    rejected: DataFrame
    counts: dict[str, Any]
    events: DataFrame
    report: dict[str, Any]
    span: dict[str, Any]

    @classmethod
    def of(cls, spark: SparkSession, lines: Collection[str]) -> Made:
        """The nodes in the pipeline's order."""
        parsed = stored(parse(spark, lines))
        rejected = select_rejected(parsed)
        counts = check_lines(parsed, rejected, PARAMETERS)
        events = stored(select_events(parsed, counts))
        reports = (each.model_dump(mode="json") for each in report_ingestion(counts, events))
        return cls(parsed, rejected, counts.model_dump(mode="json"), events, *reports)


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


@spark_examples(4)
@given(
    good=st.lists(event_lines, min_size=1, max_size=20), dirty=st.lists(dirty_cases, max_size=20), order=st.randoms()
)
def test_every_line_is_accounted_for(
    spark: SparkSession, good: list[Keyed], dirty: list[Case], order: random.Random
) -> None:
    """The report of a random mix of good, repeated, logged-out and dirty lines is what a count by hand gives."""
    lines = [line for _, line in good] + [case.line for case in dirty]
    order.shuffle(lines)
    made = Made.of(spark, lines)
    assert made.span == {name: made.report[name] for name in ("events", "users", "first_ts", "last_ts")}

    keys = {key for key, _ in good}
    moments = {ts for _, _, ts, _ in keys}
    used = [case for case in dirty if case.outcome == "logged out"]
    assert made.report == {
        "lines_read": len(lines),
        "events": len(keys),
        "logged_out": len(used),
        "duplicates": len(good) - len(keys),
        "rejected": dict(Counter(case.reason for case in dirty if case.reason)),
        "warnings": {},
        "unknown_values": {},
        "unknown_columns": dict(Counter(name for case in used for name in case.unknown_columns)),
        "users": len({user for user, *_ in keys}),
        "users_whose_registration_changes": 0,
        "users_registered_after_the_log": 0,
        "first_ts": min(moments),
        "last_ts": max(moments),
    }
    assert accounted(made.report) == made.report["lines_read"]
    found = [(row.user_id, row.item_in_session, row.ts, row.page) for row in made.events.collect()]
    assert sorted(found) == sorted(keys)


def test_the_contract_has_the_18_columns_of_the_log() -> None:
    """As the public log has them, with the names of people alone kept out."""
    types = {name: column.type for name, column in PARAMETERS.columns.items()}
    assert types == {
        **dict.fromkeys(("ts", "sessionId", "status", "itemInSession", "registration"), "long"),
        **dict.fromkeys(("userId", "page", "auth", "method", "level", "location", "userAgent"), "string"),
        **dict.fromkeys(("lastName", "firstName", "gender", "artist", "song"), "string"),
        "length": "double",
    }
    assert PARAMETERS.personal_columns == ("lastName", "firstName")


def test_simulated_events_satisfy_the_contract() -> None:
    """The pages, login states, levels, methods and statuses of a simulated log, which are those of the public one."""
    simulation = yaml.safe_load((PROJECT / "conf/base/parameters_simulation.yml").read_text())["simulation"]
    known = {name: set(column.one_of or ()) for name, column in PARAMETERS.columns.items()}
    pages = simulation["pages"]
    assert known["page"] == set(pages)
    assert len(pages) == 22
    assert known["method"] == {page["method"] for page in pages.values()}
    assert known["level"] == set(simulation["transitions"])
    assert known["auth"] == {auth for states in simulation["transitions"].values() for auth in states} | {"Cancelled"}


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
