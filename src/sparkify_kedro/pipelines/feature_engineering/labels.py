"""The labels: did the user cancel, and when, seen from a time bin."""

from __future__ import annotations

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def churned_in_time_bin() -> Column:
    """1 where the user confirmed a cancellation in this bin, else 0."""
    return F.col("churned_in_time_bin")


def will_churn_in_next_bin() -> Column:
    """1 where the user confirms a cancellation in the bin after this one, else 0.

    The confirmation itself makes that bin's row, so a user without a row there did not churn there.
    """
    by_bin = Window.partitionBy("user_id").orderBy("time_bin")
    follows_directly = F.lead("time_bin").over(by_bin) == F.col("time_bin") + 1
    return F.when(follows_directly, F.lead("churned_in_time_bin").over(by_bin)).otherwise(0)


def will_churn_soon() -> Column:
    """1 where the user confirms a cancellation in this bin or the next, else 0."""
    return F.greatest(churned_in_time_bin(), will_churn_in_next_bin())


# A new label is one entry here; the pipelines of every label are made from these names.
LABELS = {
    "churned_in_time_bin": churned_in_time_bin,
    "will_churn_in_next_bin": will_churn_in_next_bin,
    "will_churn_soon": will_churn_soon,
}


def next_bin_observed(last_ts: int, days: int) -> Column:
    """Whether the next bin ends before the log does (``last_ts``, ms since the epoch).

    The moment at which a bin ends belongs to the bin after it.
    """
    bins_until_its_end = F.col("time_bin").cast("long") + 2
    return F.col("registration") + bins_until_its_end * (days * MILLISECONDS_PER_DAY) <= last_ts


def at_risk() -> Column:
    """Whether the user is still there when the bin is over: not churned in it."""
    return churned_in_time_bin() == 0
