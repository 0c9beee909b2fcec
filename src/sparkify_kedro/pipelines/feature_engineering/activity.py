"""Column helpers for the activity of a user in a time bin, over events and over bins."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import CANCELLATION, DOWNGRADE, MILLISECONDS_PER_DAY, UPGRADE

from .device import device_family

# Pages counted as features. Pages that reveal a label (Cancel, Cancellation Confirmation, Submit Downgrade, Submit
# Upgrade) are excluded.
COUNTED_PAGES = (
    "About", "Add Friend", "Add to Playlist", "Downgrade", "Error", "Help", "Home", "Logout", "NextSong", "Roll Advert",
    "Save Settings", "Settings", "Thumbs Down", "Thumbs Up", "Upgrade",
)  # fmt: skip


def time_bin(ts: Column, registration: Column, days: int) -> Column:
    """Whole bins of ``days`` days from registration to ts (both ms since the epoch), truncated toward zero."""
    return F.call_function("div", ts - registration, F.lit(days * MILLISECONDS_PER_DAY)).cast("int")


def page_feature(page: str) -> str:
    """Return the feature name of a page's count: ``page_add_friend``, ``page_nextsong``."""
    return f"page_{page.lower().replace(' ', '_')}"


def any_of(condition: Column) -> Column:
    """1 if the condition is true in any row of the group, else 0; null counts as false."""
    return F.max(F.coalesce(condition, F.lit(False)).cast("int"))


def visited(page: str) -> Column:
    """1 if the group has an event of the page, else 0."""
    return any_of(F.col("page") == page)


def bin_aggregates() -> dict[str, Column]:
    """Aggregates over the events of one user and bin."""
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
        "churned_in_time_bin": visited(CANCELLATION),
        "churned_at": F.min(F.when(F.col("page") == CANCELLATION, F.col("ts"))),
        "registration": F.min("registration"),
        "last_event_ts": F.max("ts"),
    }


def session_totals(binned: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Aggregate the sessions of a bin: time spent, active days, and level and device at the last event.

    Args:
        binned: events with the ``keys``.
        keys: user and bin columns.

    Returns:
        One row per user and bin: ``session_ms`` (from first to last event of each session and level, summed),
        ``paid_ms`` (the part of it at level paid), ``active_days`` (calendar days, UTC), ``level_at_end`` and
        ``device``.
    """
    day = F.call_function("div", "ts", F.lit(MILLISECONDS_PER_DAY))
    # First group the many events by hash; then order only the few resulting rows.
    stays = binned.groupBy(*keys, "session_id", "level", "user_agent").agg(
        F.min("ts").alias("first_ts"),
        F.max("ts").alias("last_ts"),
        F.max("item_in_session").alias("last_item"),
        F.collect_set(day).alias("days"),
    )
    length = F.col("last_ts") - F.col("first_ts")
    # level and user_agent come last, so that a tie in the other columns is deterministic.
    place = F.struct("last_ts", "last_item", "session_id", "level", "user_agent")
    return stays.groupBy(*keys).agg(
        F.sum(length).alias("session_ms"),
        F.sum(F.when(F.col("level") == "paid", length).otherwise(0)).alias("paid_ms"),
        F.size(F.array_distinct(F.flatten(F.collect_list("days")))).cast("long").alias("active_days"),
        F.max_by("level", place).alias("level_at_end"),
        device_family(F.max_by("user_agent", place)).alias("device"),
    )


def previously_downgraded() -> Column:
    """1 if the user downgraded in an earlier bin, else 0."""
    earlier = Window.partitionBy("user_id").orderBy("time_bin").rowsBetween(Window.unboundedPreceding, -1)
    return F.coalesce(F.max("downgraded_in_time_bin").over(earlier), F.lit(0))
