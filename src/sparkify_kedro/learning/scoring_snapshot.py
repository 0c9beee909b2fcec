"""The scoring snapshot: at a time, each remaining user's last completed bin."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def user_churned_at() -> Column:
    """When a row's user cancels, in any bin (ms since the epoch); null where the user does not."""
    return F.min("churned_at").over(Window.partitionBy("user_id"))


def scoring_snapshot(user_time_bins: DataFrame, as_of: int, time_bin_days: int) -> DataFrame:
    """Per user who has not cancelled, the last completed bin.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        as_of: the time (ms since the epoch). Events at or after it have no effect, since the features of a completed
            bin do not depend on later events.
        time_bin_days: the length of a bin.

    Returns:
        At most one row per user: none for users who cancelled before the time, and none for users without an event in
        their last completed bin, which training rows do not represent either.
    """
    is_active = F.coalesce(F.col("user_churned_at") >= as_of, F.lit(True))
    is_completed = F.col("bin_end") <= as_of
    is_last = F.col("bin_end") > as_of - time_bin_days * MILLISECONDS_PER_DAY
    return (
        user_time_bins.withColumn("user_churned_at", user_churned_at())
        .where(is_active & is_completed & is_last)
        .drop("user_churned_at")
    )
