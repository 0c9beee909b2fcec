"""The column helpers over events and bins."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import COUNTED_PAGES, KEYS
from sparkify_kedro.pipelines.feature_engineering.activity import daily_stays, merge_days, page_feature, window_totals
from sparkify_kedro.pipelines.feature_engineering.landmarks import time_bin

DAY = 86_400_000
BIN = 14 * DAY
REGISTRATION = 1_538_352_000_000

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


@pytest.mark.parametrize(
    ("page", "feature"),
    [("About", "page_about"), ("Add to Playlist", "page_add_to_playlist"), ("NextSong", "page_nextsong")],
)
def test_page_feature(page: str, feature: str) -> None:
    assert page_feature(page) == feature


def test_pages_that_reveal_a_label_are_not_counted() -> None:
    give_away = {"Cancel", "Cancellation Confirmation", "Submit Downgrade", "Submit Upgrade"}
    assert not give_away & set(COUNTED_PAGES)


def test_session_totals(spark: SparkSession) -> None:
    """A session's time is from its first to its last event, per level; a day counts once, however many sessions."""
    minute = 60_000
    events = [
        # user, session, moment, level, item: ten minutes free, then a minute's pause, then twenty minutes paid.
        ("a", 1, 0, "free", 0),
        ("a", 1, 10 * minute, "free", 1),
        ("a", 1, 11 * minute, "paid", 2),
        ("a", 1, 31 * minute, "paid", 3),
        # The same day, the last millisecond of it, and the next.
        ("a", 2, DAY - 1, "free", 0),
        ("a", 2, DAY + minute, "free", 1),
        ("a", 2, DAY + 3 * minute, "free", 2),
        ("a", 3, DAY, "paid", 0),
        # Another user's session of the same number.
        ("b", 1, 5 * minute, "free", 0),
    ]
    rows = [(user, 2 * DAY, session, ts, level, item, None, "Home") for user, session, ts, level, item in events]
    columns = (
        "user_id string, bin_end bigint, session_id bigint, ts bigint, level string, item_in_session bigint, "
        "user_agent string, page string"
    )
    others = {"registration": F.lit(0), "gender": F.lit("F"), "day": F.call_function("div", "ts", F.lit(DAY))}
    days = daily_stays(spark.createDataFrame(rows, columns).withColumns(others), [*KEYS, "day"])
    stays = merge_days(days.withColumn("is_new", F.col("day") == 1))
    totals = {row.user_id: row for row in window_totals(stays).collect()}

    assert {user: (row.session_ms, row.paid_ms, row.active_days, row.level_at_end) for user, row in totals.items()} == {
        "a": (33 * minute + 1, 20 * minute, 2, "free"),
        "b": (0, 0, 1, "free"),
    }
    # Session 2 begins on the day before: it is new from its first event of the new day.
    new = {
        user: (row.new_session_ms, row.new_paid_ms, row.new_active_days, row.new_sessions)
        for user, row in totals.items()
    }
    assert new == {"a": (2 * minute, 0, 1, 2), "b": (0, 0, 0, 0)}
