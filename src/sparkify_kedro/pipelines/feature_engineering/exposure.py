"""The part of a window and of a user's history that the log covers, independent of the user's activity."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def observed_days(since: Column, until: Column, first_ts: int, as_of: int) -> Column:
    """Days between two timestamps that the log covers (``first_ts`` up to ``as_of``; all in ms since the epoch)."""
    inside = F.least(until, F.lit(as_of)) - F.greatest(since, F.lit(first_ts))
    return F.greatest(inside, F.lit(0)) / MILLISECONDS_PER_DAY
