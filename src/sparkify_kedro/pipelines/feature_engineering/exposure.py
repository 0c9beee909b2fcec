"""The part of a bin and of a user's history that the log covers, independent of the user's activity."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def bin_start(days: int) -> Column:
    """Start of a row's bin (ms since the epoch, inclusive)."""
    return F.col("registration") + F.col("time_bin").cast("long") * (days * MILLISECONDS_PER_DAY)


def bin_end(days: int) -> Column:
    """End of a row's bin (ms since the epoch, exclusive)."""
    return bin_start(days) + days * MILLISECONDS_PER_DAY


def observed_days(since: Column, until: Column, first_ts: int, last_ts: int) -> Column:
    """Days between two timestamps that the log covers (``first_ts`` to ``last_ts``; all in ms since the epoch)."""
    inside = F.least(until, F.lit(last_ts)) - F.greatest(since, F.lit(first_ts))
    return F.greatest(inside, F.lit(0)) / MILLISECONDS_PER_DAY
