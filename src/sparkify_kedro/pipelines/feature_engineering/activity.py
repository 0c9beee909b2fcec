"""The activity of a user in a window, from days over stays to one row.

A stay is what a user does in a session at one level and with one user agent. All events are aggregated once to stays of
a day, a hundredth of the rows; windows overlap, so a day counts in several of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.device import device_family
from sparkify_kedro.churn.vocabulary import (
    CANCELLATION,
    COUNTED_PAGES,
    DOWNGRADE,
    KEYS,
    LEVELS,
    RATED_PAGES,
    SONG,
    TYPED_PAGES,
    UPGRADE,
)

# user_agent comes last: see the place of a stay, below.
_STAY = ("session_id", "level", "user_agent")
# Pages that are counted in a window, and those that are summed over a user's history.
_PAGES = (*dict.fromkeys((*COUNTED_PAGES, *RATED_PAGES.values(), *TYPED_PAGES)),)
_NEW_PAGES = (*dict.fromkeys((SONG, *RATED_PAGES.values(), *TYPED_PAGES)),)


def page_feature(page: str) -> str:
    """Return the feature name of a page's count: ``page_add_friend``, ``page_nextsong``."""
    return f"page_{page.lower().replace(' ', '_')}"


def any_of(condition: Column) -> Column:
    """1 if the condition is true in any row of the group, else 0; null counts as false."""
    return F.max(F.coalesce(condition, F.lit(False)).cast("int"))


def daily_stays(events: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Aggregate the events of each stay and day.

    Args:
        events: with the ``keys``.
        keys: the user and the day, and what else tells windows apart.

    Returns:
        One row per stay and day: first and last moment, the last item, counts of pages, and what of the events of a
        window comes first.
    """
    ts, page = F.col("ts"), F.col("page")
    return events.groupBy(*keys, *_STAY).agg(
        F.min(ts).alias("first_ts"),
        F.max(ts).alias("last_ts"),
        F.max("item_in_session").alias("last_item"),
        F.min("registration").alias("registration"),
        any_of(F.col("gender") == "M").alias("is_male"),
        F.min(F.when(page == CANCELLATION, ts)).alias("first_cancellation"),
        F.min(F.when(page == DOWNGRADE, ts)).alias("first_downgrade"),
        F.min(F.when(page == UPGRADE, ts)).alias("first_upgrade"),
        *(F.count_if(page == name).alias(page_feature(name)) for name in _PAGES),
    )


def daily_songs(events: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Collect the artists and songs of each day, as hashes of 64 bits: fewer bytes than names.

    Two of a user's thousands of songs share a hash with a probability below one in a hundred billion.

    Args:
        events: with the ``keys``.
        keys: as in ``daily_stays``.

    Returns:
        One row per day: ``artists`` and ``songs``, sets of hashes.
    """

    def hashes(name: str) -> Column:
        return F.collect_set(F.when(F.col(name).isNotNull(), F.xxhash64(name)))

    return events.groupBy(*keys).agg(hashes("artist").alias("artists"), hashes("song").alias("songs"))


def distinct_songs(days: DataFrame) -> DataFrame:
    """Count the distinct artists and songs of a window.

    Args:
        days: as made by ``daily_songs``, at the landmarks.

    Returns:
        One row per user and landmark: ``artists_in_time_bin`` and ``distinct_songs_in_time_bin``.
    """
    return days.groupBy(*KEYS).agg(
        _distinct("artists").alias("artists_in_time_bin"), _distinct("songs").alias("distinct_songs_in_time_bin")
    )


def merge_days(days: DataFrame) -> DataFrame:
    """Merge the days of each stay in a window.

    Args:
        days: as made by ``daily_stays``, at the landmarks: with ``bin_end`` and ``is_new``.

    Returns:
        One row per stay and landmark. ``new_`` is the part that no earlier window contains.
    """
    is_new = F.col("is_new")
    firsts = ("first_ts", "registration", "first_cancellation", "first_downgrade")
    counts = map(page_feature, _PAGES)
    return days.groupBy(*KEYS, *_STAY).agg(
        *(F.min(name).alias(name) for name in firsts),
        *(F.max(name).alias(name) for name in ("last_ts", "last_item", "is_male")),
        *(
            F.min(F.when(is_new, F.col(name))).alias(f"new_{name}")
            for name in ("first_ts", "first_downgrade", "first_upgrade")
        ),
        F.collect_set("day").alias("days"),
        F.collect_set(F.when(is_new, F.col("day"))).alias("new_days"),
        *(F.sum(name).alias(name) for name in counts),
        *(
            F.sum(F.when(is_new, F.col(name)).otherwise(0)).alias(f"new_{name}")
            for name in map(page_feature, _NEW_PAGES)
        ),
    )


def window_totals(stays: DataFrame) -> DataFrame:
    """Aggregate the stays of a window.

    Args:
        stays: as made by ``merge_days``.

    Returns:
        One row per user and landmark: flags and counts of the window; ``session_ms`` (from first to last event of each
        session and level, summed), ``paid_ms`` (the part of it at level paid), ``active_days``; the same three,
        ``new_sessions``, counts and the first downgrade and upgrade for the new events alone; ``level_at_end`` and
        ``device``; and for each level, of the new events alone, the sessions and the visits to each page (see
        ``at_level``).
    """
    # level and user_agent come last, so that a tie in the other columns is deterministic.
    place = F.struct("last_ts", "last_item", *_STAY)
    new_session = F.when(F.col("new_first_ts").isNotNull(), F.col("session_id"))
    return stays.groupBy(*KEYS).agg(
        *(column.alias(name) for name, column in _window_aggregates().items()),
        *_stay_totals("first_ts", "days", ""),
        *_stay_totals("new_first_ts", "new_days", "new_"),
        _size(F.collect_set(new_session)).alias("new_sessions"),
        F.max_by("level", place).alias("level_at_end"),
        device_family(F.max_by("user_agent", place)).alias("device"),
        *_totals_at_levels(new_session),
    )


def _window_aggregates() -> dict[str, Column]:
    level = F.col("level")
    return {
        "is_male": F.max("is_male"),
        "paid_in_time_bin": any_of(level == "paid"),
        "free_in_time_bin": any_of(level == "free"),
        "downgraded_in_time_bin": any_of(F.col(page_feature(DOWNGRADE)) > 0),
        "upgraded_in_time_bin": any_of(F.col(page_feature(UPGRADE)) > 0),
        **{page_feature(page): F.sum(page_feature(page)) for page in COUNTED_PAGES},
        "sessions_in_time_bin": _size(F.collect_set("session_id")),
        "cancelled_in_window": any_of(F.col("first_cancellation").isNotNull()),
        "new_songs": F.sum(f"new_{page_feature(SONG)}"),
        **{f"new_{name}": F.sum(f"new_{page_feature(page)}") for name, page in RATED_PAGES.items()},
        "first_cancellation": F.min("first_cancellation"),
        "first_downgrade": F.min("first_downgrade"),
        "first_new_downgrade": F.min("new_first_downgrade"),
        "first_new_upgrade": F.min("new_first_upgrade"),
        "registration": F.min("registration"),
        "last_event_ts": F.max("last_ts"),
    }


def at_level(name: str, level: str) -> str:
    """The total of a level: ``sessions_at_free``, ``page_add_friend_at_paid``."""
    return f"{name}_at_{level}"


def _totals_at_levels(new_session: Column) -> list[Column]:
    columns = []
    for level in LEVELS:
        is_level = F.col("level") == level
        sessions = _size(F.collect_set(F.when(is_level, new_session)))
        columns.append(sessions.alias(f"new_{at_level('sessions', level)}"))
        for name in map(page_feature, TYPED_PAGES):
            visits = F.sum(F.when(is_level, F.col(f"new_{name}")).otherwise(0))
            columns.append(visits.alias(f"new_{at_level(name, level)}"))
    return columns


def _stay_totals(first: str, days: str, prefix: str) -> list[Column]:
    length = F.coalesce(F.col("last_ts") - F.col(first), F.lit(0))
    return [
        F.sum(length).alias(f"{prefix}session_ms"),
        F.sum(F.when(F.col("level") == "paid", length).otherwise(0)).alias(f"{prefix}paid_ms"),
        _distinct(days).alias(f"{prefix}active_days"),
    ]


def _distinct(sets: str) -> Column:
    """The number of different elements in the sets of a group."""
    return _size(F.array_distinct(F.flatten(F.collect_list(sets))))


def _size(array: Column) -> Column:
    return F.size(array).cast("long")
