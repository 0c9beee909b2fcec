"""How much of a bin and of a user's history the log covers, by the calendar: never by when the user was last seen."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def bin_start(days: int) -> Column:
    """The moment (ms since the epoch) at which a row's bin begins."""
    return F.col("registration") + F.col("time_bin").cast("long") * (days * MILLISECONDS_PER_DAY)


def bin_end(days: int) -> Column:
    """The moment (ms since the epoch) at which a row's bin is over; it belongs to the next bin."""
    return bin_start(days) + days * MILLISECONDS_PER_DAY


def observed_days(since: Column, until: Column, first_ts: int, last_ts: int) -> Column:
    """Days between two moments that lie inside the log (``first_ts`` to ``last_ts``; all in ms since the epoch)."""
    inside = F.least(until, F.lit(last_ts)) - F.greatest(since, F.lit(first_ts))
    return F.greatest(inside, F.lit(0)) / MILLISECONDS_PER_DAY
