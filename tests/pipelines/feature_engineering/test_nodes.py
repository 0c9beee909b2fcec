"""Feature engineering, held against a second implementation: the design's definitions in plain Python."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.pipelines.feature_engineering import schemas
from sparkify_kedro.pipelines.feature_engineering.activity import page_feature, time_bin
from sparkify_kedro.pipelines.feature_engineering.nodes import engineer_user_time_bins
from sparkify_kedro.pipelines.feature_engineering.parameters import FeatureEngineering

PROJECT = Path(__file__).parents[3]
DAY = 86_400_000

# ---------------------------------------------------------------------------------------------------------------------
# The reference
# ---------------------------------------------------------------------------------------------------------------------

PAGE_COUNTS = {
    "page_about": "About",
    "page_add_friend": "Add Friend",
    "page_add_to_playlist": "Add to Playlist",
    "page_downgrade": "Downgrade",
    "page_error": "Error",
    "page_help": "Help",
    "page_home": "Home",
    "page_logout": "Logout",
    "page_nextsong": "NextSong",
    "page_roll_advert": "Roll Advert",
    "page_save_settings": "Save Settings",
    "page_settings": "Settings",
    "page_thumbs_down": "Thumbs Down",
    "page_thumbs_up": "Thumbs Up",
    "page_upgrade": "Upgrade",
}
GIVE_AWAY = ("Cancel", "Cancellation Confirmation", "Submit Downgrade", "Submit Upgrade")
PAGES = (*PAGE_COUNTS.values(), *GIVE_AWAY)
FEATURES = (
    "time_bin",
    "is_male",
    "paid_in_time_bin",
    "free_in_time_bin",
    "downgraded_in_time_bin",
    "upgraded_in_time_bin",
    "previously_downgraded",
    *PAGE_COUNTS,
    "sessions_in_time_bin",
    "artists_in_time_bin",
    "distinct_songs_in_time_bin",
)
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")

EVENT_COLUMNS = """
    user_id string, session_id bigint, ts bigint, page string, level string, registration bigint, gender string,
    artist string, song string
"""


class Event(NamedTuple):
    """A row of the events table, in what matters here."""

    user_id: str
    session_id: int
    ts: int
    page: str
    level: str
    registration: int
    gender: str | None
    artist: str | None = None
    song: str | None = None


Rows = dict[tuple[str, int], dict[str, Any]]


def bin_of(event: Event, days: int) -> int:
    """Whole bins since registration, the fraction cut off."""
    return math.trunc(Fraction(event.ts - event.registration, days * DAY))


def reference(log: Iterable[Event], last_ts: int, days: int) -> Rows:
    """Every row that the log has, by user and bin: features, labels and flags."""
    bins: defaultdict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in log:
        bins[event.user_id, bin_of(event, days)].append(event)
    visits = {key: Counter(event.page for event in group) for key, group in bins.items()}

    rows: Rows = {}
    for (user, number), group in bins.items():
        pages = visits[user, number]
        downgrades = {bin_ for (other, bin_), seen in visits.items() if other == user and seen["Submit Downgrade"]}
        churned = pages["Cancellation Confirmation"] > 0
        churns_next = visits.get((user, number + 1), Counter())["Cancellation Confirmation"] > 0
        # The next bin is over when two bins from this one's start are.
        end_of_next = group[0].registration + (number + 2) * days * DAY
        rows[user, number] = {
            "user_id": user,
            "time_bin": number,
            "is_male": int(any(event.gender == "M" for event in group)),
            "paid_in_time_bin": int(any(event.level == "paid" for event in group)),
            "free_in_time_bin": int(any(event.level == "free" for event in group)),
            "downgraded_in_time_bin": int(number in downgrades),
            "upgraded_in_time_bin": int(pages["Submit Upgrade"] > 0),
            "previously_downgraded": int(any(bin_ < number for bin_ in downgrades)),
            **{feature: pages[page] for feature, page in PAGE_COUNTS.items()},
            "sessions_in_time_bin": len({event.session_id for event in group}),
            "artists_in_time_bin": len({event.artist for event in group} - {None}),
            "distinct_songs_in_time_bin": len({event.song for event in group} - {None}),
            "churned_in_time_bin": int(churned),
            "will_churn_in_next_bin": int(churns_next),
            "will_churn_soon": int(churned or churns_next),
            "at_risk": not churned,
            "next_bin_observed": end_of_next <= last_ts,
        }
    return rows


def engineered(
    spark: SparkSession, log: Collection[Event], last_ts: int | None, days: int, partitions: int | None = None
) -> Rows:
    """What the node makes of the log, by user and bin; no key may come twice."""
    events = spark.createDataFrame(list(log), EVENT_COLUMNS)
    if partitions:
        events = events.repartition(partitions)
    table = engineer_user_time_bins(events, {"last_ts": last_ts}, FeatureEngineering(time_bin_days=days))
    collected = [row.asDict() for row in table.collect()]
    rows = {(row["user_id"], row["time_bin"]): row for row in collected}
    assert len(rows) == len(collected), "a (user_id, time_bin) repeats"
    return rows


# ---------------------------------------------------------------------------------------------------------------------
# A log made by hand: each user is a case
# ---------------------------------------------------------------------------------------------------------------------

DAYS = 14
BIN = DAYS * DAY
REGISTRATION = 1_538_352_000_000
# The bin after bin 2 ends with the log, to the millisecond, for those who registered at REGISTRATION.
LAST_TS = REGISTRATION + 4 * BIN


def visit(  # noqa: PLR0913 - an event is what differs from the plainest one
    user: str,
    after: int,
    page: str = "Home",
    *,
    session: int = 1,
    level: str = "free",
    gender: str | None = "F",
    registration: int = REGISTRATION,
    artist: str | None = None,
    song: str | None = None,
) -> Event:
    """An event, ``after`` so many milliseconds since the user's registration."""
    return Event(user, session, registration + after, page, level, registration, gender, artist, song)


HAND_MADE = [
    # Around the edges of bins: one in bin -1, six in bin 0, two in bin 1.
    *(visit("edges", after) for after in (-BIN, 1 - BIN, -DAY, -1, 0, 1, BIN - 1, BIN, 2 * BIN - 1)),
    # The only event precedes registration.
    visit("early", -1, "NextSong", song="S", artist="A"),
    # Nothing in bin 1; the cancellation in bin 2 is no business of bin 0.
    visit("gap", 5), visit("gap", 2 * BIN, "Cancellation Confirmation"),
    # Leaves in bin 1, at its first moment.
    visit("leaver", 5), visit("leaver", BIN, "Cancel"), visit("leaver", BIN, "Cancellation Confirmation"),
    # Leaves in the first bin, at its last moment.
    visit("brief", BIN - 1, "Cancellation Confirmation"),
    # Leaves before the bins start.
    visit("undone", -BIN, "Cancellation Confirmation"), visit("undone", 0), visit("undone", -2 * BIN),
    # Cancels without confirming.
    visit("threat", 5, "Cancel"), visit("threat", BIN, "Cancel"),
    # Downgrades twice, the second time twice in a bin.
    visit("yo-yo", 0), visit("yo-yo", BIN, "Submit Downgrade"), visit("yo-yo", 2 * BIN),
    visit("yo-yo", 3 * BIN, "Submit Downgrade"), visit("yo-yo", 3 * BIN + 9, "Submit Downgrade"),
    visit("yo-yo", 5 * BIN),
    # Upgrades and downgrades in one bin.
    visit("wavering", 1, "Submit Upgrade"), visit("wavering", 2, level="paid"),
    visit("wavering", 3, "Submit Downgrade", level="paid"), visit("wavering", 4), visit("wavering", BIN, level="paid"),
    # Two users with the same session ids.
    *(visit("ann", after, session=session, gender="M") for after, session in enumerate((7, 7, 8))),
    visit("bob", 0, session=7), visit("bob", 1, session=9), visit("bob", 2, session=10), visit("bob", BIN, session=7),
    # Every page once, each in its own session.
    *(visit("curious", number, page, session=number) for number, page in enumerate(PAGES)),
    # Three artists, one song by two of them, heard again in the next bin; an advert has neither.
    visit("listener", 0, "NextSong", artist="X", song="S"), visit("listener", 1, "NextSong", artist="Y", song="S"),
    visit("listener", 2, "NextSong", artist="X", song="S"), visit("listener", 3, "NextSong", artist="Z", song="T"),
    visit("listener", 4, "Roll Advert"), visit("listener", BIN, "NextSong", artist="X", song="S"),
    # Observed to the millisecond, and one millisecond short of it.
    visit("just", 2 * BIN), visit("just", 3 * BIN),
    visit("short", 2 * BIN, registration=REGISTRATION + 1), visit("short", BIN, registration=REGISTRATION + 1),
    # A gender that nobody gave.
    visit("nobody", 0, gender=None),
]  # fmt: skip

EXPECTED = [
    ("edges", -1, {"page_home": 1, "will_churn_soon": 0, "next_bin_observed": True}),
    ("edges", 0, {"page_home": 6, "sessions_in_time_bin": 1}),
    ("edges", 1, {"page_home": 2}),
    ("early", 0, {"page_nextsong": 1, "artists_in_time_bin": 1, "distinct_songs_in_time_bin": 1}),
    ("gap", 0, {"will_churn_in_next_bin": 0, "will_churn_soon": 0, "at_risk": True}),
    ("gap", 2, {"churned_in_time_bin": 1, "will_churn_soon": 1, "at_risk": False, "page_home": 0}),
    ("leaver", 0, {"churned_in_time_bin": 0, "will_churn_in_next_bin": 1, "will_churn_soon": 1, "at_risk": True}),
    ("leaver", 1, {"churned_in_time_bin": 1, "will_churn_in_next_bin": 0, "will_churn_soon": 1, "at_risk": False}),
    ("brief", 0, {"churned_in_time_bin": 1, "will_churn_in_next_bin": 0, "will_churn_soon": 1, "at_risk": False}),
    ("undone", -2, {"will_churn_in_next_bin": 1, "will_churn_soon": 1}),
    ("undone", 0, {"churned_in_time_bin": 0, "will_churn_soon": 0, "at_risk": True}),
    ("threat", 0, {"churned_in_time_bin": 0, "will_churn_in_next_bin": 0, "at_risk": True}),
    ("yo-yo", 0, {"downgraded_in_time_bin": 0, "previously_downgraded": 0}),
    ("yo-yo", 1, {"downgraded_in_time_bin": 1, "previously_downgraded": 0, "page_downgrade": 0}),
    ("yo-yo", 2, {"downgraded_in_time_bin": 0, "previously_downgraded": 1}),
    ("yo-yo", 3, {"downgraded_in_time_bin": 1, "previously_downgraded": 1}),
    ("yo-yo", 5, {"downgraded_in_time_bin": 0, "previously_downgraded": 1}),
    ("wavering", 0, {"downgraded_in_time_bin": 1, "upgraded_in_time_bin": 1, "previously_downgraded": 0}),
    ("wavering", 0, {"paid_in_time_bin": 1, "free_in_time_bin": 1, "page_upgrade": 0, "page_downgrade": 0}),
    ("wavering", 1, {"paid_in_time_bin": 1, "free_in_time_bin": 0, "previously_downgraded": 1}),
    ("ann", 0, {"sessions_in_time_bin": 2, "is_male": 1}),
    ("bob", 0, {"sessions_in_time_bin": 3, "is_male": 0}),
    ("bob", 1, {"sessions_in_time_bin": 1}),
    ("curious", 0, {**dict.fromkeys(PAGE_COUNTS, 1), "sessions_in_time_bin": 19, "churned_in_time_bin": 1}),
    ("listener", 0, {"page_nextsong": 4, "artists_in_time_bin": 3, "distinct_songs_in_time_bin": 2}),
    ("listener", 1, {"page_nextsong": 1, "artists_in_time_bin": 1, "distinct_songs_in_time_bin": 1}),
    ("just", 2, {"next_bin_observed": True}),
    ("just", 3, {"next_bin_observed": False}),
    ("short", 1, {"next_bin_observed": True}),
    ("short", 2, {"next_bin_observed": False}),
    ("nobody", 0, {"is_male": 0}),
]


@pytest.fixture(scope="module")
def hand_made(spark: SparkSession) -> Rows:
    """The rows of the log made by hand."""
    return engineered(spark, HAND_MADE, LAST_TS, DAYS)


@pytest.mark.parametrize(
    ("user", "number", "columns"), EXPECTED, ids=[f"{user}, bin {number}" for user, number, _ in EXPECTED]
)
def test_row_of_a_case(hand_made: Rows, user: str, number: int, columns: dict[str, Any]) -> None:
    row = hand_made[user, number]
    assert {name: row[name] for name in columns} == columns


def test_bins_without_events_have_no_row(hand_made: Rows) -> None:
    bins = defaultdict(set)
    for user, number in hand_made:
        bins[user].add(number)
    assert bins["gap"] == {0, 2}
    assert bins["yo-yo"] == {0, 1, 2, 3, 5}
    assert bins["undone"] == {-2, -1, 0}


def test_hand_made_log_gives_what_the_reference_gives(hand_made: Rows) -> None:
    assert hand_made == reference(HAND_MADE, LAST_TS, DAYS)


@pytest.mark.parametrize("days", [1, 7, 30, 366])
def test_other_bin_lengths(spark: SparkSession, days: int) -> None:
    assert engineered(spark, HAND_MADE, LAST_TS, days) == reference(HAND_MADE, LAST_TS, days)


def test_order_and_partitions_do_not_matter(spark: SparkSession, hand_made: Rows) -> None:
    shuffled = random.Random(1).sample(HAND_MADE, len(HAND_MADE))
    assert engineered(spark, shuffled, LAST_TS, DAYS, partitions=5) == hand_made


def test_empty_log_has_no_rows(spark: SparkSession) -> None:
    assert engineered(spark, [], None, DAYS) == {}


# ---------------------------------------------------------------------------------------------------------------------
# Random logs
# ---------------------------------------------------------------------------------------------------------------------


class Log(NamedTuple):
    """A random log and how to cut it."""

    events: list[Event]
    last_ts: int
    days: int


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A few users with a few events each, many of them at a bin's edge."""
    days = draw(st.sampled_from([1, 14, 30]))
    length = days * DAY
    near_edges = st.builds(lambda bins, off: bins * length + off, st.integers(-2, 4), st.integers(-1, 1))
    moments = near_edges | st.integers(-2 * length, 5 * length)
    pages = st.sampled_from(["Cancellation Confirmation", "Submit Downgrade", "Submit Upgrade"]) | st.sampled_from(
        PAGES
    )
    visits = st.builds(
        dict,
        after=moments,
        page=pages,
        session=st.integers(1, 3),
        level=st.sampled_from(["free", "paid"]),
        artist=st.sampled_from([None, "X", "Y"]),
        song=st.sampled_from([None, "S", "T", "U"]),
    )
    events: list[Event] = []
    for user in draw(st.sets(st.sampled_from(["1", "10", "2", "x"]), max_size=3)):
        registration = REGISTRATION + draw(st.sampled_from([0, 1, 5 * DAY, length]))
        gender = draw(st.sampled_from(["M", "F", None]))
        for drawn in draw(st.lists(visits, min_size=1, max_size=12)):
            events.append(visit(user, **drawn, gender=gender, registration=registration))
    last_event = max((event.ts for event in events), default=REGISTRATION)
    # Where the log's end and the end of some user's bin are close, too.
    registration = draw(st.sampled_from([event.registration for event in events] or [REGISTRATION]))
    return Log(events, draw(st.just(last_event) | near_edges.map(lambda after: registration + after)), days)


@settings(max_examples=15, deadline=None)
@given(log=logs())
def test_random_log_gives_what_the_reference_gives(spark: SparkSession, log: Log) -> None:
    assert engineered(spark, *log) == reference(*log)


@settings(max_examples=10, deadline=None)
@given(log=logs(), last_bin=st.integers(-1, 3))
def test_no_feature_of_a_bin_looks_beyond_its_end(spark: SparkSession, log: Log, last_bin: int) -> None:
    """Erase every user's events after a bin's end: the features of that bin and of those before stay what they are."""
    events, last_ts, days = log
    erased = [event._replace(user_id=f"{event.user_id}, erased") for event in events if bin_of(event, days) <= last_bin]
    rows = engineered(spark, [*events, *erased], last_ts, days)

    def features(suffix: str) -> dict[tuple[str, int], list[int]]:
        users = {event.user_id for event in events}
        return {
            (user, number): [row[name] for name in FEATURES]
            for user in users
            for number in range(-2, last_bin + 1)
            if (row := rows.get((user + suffix, number)))
        }

    assert features(", erased") == features("")


# ---------------------------------------------------------------------------------------------------------------------
# Schema, names and column helpers
# ---------------------------------------------------------------------------------------------------------------------


def test_result_has_the_declared_columns(spark: SparkSession) -> None:
    events = spark.createDataFrame([], EVENT_COLUMNS)
    table = engineer_user_time_bins(events, {"last_ts": None}, FeatureEngineering(time_bin_days=DAYS))
    declared = [(field.name, field.dataType) for field in schemas.user_time_bins.struct.fields]
    assert [(field.name, field.dataType) for field in table.schema.fields] == declared
    assert schemas.user_time_bins.keys == ("user_id", "time_bin")
    expected = {"user_id", *FEATURES, *LABELS, "at_risk", "next_bin_observed"}
    assert set(table.columns) == expected
    assert len(table.columns) == len(expected)


def test_the_25_original_features_are_those_that_models_are_given() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 25
    assert schemas.ORIGINAL_FEATURES == FEATURES
    # Loading resolves nothing: references such as ${globals:seed} stay as they are.
    parameters = OmegaConf.load(PROJECT / "conf/base/parameters_modeling.yml")
    assert tuple(parameters.modeling.training.features) == schemas.ORIGINAL_FEATURES


TIME_BINS = [
    # ms since registration, days in a bin, expected
    (0, 14, 0),
    (1, 14, 0),
    (BIN - 1, 14, 0),
    (BIN, 14, 1),
    (BIN + 1, 14, 1),
    (2 * BIN - 1, 14, 1),
    (2 * BIN, 14, 2),
    (-1, 14, 0),
    (1 - BIN, 14, 0),
    (-BIN, 14, -1),
    (-BIN - 1, 14, -1),
    (1 - 2 * BIN, 14, -1),
    (-2 * BIN, 14, -2),
    (DAY - 1, 1, 0),
    (DAY, 1, 1),
    (-DAY, 1, -1),
    (366 * DAY - 1, 366, 0),
    (366 * DAY, 366, 1),
    # More than a double holds exactly, when divided.
    (10_000 * DAY - 1, 1, 9_999),
    (10_000 * DAY, 1, 10_000),
]


def test_time_bin_is_truncated_toward_zero(spark: SparkSession) -> None:
    registration = F.lit(REGISTRATION)
    lengths = sorted({days for _, days, _ in TIME_BINS})
    moments = spark.createDataFrame([(REGISTRATION + after,) for after, _, _ in TIME_BINS], "ts bigint")
    bins = moments.select(*(time_bin(F.col("ts"), registration, days).alias(f"days_{days}") for days in lengths))
    assert {kind for _, kind in bins.dtypes} == {"int"}
    found = [
        (after, days, row[f"days_{days}"])
        for (after, days, _), row in zip(TIME_BINS, bins.collect(), strict=True)
    ]  # fmt: skip
    assert found == TIME_BINS


@pytest.mark.parametrize(("feature", "page"), PAGE_COUNTS.items())
def test_page_feature(feature: str, page: str) -> None:
    assert page_feature(page) == feature
