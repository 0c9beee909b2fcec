"""Feature engineering, against a reference implementation in plain Python and pandas."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_examples import spark_examples
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import LogSpan
from sparkify_kedro.churn.vocabulary import LANDMARKS_EARLIER
from sparkify_kedro.learning.user_types import TYPE_FEATURES
from sparkify_kedro.pipelines.feature_engineering import schemas
from sparkify_kedro.pipelines.feature_engineering.nodes import engineer_user_time_bins
from sparkify_kedro.pipelines.feature_engineering.sequences import REPEATED

PROJECT = Path(__file__).parents[3]
DAY = 86_400_000
MINUTE = 60_000

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
# The pages by which user types differ: all but those of a cancellation.
TYPED_PAGES = (*PAGE_COUNTS.values(), "Submit Upgrade", "Submit Downgrade")
COUNTS_IN_HISTORY = (
    "sessions_in_history",
    *(f"{name}_at_{level}_in_history" for name in ("sessions", "pages") for level in ("free", "paid")),
)
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
HORIZONS = {"will_churn_in_7_days": 7, "will_churn_in_28_days": 28}
LABELS = (
    *("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon", "will_downgrade", "will_upgrade"),
    *HORIZONS,
)

ACTIVITIES = ("sessions", "songs", "active_days")
RATED_PAGES = {
    "adverts": "Roll Advert",
    "thumbs_up": "Thumbs Up",
    "thumbs_down": "Thumbs Down",
    "friends": "Add Friend",
    "playlist": "Add to Playlist",
    "help": "Help",
    "settings": "Settings",
    "upgrade": "Upgrade",
    "downgrade": "Downgrade",
}
# User agent -> family; the last ones are unknown.
AGENTS = {
    "Mozilla/5.0 (iPad; CPU OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 Version/7.0 Mobile/11D257": "ipad",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 Mobile/11D257": "iphone",
    "Mozilla/5.0 (Linux; Android 4.4.2; SM-G900V) AppleWebKit/537.36 Chrome/36.0 Mobile": "android",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 Chrome/36.0 Safari/537.36": "windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 Version/7.0.5 Safari/537.77.4": "mac",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:31.0) Gecko/20100101 Firefox/31.0": "linux",
    "Telephone/1.0": "other",
    None: "other",
}
AGENT = {family: agent for agent, family in AGENTS.items()}

# No two alike, so that none can stand in for another.
POPULATION = {"sessions_per_day": 0.5, "active_days_per_day": 0.25, "songs_per_session": 10, "minutes_per_session": 30}
PER_1000_SONGS = {
    "adverts": 20,
    "thumbs_up": 50,
    "thumbs_down": 10,
    "friends": 18,
    "playlist": 30,
    "help": 8,
    "settings": 7,
    "upgrade": 2,
    "downgrade": 9,
}
SHRINKAGE = {"days": 2, "songs": 100, "sessions": 1}
MIN_HISTORY = 3


def parameters(days: int, stride: int | None = None, horizon: int | None = None) -> FeatureEngineering:
    """Landmarks every ``stride`` days, or time bins from registration, with the averages and strengths of the tests."""
    original = {"anchor": "registration", "rows": "active", "unobserved_is_no_churn": True}
    ours = {"anchor": "as_of", "rows": "all", "unobserved_is_no_churn": False}
    horizon = days if horizon is None else horizon
    return FeatureEngineering.model_validate(
        {
            **(original if stride is None else ours),
            "as_of": None,
            "time_bin_days": days,
            "stride_days": stride,
            "min_history_days": MIN_HISTORY,
            "labels": {
                "churned_in_time_bin": {"event": "cancellation", "in_window": True, "horizon_days": 0},
                "will_churn_in_next_bin": {"event": "cancellation", "in_window": False, "horizon_days": horizon},
                "will_churn_soon": {"event": "cancellation", "in_window": True, "horizon_days": horizon},
                "will_downgrade": {"event": "downgrade", "in_window": False, "horizon_days": horizon},
                "will_upgrade": {"event": "upgrade", "in_window": False, "horizon_days": horizon},
                "will_churn_in_7_days": {"event": "cancellation", "in_window": False, "horizon_days": 7},
                "will_churn_in_28_days": {"event": "cancellation", "in_window": False, "horizon_days": 28},
            },
            "population": {**POPULATION, "per_1000_songs": PER_1000_SONGS},
            "shrinkage": SHRINKAGE,
        }
    )


EVENT_COLUMNS = """
    user_id string, session_id bigint, ts bigint, page string, level string, registration bigint, gender string,
    artist string, song string, item_in_session bigint, user_agent string
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
    item_in_session: int = 0
    user_agent: str | None = None


class Log(NamedTuple):
    """Events, the time that the log covers, and days: of a window, and from one landmark to the next.

    Without a stride, windows are the time bins from registration.
    """

    events: Collection[Event]
    first_ts: int | None
    last_ts: int | None
    days: int
    stride: int | None = None


class Window(NamedTuple):
    """What a row describes: a user's events in a time, and those of them that no earlier window contains."""

    events: list[Event]
    new: list[Event]


Rows = dict[tuple[str, int], dict[str, Any]]


def bin_of(event: Event, days: int) -> int:
    """Whole bins since registration, the fraction cut off."""
    return math.trunc(Fraction(event.ts - event.registration, days * DAY))


def windows_of(log: Log) -> dict[tuple[str, int], Window]:
    """The windows by user and end, in order; at landmarks also those without events, from the first event on."""
    length, by_user = log.days * DAY, defaultdict(list)
    for event in log.events:
        by_user[event.user_id].append(event)
    windows: dict[tuple[str, int], Window] = {}
    for user, events in by_user.items():
        if log.stride is None:
            bins = defaultdict(list)
            for event in events:
                bins[event.registration + (bin_of(event, log.days) + 1) * length].append(event)
            windows |= {(user, end): Window(found, found) for end, found in sorted(bins.items())}
            continue
        as_of, stride = log.last_ts + 1, log.stride * DAY
        known = [event for event in events if event.ts < as_of]
        if not known:
            continue
        ends = range(as_of, min(event.ts for event in known), -stride)
        for end in reversed(ends):
            found = [event for event in known if end - length <= event.ts < end]
            windows[user, end] = Window(found, [event for event in found if event.ts >= end - stride])
    return windows


def is_row(log: Log, end: int, churned_at: int | None) -> bool:
    """At landmarks, whether the log covers enough time before it, and the user had not cancelled before the window."""
    if log.stride is None:
        return True
    was_there = churned_at is None or churned_at >= end - log.days * DAY
    return end - MIN_HISTORY * DAY >= log.first_ts and was_there


def reference(log: Log) -> Rows:
    """Every row that the log has, by user and time bin, or by user and landmark, with every column."""
    windows = windows_of(log)
    extended = extended_features(log, windows)
    rows = {key: {**row, **extended[key]} for key, row in original_columns(log, windows).items()}
    rows = {key: {**row, **level_labels(log, windows, row)} for key, row in rows.items()}
    kept = {key: row for key, row in rows.items() if is_row(log, key[1], row["churned_at"])}
    return {key_of(row, log): row for row in kept.values()}


def key_of(row: dict[str, Any], log: Log) -> tuple[str, int]:
    """The user, and the time bin or the landmark."""
    return row["user_id"], row["time_bin" if log.stride is None else "bin_end"]


def original_columns(log: Log, windows: dict[tuple[str, int], Window]) -> Rows:
    """The original's features, the labels and the time of the cancellation."""
    length, rows = log.days * DAY, {}
    for (user, end), (group, _) in windows.items():
        of_user = [event for event in log.events if event.user_id == user]
        if log.stride is not None:
            of_user = [event for event in of_user if event.ts <= log.last_ts]
        registration = of_user[0].registration
        number = -((registration - end) // length) - 1  # the bin that contains the last moment
        churned_at = min((event.ts for event in of_user if event.page == "Cancellation Confirmation"), default=None)
        pages = Counter(event.page for event in group)
        churned = pages["Cancellation Confirmation"] > 0
        churns_next = churned_at is not None and end <= churned_at < end + length
        is_known = log.stride is None or end + length <= log.last_ts + 1
        downgrades = [event for event in of_user if event.page == "Submit Downgrade"]
        if log.stride is None:
            earlier = [event for event in downgrades if bin_of(event, log.days) < number]
        else:
            earlier = [event for event in downgrades if event.ts < end - length]
        rows[user, end] = {
            "user_id": user,
            "time_bin": number,
            "is_male": int(any(event.gender == "M" for event in of_user)),
            "paid_in_time_bin": int(any(event.level == "paid" for event in group)),
            "free_in_time_bin": int(any(event.level == "free" for event in group)),
            "downgraded_in_time_bin": int(pages["Submit Downgrade"] > 0),
            "upgraded_in_time_bin": int(pages["Submit Upgrade"] > 0),
            "previously_downgraded": int(bool(earlier)),
            **{feature: pages[page] for feature, page in PAGE_COUNTS.items()},
            "sessions_in_time_bin": len({event.session_id for event in group}),
            "artists_in_time_bin": len({event.artist for event in group} - {None}),
            "distinct_songs_in_time_bin": len({event.song for event in group} - {None}),
            "churned_in_time_bin": int(churned),
            "will_churn_in_next_bin": int(churns_next) if is_known else None,
            "will_churn_soon": int(churned or churns_next) if is_known else None,
            **{name: cancels_within(churned_at, end, days, log) for name, days in HORIZONS.items()},
            "at_risk": churned_at is None or churned_at >= end,
            "bin_end": end,
            "churned_at": churned_at,
        }
    return rows


def cancels_within(churned_at: int | None, end: int, days: int, log: Log) -> int | None:
    """Whether the user cancels in so many days from the landmark; None where the log does not tell."""
    is_known = log.stride is None or end + days * DAY <= log.last_ts + 1
    return int(churned_at is not None and end <= churned_at < end + days * DAY) if is_known else None


def level_labels(log: Log, windows: dict[tuple[str, int], Window], row: dict[str, Any]) -> dict[str, int | None]:
    """Whether the first change in a later window falls into the horizon, for users at the level that it changes."""
    user, end = row["user_id"], row["bin_end"]
    horizon_end = end + log.days * DAY
    later = [event for key, (_, new) in windows.items() if key[0] == user and key[1] > end for event in new]
    is_known = log.stride is None or horizon_end <= log.last_ts + 1
    labels: dict[str, int | None] = {}
    for name, page, level in (
        ("will_downgrade", "Submit Downgrade", "paid"),
        ("will_upgrade", "Submit Upgrade", "free"),
    ):
        first = min((event.ts for event in later if event.page == page), default=None)
        happens = first is not None and end <= first < horizon_end
        labels[name] = int(happens) if is_known and row["at_risk"] and row["level_at_end"] == level else None
    return labels


def totals(keys: list[tuple[str, int]], groups: list[list[Event]], day: Callable[[int], int]) -> pd.DataFrame:
    """What is summed, by user and window."""
    rows = []
    for group in groups:
        stays = defaultdict(list)
        for event in group:
            stays[event.session_id, event.level, event.user_agent].append(event.ts)
        lengths = [(level, max(moments) - min(moments)) for (_, level, _), moments in stays.items()]
        pages = Counter(event.page for event in group)
        rows.append(
            {
                "sessions": len({event.session_id for event in group}),
                "songs": pages["NextSong"],
                "active_days": len({day(event.ts) for event in group}),
                "minutes": sum(length for _, length in lengths) / MINUTE,
                "paid_minutes": sum(length for level, length in lengths if level == "paid") / MINUTE,
                **{word: pages[page] for word, page in RATED_PAGES.items()},
                **{
                    f"sessions at {level}": len({event.session_id for event in group if event.level == level})
                    for level in ("free", "paid")
                },
                **{
                    f"{page} at {level}": len([e for e in group if (e.page, e.level) == (page, level)])
                    for level in ("free", "paid")
                    for page in TYPED_PAGES
                },
            }
        )
    index = pd.MultiIndex.from_tuples(keys, names=["user_id", "bin_end"])
    return pd.DataFrame(rows, index=index).astype(float)


def extended_features(log: Log, windows: dict[tuple[str, int], Window]) -> Rows:
    """The extended features, the level at the window's end and the device."""
    if not windows:
        return {}
    length, keys = log.days * DAY, list(windows)
    as_of = (log.last_ts or 0) + 1

    def day(ts: int) -> int:
        return ts // DAY if log.stride is None else (as_of - 1 - ts) // DAY

    # What is summed: per window, per user up to the window's end, and up to its beginning.
    in_bin = totals(keys, [window.events for window in windows.values()], day)
    in_history = totals(keys, [window.new for window in windows.values()], day).groupby("user_id").cumsum()
    earlier = in_history - in_bin

    # Days that lie inside the log, by the calendar; a user's time starts at registration.
    of_user = {event.user_id: event.registration for event in log.events}
    registration = pd.Series([of_user[user] for user, _ in keys], index=in_bin.index)
    end = pd.Series([end for _, end in keys], index=in_bin.index)

    def days_inside(since: pd.Series) -> pd.Series:
        return (end.clip(upper=log.last_ts + 1) - since.clip(lower=log.first_ts)).clip(lower=0) / DAY

    in_bin["days"] = days_inside(np.maximum(end - length, registration))
    in_history["days"] = days_inside(registration)
    earlier["days"] = in_history.days - in_bin.days

    lasts: list[Event] = []
    for user, _ in keys:
        in_order = sorted(
            windows[keys[len(lasts)]].events,
            key=lambda e: (e.ts, e.item_in_session, e.session_id, e.level, e.user_agent or ""),
        )
        # In a window without events, what was known at the landmark before.
        lasts.append(in_order[-1] if in_order else lasts[-1])
        assert lasts[-1].user_id == user
    device = pd.Series([AGENTS[event.user_agent] for event in lasts], index=in_bin.index)
    level = pd.Series([event.level for event in lasts], index=in_bin.index)
    is_paid = (level == "paid").astype(int)
    last_ts = pd.Series([event.ts for event in lasts], index=in_bin.index)

    # What the average user does in a day.
    per_day = {
        "sessions": POPULATION["sessions_per_day"],
        "songs": POPULATION["sessions_per_day"] * POPULATION["songs_per_session"],
        "active_days": POPULATION["active_days_per_day"],
    }

    def log_per_day(of: pd.DataFrame, activity: str) -> pd.Series:
        strength = SHRINKAGE["days"]
        return np.log((of[activity] + strength * per_day[activity]) / (of.days + strength))

    counts = in_history.astype(int)
    columns: dict[str, Any] = {
        "sessions_in_history": counts.sessions,
        **{f"sessions_at_{name}_in_history": counts[f"sessions at {name}"] for name in ("free", "paid")},
        **{
            f"pages_at_{name}_in_history": counts[[f"{page} at {name}" for page in TYPED_PAGES]].to_numpy().tolist()
            for name in ("free", "paid")
        },
        "level_at_end": level,
        "device": device,
        "paid_at_end": is_paid,
        **{f"device_{family}": (device == family).astype(int) for family in AGENT},
        "observed_days_in_time_bin": in_bin.days,
        "observed_days_in_history": in_history.days,
        "log_tenure_days": np.log(((end - registration) / DAY).clip(lower=1)),
        "days_since_last_event": (end - last_ts).clip(lower=0) / DAY,
    }
    for period, of in {"in_time_bin": in_bin, "in_history": in_history}.items():
        for activity in ACTIVITIES:
            columns[f"log_{activity}_per_day_{period}"] = log_per_day(of, activity)
        for name, counted in {"songs": of.songs, "minutes": of.minutes}.items():
            average, strength = POPULATION[f"{name}_per_session"], SHRINKAGE["sessions"]
            shrunk = (counted + strength * average) / (of.sessions + strength)
            columns[f"log_{name}_per_session_{period}"] = np.log(shrunk)
        share = of.paid_minutes / of.minutes.where(of.minutes > 0)
        columns[f"paid_time_share_{period}"] = share.fillna(is_paid)
        for word, per_1000 in PER_1000_SONGS.items():
            strength, average = SHRINKAGE["days"], per_1000 / 1_000 * per_day["songs"]
            columns[f"{word}_per_day_{period}"] = (of[word] + strength * average) / (of.days + strength)
            strength = SHRINKAGE["songs"]
            shrunk = (of[word] + strength * per_1000 / 1_000) / (of.songs + strength)
            columns[f"{word}_per_1000_songs_{period}"] = 1_000 * shrunk
    for activity in ACTIVITIES:
        before = log_per_day(earlier, activity)
        columns[f"log_{activity}_per_day_in_earlier_bins"] = before
        columns[f"log_{activity}_per_day_against_earlier_bins"] = log_per_day(in_bin, activity) - before
    return pd.DataFrame(columns, index=registration.index).to_dict("index")


def assert_same(rows: Rows, expected: Rows) -> None:
    """The same rows and columns; the same values, reals up to rounding."""
    assert set(rows) == set(expected)
    for key, row in rows.items():
        assert set(row) == set(expected[key])
        for name, value in row.items():
            wanted = expected[key][name]
            is_real = isinstance(value, float)
            assert value == (pytest.approx(wanted, rel=1e-9, abs=1e-9) if is_real else wanted), (*key, name)


def engineered(spark: SparkSession, log: Log, partitions: int | None = None) -> Rows:
    """What the node makes of the log, by user and time bin or landmark; no key may come twice."""
    events = spark.createDataFrame(list(log.events), EVENT_COLUMNS)
    if partitions:
        events = events.repartition(partitions)
    span = LogSpan(first_ts=log.first_ts, last_ts=log.last_ts)
    collected = [
        row.asDict() for row in engineer_user_time_bins(events, span, parameters(log.days, log.stride)).collect()
    ]
    rows = {key_of(row, log): row for row in collected}
    assert len(rows) == len(collected), "a key repeats"
    return rows


@pytest.fixture(scope="module")
def plain_spark(spark: SparkSession) -> Iterator[SparkSession]:
    """The session without what pays off on large data only: code generated per query, and plans that adapt."""
    options = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
    }
    usual = {name: spark.conf.get(name) for name in options}
    for name, value in options.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in usual.items():
        spark.conf.set(name, value)


# ---------------------------------------------------------------------------------------------------------------------
# A log made by hand: each user is a case
# ---------------------------------------------------------------------------------------------------------------------

DAYS = 14
BIN = DAYS * DAY
REGISTRATION = 1_538_352_000_000
# The bin after bin 2 ends with the log, to the millisecond, for those who registered at REGISTRATION.
LAST_TS = REGISTRATION + 4 * BIN - 1


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
    item: int = 0,
    agent: str | None = None,
) -> Event:
    """An event, ``after`` so many milliseconds since the user's registration."""
    return Event(
        user, session, registration + after, page, level, registration, gender, artist, song, item, agent
    )  # fmt: skip


HAND_MADE_EVENTS = [
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
    # A missing gender.
    visit("unknown", 0, gender=None),
    # Changes level and device in one millisecond, in the order of the session's items.
    visit("hasty", 5, level="paid", item=3, agent=AGENT["android"]),
    visit("hasty", 5, level="free", item=2, agent=AGENT["windows"]),
    # Changes level and device at the first moment of the next bin.
    visit("punctual", BIN - 1, item=1, agent=AGENT["ipad"]),
    visit("punctual", BIN, level="paid", item=2, agent=AGENT["iphone"]),
]  # fmt: skip
HAND_MADE = Log(HAND_MADE_EVENTS, REGISTRATION - 2 * BIN, LAST_TS, DAYS)

EXPECTED = [
    ("edges", -1, {"page_home": 1, "will_churn_soon": 0}),
    ("edges", 0, {"page_home": 6, "sessions_in_time_bin": 1}),
    ("edges", 1, {"page_home": 2}),
    ("early", 0, {"page_nextsong": 1, "artists_in_time_bin": 1, "distinct_songs_in_time_bin": 1}),
    ("gap", 0, {"will_churn_in_next_bin": 0, "will_churn_soon": 0, "at_risk": True}),
    ("gap", 2, {"churned_in_time_bin": 1, "will_churn_soon": 1, "at_risk": False, "page_home": 0}),
    ("leaver", 0, {"churned_in_time_bin": 0, "will_churn_in_next_bin": 1, "will_churn_soon": 1, "at_risk": True}),
    ("leaver", 1, {"churned_in_time_bin": 1, "will_churn_in_next_bin": 0, "will_churn_soon": 1, "at_risk": False}),
    ("brief", 0, {"churned_in_time_bin": 1, "will_churn_in_next_bin": 0, "will_churn_soon": 1, "at_risk": False}),
    ("undone", -2, {"will_churn_in_next_bin": 1, "will_churn_soon": 1}),
    # Nobody is at risk after a cancellation.
    ("undone", 0, {"churned_in_time_bin": 0, "will_churn_soon": 0, "at_risk": False}),
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
    ("unknown", 0, {"is_male": 0, "device": "other", "device_other": 1}),
    ("hasty", 0, {"level_at_end": "paid", "paid_at_end": 1, "device": "android", "device_android": 1}),
    ("hasty", 0, {"device_windows": 0, "device_linux": 0, "device_other": 0}),
    ("punctual", 0, {"level_at_end": "free", "paid_at_end": 0, "device": "ipad", "device_iphone": 0, "device_mac": 0}),
    ("punctual", 1, {"level_at_end": "paid", "paid_at_end": 1, "device": "iphone", "device_mac": 0}),
    # Time before registration counts for nothing, and breaks nothing.
    ("undone", -2, {"observed_days_in_time_bin": 0, "observed_days_in_history": 0, "log_tenure_days": 0}),
    ("undone", 0, {"observed_days_in_time_bin": 14, "observed_days_in_history": 14}),
    ("gap", 2, {"observed_days_in_time_bin": 14, "observed_days_in_history": 42, "bin_end": REGISTRATION + 3 * BIN}),
    ("brief", 0, {"churned_at": REGISTRATION + BIN - 1, "days_since_last_event": 1 / DAY}),
    ("yo-yo", 5, {"observed_days_in_time_bin": 0, "observed_days_in_history": 56}),
]


@pytest.fixture(scope="module")
def hand_made(spark: SparkSession) -> Rows:
    """The rows of the log made by hand."""
    return engineered(spark, HAND_MADE)


@pytest.mark.parametrize(
    ("user", "number", "columns"), EXPECTED, ids=[f"{user}, bin {number}" for user, number, _ in EXPECTED]
)
def test_expected_row(hand_made: Rows, user: str, number: int, columns: dict[str, Any]) -> None:
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
    assert_same(hand_made, reference(HAND_MADE))


@pytest.mark.parametrize("days", [1, pytest.param(366, marks=pytest.mark.faults)])
def test_other_bin_lengths(spark: SparkSession, days: int) -> None:
    log = HAND_MADE._replace(days=days)
    assert_same(engineered(spark, log), reference(log))


def test_empty_log_has_no_rows(spark: SparkSession) -> None:
    assert engineered(spark, Log([], None, None, DAYS)) == {}


def beyond_their_unit(rows: Rows) -> set[str]:
    """The features with a value that the unit in the feature registry does not know."""
    registry = (PROJECT / "conf/base/parameters_feature_registry.yml").read_text()
    lines = yaml.safe_load(registry)["feature_registry"]
    # The features of user types are added to the table later, those of earlier landmarks on request.
    of_table = [name for name in lines if name not in TYPE_FEATURES and not name.endswith("_earlier")]
    counts = ("visits", "sessions", "artists", "songs")
    within: dict[str, Callable[[Any], bool]] = {
        "0 or 1": lambda value: value in (0, 1),
        "share": lambda value: 0 <= value <= 1,
        "bins": lambda value: isinstance(value, int),
        **dict.fromkeys(counts, lambda value: isinstance(value, int) and value >= 0),
    }

    def is_known(name: str, value: Any) -> bool:
        natural = math.exp(value) if lines[name].get("scale") == "log" else value
        return within.get(lines[name]["unit"], lambda value: value >= 0)(natural)

    return {name for row in rows.values() for name in of_table if not is_known(name, row[name])}


def test_values_are_in_the_registered_units(hand_made: Rows) -> None:
    assert beyond_their_unit(hand_made) == set()
    strange = {"is_male": 2, "paid_time_share_in_history": 1.5, "page_help": 0.5, "days_since_last_event": -1.0}
    assert beyond_their_unit({("gap", 0): {**hand_made["gap", 0], **strange}}) == set(strange)


# ---------------------------------------------------------------------------------------------------------------------
# The extended features of one user, worked out by hand
# ---------------------------------------------------------------------------------------------------------------------

# Registered ten days before the log begins, which ends on the eighth day of bin 3.
VETERAN_EVENTS = [
    # Half an hour at level free, two days later an hour and a half at level paid; 4 days of bin 0 are in the log.
    visit("veteran", 10 * DAY, "NextSong", session=1, agent=AGENT["mac"]),
    visit("veteran", 10 * DAY + 30 * MINUTE, "Thumbs Up", session=1, agent=AGENT["mac"]),
    visit("veteran", 12 * DAY, "NextSong", session=2, level="paid", agent=AGENT["windows"]),
    visit("veteran", 12 * DAY + 90 * MINUTE, "NextSong", session=2, level="paid", agent=AGENT["windows"]),
    # Nothing in bin 1. One look, at free again, in the last moment of bin 2.
    visit("veteran", 3 * BIN - 1, session=3, agent=AGENT["linux"]),
    # The log's last event.
    visit("veteran", 50 * DAY - 1, "Help", session=4, agent=AGENT["mac"]),
]  # fmt: skip
VETERAN = Log(VETERAN_EVENTS, REGISTRATION + 10 * DAY, REGISTRATION + 50 * DAY - 1, DAYS)
LN = math.log

VETERAN_FEATURES = [
    (0, "observed_days_in_time_bin", 4),
    (0, "observed_days_in_history", 4),
    (0, "log_tenure_days", LN(14)),
    (0, "log_sessions_per_day_in_time_bin", LN((2 + 1) / (4 + 2))),
    (0, "log_songs_per_day_in_time_bin", LN((3 + 10) / (4 + 2))),
    (0, "log_active_days_per_day_in_time_bin", LN((2 + 0.5) / (4 + 2))),
    (0, "log_songs_per_session_in_time_bin", LN((3 + 10) / (2 + 1))),
    (0, "log_minutes_per_session_in_time_bin", LN((120 + 30) / (2 + 1))),
    (0, "paid_time_share_in_time_bin", 0.75),
    (0, "paid_at_end", 1),
    (0, "device_windows", 1),
    (0, "thumbs_up_per_day_in_time_bin", (1 + 0.5) / (4 + 2)),
    (0, "thumbs_up_per_1000_songs_in_time_bin", 1_000 * (1 + 5) / (3 + 100)),
    (0, "thumbs_down_per_day_in_time_bin", 0.1 / (4 + 2)),
    # Without earlier bins, the average user.
    (0, "log_sessions_per_day_in_earlier_bins", LN(0.5)),
    (0, "log_sessions_per_day_against_earlier_bins", 0),
    (0, "log_songs_per_day_in_earlier_bins", LN(5)),
    (0, "log_songs_per_day_against_earlier_bins", LN(13 / 6 / 5)),
    (0, "log_active_days_per_day_in_earlier_bins", LN(0.25)),
    (0, "days_since_last_event", 2 - 90 / (24 * 60)),
    # The empty bin 1 counts in the history's days.
    (2, "observed_days_in_time_bin", 14),
    (2, "observed_days_in_history", 32),
    (2, "log_tenure_days", LN(42)),
    (2, "log_sessions_per_day_in_time_bin", LN((1 + 1) / (14 + 2))),
    (2, "log_sessions_per_day_in_history", LN((3 + 1) / (32 + 2))),
    (2, "log_sessions_per_day_in_earlier_bins", LN((2 + 1) / (18 + 2))),
    (2, "log_sessions_per_day_against_earlier_bins", LN((2 / 16) / (3 / 20))),
    (2, "log_songs_per_day_in_earlier_bins", LN((3 + 10) / (18 + 2))),
    (2, "log_songs_per_day_against_earlier_bins", LN((10 / 16) / (13 / 20))),
    (2, "log_active_days_per_day_in_history", LN((3 + 0.5) / (32 + 2))),
    (2, "log_songs_per_session_in_history", LN((3 + 10) / (3 + 1))),
    (2, "log_minutes_per_session_in_history", LN((120 + 30) / (3 + 1))),
    # No time in sessions: the current level counts; over the history there is time.
    (2, "paid_time_share_in_time_bin", 0),
    (2, "paid_time_share_in_history", 0.75),
    (2, "paid_at_end", 0),
    (2, "thumbs_up_per_day_in_history", (1 + 0.5) / (32 + 2)),
    (2, "thumbs_up_per_1000_songs_in_time_bin", 1_000 * 5 / 100),
    (2, "device_linux", 1),
    (2, "days_since_last_event", 1 / DAY),
    # Bin 3 is not over when the log is; what the log does not cover is no exposure.
    (3, "observed_days_in_time_bin", 8),
    (3, "observed_days_in_history", 40),
    (3, "log_sessions_per_day_in_earlier_bins", LN((3 + 1) / (32 + 2))),
    (3, "help_per_day_in_time_bin", (1 + 2 * 0.04) / (8 + 2)),
    (3, "help_per_1000_songs_in_history", 1_000 * (1 + 0.8) / (3 + 100)),
    (3, "days_since_last_event", 6 + 1 / DAY),
]


@pytest.fixture(scope="module")
def veteran(spark: SparkSession) -> Rows:
    """The rows of the user worked out by hand."""
    return engineered(spark, VETERAN)


@pytest.mark.parametrize(
    ("number", "name", "expected"), VETERAN_FEATURES, ids=[f"{name}, bin {bin_}" for bin_, name, _ in VETERAN_FEATURES]
)
def test_extended_feature_of_a_user(veteran: Rows, number: int, name: str, expected: float) -> None:
    assert veteran["veteran", number][name] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_user_s_rows_are_what_the_reference_gives(veteran: Rows) -> None:
    assert_same(veteran, reference(VETERAN))


# ---------------------------------------------------------------------------------------------------------------------
# Random logs
# ---------------------------------------------------------------------------------------------------------------------


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
        agent=st.sampled_from([*AGENTS]),
    )
    events: list[Event] = []
    for user in draw(st.sets(st.sampled_from(["1", "10", "2", "x"]), min_size=1)):
        registration = REGISTRATION + draw(st.sampled_from([0, 1, 5 * DAY, length]))
        gender = draw(st.sampled_from(["M", "F", None]))
        drawn = sorted(draw(st.lists(visits, min_size=1, max_size=12)), key=lambda visit: visit["after"])
        # A session's items are numbered in time.
        events += [
            visit(user, **kwargs, item=item, gender=gender, registration=registration)
            for item, kwargs in enumerate(drawn)
        ]
    last_event = max(event.ts for event in events)
    # Where the log's ends and the end of some user's bin are close, too.
    registration = draw(st.sampled_from([event.registration for event in events]))
    close = near_edges.map(lambda after: registration + after)
    first_ts = draw(st.just(min(event.ts for event in events)) | close)
    return Log(events, first_ts, draw(st.just(last_event) | close), days)


@spark_examples(2)
@given(log=logs())
def test_random_log_gives_what_the_reference_gives(plain_spark: SparkSession, log: Log) -> None:
    assert_same(engineered(plain_spark, log), reference(log))


@spark_examples(2)
@given(log=logs(), seed=st.integers(0, 99), partitions=st.integers(1, 7))
def test_order_partitions_and_other_users_do_not_matter(
    plain_spark: SparkSession, log: Log, seed: int, partitions: int
) -> None:
    """Each user's rows follow, to the last digit, from that user's events and the time that the log covers."""
    everyone = engineered(plain_spark, log)
    user = log.events[0].user_id
    own = [event for event in log.events if event.user_id == user]
    alone = engineered(plain_spark, log._replace(events=random.Random(seed).sample(own, len(own))), partitions)
    assert alone == {key: row for key, row in everyone.items() if key[0] == user}


# ---------------------------------------------------------------------------------------------------------------------
# Landmarks: counted back from the end of the log
# ---------------------------------------------------------------------------------------------------------------------

# The log ends with day 56; so does the newest window.
AS_OF = REGISTRATION + 56 * DAY


def at(user: str, day: float, page: str = "Home", **kwargs: Any) -> Event:
    """An event, so many days after REGISTRATION."""
    return visit(user, int(day * DAY), page, **kwargs)


def joined(user: str, day: float, page: str = "Home", *, since: float, **kwargs: Any) -> Event:
    """An event of a user who registered so many days after REGISTRATION."""
    return visit(user, int((day - since) * DAY), page, registration=REGISTRATION + int(since * DAY), **kwargs)


LANDMARK_EVENTS = [
    # The log's first and last event.
    at("clock", 0), visit("clock", 56 * DAY - 1, "NextSong", song="S", artist="A"),
    # Silent from day 5 on, at level paid.
    at("silent", 1, "NextSong", song="S", artist="A"), at("silent", 5, level="paid", agent=AGENT["mac"]),
    # Registered between landmarks, one day before the landmark of day 42.
    joined("new", 41, since=41),
    # Cancels at a landmark's very moment, and one moment before it.
    at("at", 30), at("at", 42, "Cancellation Confirmation"),
    at("before", 20), visit("before", 42 * DAY - 1, "Cancellation Confirmation"),
    # Cancels in the last window; there is no later row.
    at("leaver", 1, "Submit Downgrade"), at("leaver", 44, "Cancellation Confirmation"),
    # Pays, downgrades at a landmark's very moment, and upgrades again one moment before the horizon's end.
    at("changer", 20, level="paid"), at("changer", 28, "Submit Downgrade", level="paid", item=1),
    at("changer", 28.5, level="free", item=2),
    visit("changer", 56 * DAY - 1, "Submit Upgrade", level="free", session=2),
    # Upgrades, and cancels before the next landmark.
    at("short", 10, level="free"), at("short", 15, "Submit Upgrade", level="free"),
    at("short", 27, "Cancellation Confirmation", level="paid"),
    # A session across the landmark of day 42.
    *(visit("night owl", 42 * DAY + after * MINUTE, "NextSong", song=song, artist="A", item=item)
      for item, (after, song) in enumerate([(-20, "S"), (-10, "T"), (10, "S"), (30, "U")])),
]  # fmt: skip
LANDMARKS = Log(LANDMARK_EVENTS, REGISTRATION, AS_OF - 1, DAYS, stride=14)

ROWS_AT_LANDMARKS = [
    # At days 14, 28, 42 and 56, whatever the user does.
    ("silent", 28, {"page_home": 0, "page_nextsong": 0, "sessions_in_time_bin": 0, "days_since_last_event": 23}),
    ("silent", 56, {"paid_in_time_bin": 0, "paid_at_end": 1, "device": "mac", "at_risk": True}),
    ("silent", 42, {"will_churn_in_next_bin": 0, "will_churn_soon": 0, "churned_in_time_bin": 0}),
    # No label where the horizon is not over.
    ("silent", 56, {"will_churn_in_next_bin": None, "will_churn_soon": None, "churned_in_time_bin": 0}),
    ("new", 42, {"observed_days_in_time_bin": 1, "observed_days_in_history": 1, "time_bin": 0, "page_home": 1}),
    ("at", 42, {"at_risk": True, "churned_in_time_bin": 0, "will_churn_in_next_bin": 1, "will_churn_soon": 1}),
    ("at", 56, {"at_risk": False, "churned_in_time_bin": 1}),
    ("before", 28, {"at_risk": True, "will_churn_in_next_bin": 1}),
    ("before", 42, {"at_risk": False, "churned_in_time_bin": 1, "will_churn_in_next_bin": 0, "will_churn_soon": 1}),
    ("leaver", 14, {"downgraded_in_time_bin": 1, "previously_downgraded": 0}),
    ("leaver", 28, {"downgraded_in_time_bin": 0, "previously_downgraded": 1}),
    # Only who pays can downgrade, and only who does not can upgrade; nobody can who has cancelled.
    ("silent", 42, {"will_downgrade": 0, "will_upgrade": None}),
    ("silent", 56, {"will_downgrade": None, "will_upgrade": None}),
    ("changer", 28, {"will_downgrade": 1, "will_upgrade": None}),
    ("changer", 42, {"will_downgrade": None, "will_upgrade": 1}),
    ("short", 14, {"will_downgrade": None, "will_upgrade": 1}),
    ("short", 28, {"will_downgrade": None, "will_upgrade": None, "churned_in_time_bin": 1}),
    ("night owl", 42, {"page_nextsong": 2, "distinct_songs_in_time_bin": 2, "days_since_last_event": 1 / 144}),
    ("night owl", 56, {"page_nextsong": 2, "distinct_songs_in_time_bin": 2}),
]


@pytest.fixture(scope="module")
def at_landmarks(spark: SparkSession) -> Rows:
    """The rows of the log at landmarks, by user and day."""
    rows = engineered(spark, LANDMARKS)
    return {(user, (end - REGISTRATION) // DAY): row for (user, end), row in rows.items()}


@pytest.mark.parametrize(
    ("user", "day", "columns"), ROWS_AT_LANDMARKS, ids=[f"{user}, day {day}" for user, day, _ in ROWS_AT_LANDMARKS]
)
def test_expected_row_at_a_landmark(at_landmarks: Rows, user: str, day: int, columns: dict[str, Any]) -> None:
    row = at_landmarks[user, day]
    assert {name: row[name] for name in columns} == columns


def test_every_user_who_has_not_cancelled_before_the_window_has_a_row(at_landmarks: Rows) -> None:
    days = defaultdict(set)
    for user, day in at_landmarks:
        days[user].add(day)
    assert days["clock"] == days["silent"] == {14, 28, 42, 56}
    assert days["new"] == days["night owl"] == {42, 56}
    assert days["at"] == {42, 56}
    assert days["before"] == {28, 42}
    assert days["leaver"] == {14, 28, 42, 56}


@pytest.mark.parametrize(
    "stride", [14, pytest.param(7, marks=pytest.mark.faults), 3, pytest.param(1, marks=pytest.mark.faults)]
)
def test_landmarks_give_what_the_reference_gives(spark: SparkSession, stride: int) -> None:
    log = LANDMARKS._replace(stride=stride)
    assert_same(engineered(spark, log), reference(log))


def test_a_log_shorter_than_the_history_has_no_rows(spark: SparkSession) -> None:
    log = LANDMARKS._replace(events=[at("u", 0), at("u", 2)], last_ts=REGISTRATION + 2 * DAY)
    assert engineered(spark, log) == {}
    # Shorter than a window, but long enough.
    longer = log._replace(last_ts=REGISTRATION + 3 * DAY - 1)
    (row,) = engineered(spark, longer).values()
    assert row["observed_days_in_time_bin"] == 3


def test_an_as_of_date_is_the_end_of_the_log(spark: SparkSession) -> None:
    """The same rows as of a log that ends with the day before; 2018-11-12 is day 42."""
    as_of = parameters(DAYS, 14).model_copy(update={"as_of": date(2018, 11, 12)})
    ends = LANDMARKS._replace(
        events=[event for event in LANDMARK_EVENTS if event.ts < REGISTRATION + 42 * DAY],
        last_ts=REGISTRATION + 42 * DAY - 1,
    )
    events = spark.createDataFrame(LANDMARK_EVENTS, EVENT_COLUMNS)
    span = LogSpan(first_ts=LANDMARKS.first_ts, last_ts=LANDMARKS.last_ts)
    found = {
        (row["user_id"], row["bin_end"]): row.asDict() for row in engineer_user_time_bins(events, span, as_of).collect()
    }
    assert_same(found, engineered(spark, ends))


@pytest.mark.parametrize("day", [date(2018, 10, 1), date(2018, 11, 27)])
def test_an_as_of_date_outside_the_log_is_refused(spark: SparkSession, day: date) -> None:
    outside = parameters(DAYS, 14).model_copy(update={"as_of": day})
    events = spark.createDataFrame([], EVENT_COLUMNS)
    span = LogSpan(first_ts=LANDMARKS.first_ts, last_ts=LANDMARKS.last_ts)
    with pytest.raises(
        ValueError, match=f"feature_engineering.as_of is {day}, and the log covers 2018-10-01 to 2018-11-25"
    ):
        engineer_user_time_bins(events, span, outside)


@pytest.mark.parametrize("horizon", [7, 28])
def test_a_horizon_may_differ_from_the_window(spark: SparkSession, horizon: int) -> None:
    """Labels by hand: cancellations on day 42, a moment before it, and on day 44."""
    events = spark.createDataFrame(LANDMARK_EVENTS, EVENT_COLUMNS)
    span = LogSpan(first_ts=LANDMARKS.first_ts, last_ts=LANDMARKS.last_ts)
    rows = engineer_user_time_bins(events, span, parameters(DAYS, 14, horizon)).where("at_risk").collect()
    labels = {(row.user_id, (row.bin_end - REGISTRATION) // DAY): row.will_churn_in_next_bin for row in rows}
    positive = {key for key, label in labels.items() if label == 1}
    assert positive == {7: {("at", 42), ("leaver", 42)}, 28: {("before", 28), ("leaver", 28), ("short", 14)}}[horizon]
    changes = {(row.user_id, (row.bin_end - REGISTRATION) // DAY) for row in rows if row.will_upgrade == 1}
    assert changes == {7: {("short", 14)}, 28: {("short", 14)}}[horizon]


@st.composite
def landmark_logs(draw: st.DrawFn) -> Log:
    """A random log that ends with its last event or later, with landmarks every few days."""
    log = draw(logs())
    stride = draw(st.sampled_from([1] if log.days == 1 else [5, 7, 14]))
    first, last = min(event.ts for event in log.events), max(event.ts for event in log.events)
    later = draw(st.sampled_from([0, 1, DAY - 1, 5 * DAY]))
    return log._replace(first_ts=first, last_ts=last + later, stride=stride)


@spark_examples(2)
@given(log=landmark_logs())
def test_random_log_at_landmarks_gives_what_the_reference_gives(plain_spark: SparkSession, log: Log) -> None:
    assert_same(engineered(plain_spark, log), reference(log))


# ---------------------------------------------------------------------------------------------------------------------
# The cut-off: what comes at a bin's end or after it changes nothing in the bin
# ---------------------------------------------------------------------------------------------------------------------

# What is known of a bin at its end: everything but what looks at the next bin.
KNOWN_AT_END = (
    *FEATURES,
    *schemas.EXTENDED_FEATURES,
    *("level_at_end", "device", "bin_end", "churned_in_time_bin", "at_risk"),
    *COUNTS_IN_HISTORY,
)
A_ROW = "a row"


def looking_ahead(log: Log, other: Log, cut: int, engineer: Callable[[Log], Rows], columns: Iterable[str]) -> set[str]:
    """The columns by which bins that end by ``cut`` tell two logs apart which are the same before ``cut``."""
    assert set(before(log.events, cut)) == set(before(other.events, cut))
    registration = {event.user_id: event.registration for event in [*log.events, *other.events]}

    def known(rows: Rows) -> Rows:
        ends = {key: registration[key[0]] + (key[1] + 1) * log.days * DAY for key in rows}
        return {key: row for key, row in rows.items() if ends[key] <= cut}

    rows, others = known(engineer(log)), known(engineer(other))
    assert rows
    if set(rows) != set(others):
        return {A_ROW}
    return {name for name in columns for key, row in rows.items() if row[name] != others[key][name]}


def before(events: Iterable[Event], cut: int) -> list[Event]:
    return [event for event in events if event.ts < cut]


class Cut(NamedTuple):
    """A log, and another that is the same before ``cut``."""

    log: Log
    other: Log
    cut: int


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    """A random log and the end of a bin in it; from that moment on, events are gone, altered, or new."""
    log = draw(logs())
    event = draw(st.sampled_from(log.events))
    cut = event.registration + (bin_of(event, log.days) + 1) * log.days * DAY
    altered = st.fixed_dictionaries(
        {
            "page": st.sampled_from(PAGES),
            "level": st.sampled_from(["free", "paid"]),
            "user_agent": st.sampled_from([*AGENTS]),
            "session_id": st.integers(1, 4),
            "song": st.sampled_from([None, "S", "V"]),
        }
    )
    # At least one user does something else at the very moment, in a session that may have begun before it.
    who = st.sampled_from([*log.events, visit("newcomer", 0, registration=cut)])
    at_the_end = draw(st.lists(st.builds(lambda who, new: who._replace(ts=cut, **new), who, altered), min_size=1))
    fates = st.none() | altered
    later = [
        event._replace(**fate) for event in log.events if event.ts >= cut and (fate := draw(fates, label="fate"))
    ]  # fmt: skip
    # Both logs are known to reach the bin's end.
    reach = st.sampled_from([0, 1, DAY, 400 * DAY]).map(lambda after: cut + after)
    other = log._replace(events=[*before(log.events, cut), *later, *at_the_end], last_ts=draw(reach))
    return Cut(log._replace(last_ts=draw(reach)), other, cut)


@pytest.mark.faults
@spark_examples(2)
@given(case=cuts())
def test_events_after_a_bin_s_end_do_not_change_it(plain_spark: SparkSession, case: Cut) -> None:
    """Of this bin and of all that end by then, every user's; erased or altered, the end's own moment included."""
    assert looking_ahead(*case, lambda log: engineered(plain_spark, log), KNOWN_AT_END) == set()


@pytest.mark.faults
@spark_examples(2)
@given(case=cuts())
def test_events_after_a_bin_s_end_are_not_needed(plain_spark: SparkSession, case: Cut) -> None:
    """Everything from the bin's end on erased, for all users, and the log known to reach just there."""
    log, _, cut = case
    erased = log._replace(events=before(log.events, cut), last_ts=cut)
    assert looking_ahead(log, erased, cut, lambda log: engineered(plain_spark, log), KNOWN_AT_END) == set()


@st.composite
def landmark_cuts(draw: st.DrawFn) -> Cut:
    """A random log known up to a landmark, and one that goes on after it, in whole strides."""
    log = draw(landmark_logs())
    steps = draw(st.integers(0, 6))
    cut = log.last_ts + 1 - steps * log.stride * DAY
    known = before(log.events, cut)
    assume(known)
    who = st.sampled_from([*log.events, visit("newcomer", 0, registration=cut)])
    altered = st.builds(lambda who, page: who._replace(ts=cut, page=page), who, st.sampled_from(PAGES))
    at_the_end = draw(st.lists(altered, min_size=1))
    other = log._replace(events=[*log.events, *at_the_end], last_ts=cut - 1 + (steps + 1) * log.stride * DAY)
    return Cut(log._replace(events=known, last_ts=cut - 1), other, cut)


@spark_examples(2)
@given(case=landmark_cuts())
def test_events_at_a_landmark_or_later_do_not_change_it(plain_spark: SparkSession, case: Cut) -> None:
    """Of this landmark and of all earlier ones: the log ends there, or goes on with an event at its very moment."""
    rows, others = engineered(plain_spark, case.log), engineered(plain_spark, case.other)
    assert {key for key in others if key[1] <= case.cut} == set(rows)
    assert {name for name in KNOWN_AT_END for key, row in rows.items() if row[name] != others[key][name]} == set()


# The user leaves at the very end of bin 0, or does not.
STAYS = Log([visit("u", 0, "NextSong", agent=AGENT["mac"]), visit("u", 2 * BIN)], REGISTRATION, LAST_TS, DAYS)
LEAVES = STAYS._replace(
    events=[STAYS.events[0], visit("u", BIN, "Cancellation Confirmation", level="paid", agent=AGENT["ipad"])]
)


def test_labels_fail_the_look_ahead_check(plain_spark: SparkSession) -> None:
    """As they should, and nothing else of the table."""
    columns = [*KNOWN_AT_END, *LABELS]
    seen = looking_ahead(STAYS, LEAVES, REGISTRATION + BIN, lambda log: engineered(plain_spark, log), columns)
    assert seen == {"will_churn_in_next_bin", "will_churn_soon", *HORIZONS}


def test_an_inclusive_bin_end_fails_the_check(plain_spark: SparkSession) -> None:
    def late(log: Log) -> Rows:
        return engineered(plain_spark, log._replace(events=[event._replace(ts=event.ts - 1) for event in log.events]))

    seen = looking_ahead(STAYS, LEAVES, REGISTRATION + BIN, late, KNOWN_AT_END)
    assert {"churned_in_time_bin", "paid_in_time_bin", "level_at_end", "device", "days_since_last_event"} <= seen
    assert {"log_active_days_per_day_in_history", "paid_at_end", "device_ipad", "device_mac"} <= seen
    assert "page_nextsong" not in seen


def test_features_of_later_bins_fail_the_check(plain_spark: SparkSession) -> None:
    """An average over all of the user's bins, and what only the log's last event tells."""

    def peeking(log: Log) -> Rows:
        rows = engineered(plain_spark, log)
        songs = [row["page_nextsong"] for row in rows.values()]
        last = max(event.ts for event in log.events)
        peeks = {"songs_against_all_bins": sum(songs) / len(songs), "days_since_last_event": (LAST_TS - last) / DAY}
        return {key: {**row, **peeks} for key, row in rows.items()}

    plays_on = STAYS._replace(events=[*STAYS.events, visit("u", 3 * BIN, "NextSong")])
    seen = looking_ahead(STAYS, plays_on, REGISTRATION + BIN, peeking, [*KNOWN_AT_END, "songs_against_all_bins"])
    assert seen == {"songs_against_all_bins", "days_since_last_event"}


# ---------------------------------------------------------------------------------------------------------------------
# Schema and names
# ---------------------------------------------------------------------------------------------------------------------


def test_result_has_the_declared_columns(spark: SparkSession) -> None:
    events = spark.createDataFrame([], EVENT_COLUMNS)
    table = engineer_user_time_bins(events, LogSpan(first_ts=None, last_ts=None), parameters(DAYS))
    declared = [(field.name, field.dataType) for field in schemas.user_time_bins.struct.fields]
    assert [(field.name, field.dataType) for field in table.schema.fields] == declared
    assert schemas.user_time_bins.keys == ("user_id", "bin_end")


def test_a_row_repeats_earlier_landmarks_on_request(spark: SparkSession) -> None:
    """Two landmarks before, by hand: those that a user does not have are 0, and none of them is of another user."""
    settings = parameters(LANDMARKS.days, LANDMARKS.stride).model_copy(update={"earlier_landmarks": 2})
    events = spark.createDataFrame(list(LANDMARKS.events), EVENT_COLUMNS)
    span = LogSpan(first_ts=LANDMARKS.first_ts, last_ts=LANDMARKS.last_ts)
    table = engineer_user_time_bins(events, span, settings).toPandas().sort_values(["user_id", "bin_end"])
    by_user = table.groupby("user_id")
    for name in REPEATED:
        for number in (1, 2):
            expected = by_user[name].shift(number).fillna(0.0)
            pd.testing.assert_series_equal(table[f"{name}_{number}_earlier"], expected, check_names=False)
    assert table[LANDMARKS_EARLIER].tolist() == by_user.cumcount().clip(upper=2).tolist()
    assert set(table[LANDMARKS_EARLIER]) == {0, 1, 2}
    assert list(table.columns[: -2 * len(REPEATED) - 1]) == schemas.user_time_bins.struct.names


def test_the_25_original_features_come_first(spark: SparkSession) -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 25
    assert schemas.ORIGINAL_FEATURES == FEATURES
    assert tuple(schemas.user_time_bins.struct.names[1:26]) == FEATURES


def test_extended_features_are_what_the_reference_computes() -> None:
    windows = windows_of(VETERAN)
    expected = set(extended_features(VETERAN, windows)[next(iter(windows))]) - {
        "level_at_end",
        "device",
        *COUNTS_IN_HISTORY,
    }
    assert len(schemas.EXTENDED_FEATURES) == len(expected)
    assert set(schemas.EXTENDED_FEATURES) == expected
