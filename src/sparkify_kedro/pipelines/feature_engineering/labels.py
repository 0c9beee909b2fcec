"""The churn labels of a time bin."""

from __future__ import annotations

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def churned_in_time_bin() -> Column:
    """1 if the user confirmed a cancellation in this bin, else 0."""
    return F.col("churned_in_time_bin")


def will_churn_in_next_bin() -> Column:
    """1 if the user confirms a cancellation in the next bin, else 0.

    The confirmation is itself an event, so a user without a row for the next bin did not churn in it.
    """
    by_bin = Window.partitionBy("user_id").orderBy("time_bin")
    follows_directly = F.lead("time_bin").over(by_bin) == F.col("time_bin") + 1
    return F.when(follows_directly, F.lead("churned_in_time_bin").over(by_bin)).otherwise(0)


def will_churn_soon() -> Column:
    """1 if the user confirms a cancellation in this bin or the next, else 0."""
    return F.greatest(churned_in_time_bin(), will_churn_in_next_bin())


# The pipelines of every label are created from these names.
LABELS = {
    "churned_in_time_bin": churned_in_time_bin,
    "will_churn_in_next_bin": will_churn_in_next_bin,
    "will_churn_soon": will_churn_soon,
}


def next_bin_observed(last_ts: int, days: int) -> Column:
    """Whether the next bin ends before the log does (``last_ts``, ms since the epoch).

    The end of a bin is exclusive.
    """
    bins_until_its_end = F.col("time_bin").cast("long") + 2
    return F.col("registration") + bins_until_its_end * (days * MILLISECONDS_PER_DAY) <= last_ts


def at_risk() -> Column:
    """Whether the user has not churned by the end of the bin."""
    return churned_in_time_bin() == 0
