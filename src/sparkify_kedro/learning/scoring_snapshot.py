"""The rows that speak for users at a moment: as at training, each user's last bin that is over."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

MILLISECONDS_PER_DAY = 86_400_000


def churned_at() -> Column:
    """When a row's user cancels, in any bin (ms since the epoch); null where the user does not."""
    return F.min("churned_at").over(Window.partitionBy("user_id"))


def last_completed_bins(user_time_bins: DataFrame, as_of: int, time_bin_days: int) -> DataFrame:
    """Per user who is still there, the bin that was the last to end.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        as_of: the moment (ms since the epoch). What happens at it or later is not looked at: features of a bin that is
            over do not depend on it.
        time_bin_days: the length of a bin.

    Returns:
        At most one row per user: none for users who have cancelled before the moment, and none for those without any
        event in their last completed bin, whose like are not among the training rows either.
    """
    is_there = F.coalesce(F.col("user_churned_at") >= as_of, F.lit(True))
    is_over = F.col("bin_end") <= as_of
    is_last = F.col("bin_end") > as_of - time_bin_days * MILLISECONDS_PER_DAY
    return (
        user_time_bins.withColumn("user_churned_at", churned_at())
        .where(is_there & is_over & is_last)
        .drop("user_churned_at")
    )
