"""Column helpers for the activity of a user in a window."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import (
    CANCELLATION,
    COUNTED_PAGES,
    DOWNGRADE,
    LEVELS,
    RATED_PAGES,
    SONG,
    TYPED_PAGES,
    UPGRADE,
)

from .device import device_family


def page_feature(page: str) -> str:
    """Return the feature name of a page's count: ``page_add_friend``, ``page_nextsong``."""
    return f"page_{page.lower().replace(' ', '_')}"


def any_of(condition: Column) -> Column:
    """1 if the condition is true in any row of the group, else 0; null counts as false."""
    return F.max(F.coalesce(condition, F.lit(False)).cast("int"))


def visited(page: str) -> Column:
    """1 if the group has an event of the page, else 0."""
    return any_of(F.col("page") == page)


def window_aggregates() -> dict[str, Column]:
    """Aggregates over the events of one user in one window; ``new_`` is the part that no earlier window contains."""
    is_new = F.col("is_new")
    return {
        "is_male": any_of(F.col("gender") == "M"),
        "paid_in_time_bin": any_of(F.col("level") == "paid"),
        "free_in_time_bin": any_of(F.col("level") == "free"),
        "downgraded_in_time_bin": visited(DOWNGRADE),
        "upgraded_in_time_bin": visited(UPGRADE),
        **{page_feature(page): F.count_if(F.col("page") == page) for page in COUNTED_PAGES},
        "sessions_in_time_bin": F.count_distinct("session_id"),
        "artists_in_time_bin": F.count_distinct("artist"),
        "distinct_songs_in_time_bin": F.count_distinct("song"),
        "cancelled_in_window": visited(CANCELLATION),
        "new_songs": F.count_if((F.col("page") == SONG) & is_new),
        **{f"new_{name}": F.count_if((F.col("page") == page) & is_new) for name, page in RATED_PAGES.items()},
        "first_cancellation": F.min(F.when(F.col("page") == CANCELLATION, F.col("ts"))),
        "first_downgrade": F.min(F.when(F.col("page") == DOWNGRADE, F.col("ts"))),
        "registration": F.min("registration"),
        "last_event_ts": F.max("ts"),
    }


def session_totals(windowed: DataFrame, keys: Sequence[str], day: Column) -> DataFrame:
    """Aggregate the sessions of a window: time spent, active days, and level and device at the last event.

    Args:
        windowed: events with the ``keys`` and ``is_new``.
        keys: user and landmark.
        day: the number of an event's day.

    Returns:
        One row per user and window: ``session_ms`` (from first to last event of each session and level, summed),
        ``paid_ms`` (the part of it at level paid), ``active_days``; the same three and ``new_sessions`` for the new
        events alone; ``level_at_end`` and ``device``; and for each level, of the new events alone, the sessions and the
        visits to each page (see ``at_level``).
    """
    is_new, ts = F.col("is_new"), F.col("ts")
    # First group the many events by hash; then order only the few resulting rows.
    stays = windowed.groupBy(*keys, "session_id", "level", "user_agent").agg(
        F.min("ts").alias("first_ts"),
        F.max("ts").alias("last_ts"),
        F.max("item_in_session").alias("last_item"),
        F.collect_set(day).alias("days"),
        F.min(F.when(is_new, ts)).alias("new_first_ts"),
        F.collect_set(F.when(is_new, day)).alias("new_days"),
        *(F.count_if((F.col("page") == page) & is_new).alias(page) for page in TYPED_PAGES),
    )
    # level and user_agent come last, so that a tie in the other columns is deterministic.
    place = F.struct("last_ts", "last_item", "session_id", "level", "user_agent")
    new_session = F.when(F.col("new_first_ts").isNotNull(), F.col("session_id"))
    return stays.groupBy(*keys).agg(
        *_stay_totals("first_ts", "days", ""),
        *_stay_totals("new_first_ts", "new_days", "new_"),
        F.size(F.collect_set(new_session)).cast("long").alias("new_sessions"),
        F.max_by("level", place).alias("level_at_end"),
        device_family(F.max_by("user_agent", place)).alias("device"),
        *_totals_at_levels(new_session),
    )


def at_level(name: str, level: str) -> str:
    """The total of a level: ``sessions_at_free``, ``page_add_friend_at_paid``."""
    return f"{name}_at_{level}"


def _totals_at_levels(new_session: Column) -> list[Column]:
    columns = []
    for level in LEVELS:
        is_level = F.col("level") == level
        sessions = F.size(F.collect_set(F.when(is_level, new_session))).cast("long")
        columns.append(sessions.alias(f"new_{at_level('sessions', level)}"))
        for page in TYPED_PAGES:
            visits = F.sum(F.when(is_level, F.col(page)).otherwise(0))
            columns.append(visits.alias(f"new_{at_level(page_feature(page), level)}"))
    return columns


def _stay_totals(first: str, days: str, prefix: str) -> list[Column]:
    length = F.coalesce(F.col("last_ts") - F.col(first), F.lit(0))
    active_days = F.size(F.array_distinct(F.flatten(F.collect_list(days)))).cast("long")
    return [
        F.sum(length).alias(f"{prefix}session_ms"),
        F.sum(F.when(F.col("level") == "paid", length).otherwise(0)).alias(f"{prefix}paid_ms"),
        active_days.alias(f"{prefix}active_days"),
    ]
