"""Landmarks: the times at which users are described.

A row's window ends at its landmark, and its horizon begins there. Landmarks are counted back from the as-of date in
steps of ``stride_days``, or from each user's registration in time bins (``anchor``). ``bin_end`` is the landmark of a
row (ms since the epoch, the exclusive end of the window).
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY


def time_bin(ts: Column, registration: Column, days: int) -> Column:
    """Whole bins of ``days`` days from registration to ts (both ms since the epoch), truncated toward zero."""
    return F.call_function("div", ts - registration, F.lit(days * MILLISECONDS_PER_DAY)).cast("int")


def with_days(events: DataFrame, as_of: int, parameters: FeatureEngineering) -> DataFrame:
    """The events before the as-of date, with their day: every window consists of whole days.

    Args:
        events: one row per event.
        as_of: ms since the epoch.
        parameters: anchor and window.

    Returns:
        The events with the columns of ``day_keys``. ``day`` is a number, counted back from the as-of date like the
        landmarks, or of the calendar (UTC); where windows are counted from registration, ``bin_end`` is the landmark of
        the event's only window.
    """
    # Without a date, the as-of date is the end of the log.
    known = events if parameters.as_of is None else events.where(F.col("ts") < as_of)
    if parameters.anchor == "as_of":
        return known.withColumn("day", _whole_days(F.lit(as_of - 1) - F.col("ts")))
    number = time_bin(F.col("ts"), F.col("registration"), parameters.time_bin_days).cast("long")
    bin_end = F.col("registration") + (number + 1) * parameters.window_ms
    return known.withColumns({"day": _whole_days(F.col("ts")), "bin_end": bin_end})


def day_keys(parameters: FeatureEngineering) -> tuple[str, ...]:
    """The columns that tell the days of a user's windows apart."""
    return ("user_id", "day") if parameters.anchor == "as_of" else (*KEYS, "day")


def at_landmarks(days: DataFrame, as_of: int, parameters: FeatureEngineering) -> DataFrame:
    """The days, once for each landmark whose window contains them.

    Args:
        days: rows with the columns of ``day_keys``.
        as_of: ms since the epoch.
        parameters: anchor, window and stride.

    Returns:
        The rows with ``bin_end``, and ``is_new``: whether the landmark before, one stride earlier, does not contain the
        day.
    """
    if parameters.anchor == "registration":
        return days.withColumn("is_new", F.lit(True))
    stride, window = (length // MILLISECONDS_PER_DAY for length in (parameters.stride_ms, parameters.window_ms))
    # Landmarks too are numbered in days before the as-of date: the window of L contains the days L to L + window - 1.
    last = F.call_function("div", "day", F.lit(stride)) * stride
    if stride == window:
        numbered = days.withColumn("landmark", last)
    else:
        before = F.call_function("div", F.col("day") - window, F.lit(stride)) + 1
        first = F.when(F.col("day") < window, F.lit(0).cast("long")).otherwise(before * stride)
        numbered = days.withColumn("landmark", F.explode(F.sequence(first, last, F.lit(stride).cast("long"))))
    bin_end = F.lit(as_of) - F.col("landmark") * MILLISECONDS_PER_DAY
    is_new = F.col("day") < F.col("landmark") + stride
    return numbered.withColumns({"bin_end": bin_end, "is_new": is_new}).drop("landmark")


def _whole_days(milliseconds: Column) -> Column:
    return F.call_function("div", milliseconds, F.lit(MILLISECONDS_PER_DAY))


def window_start(parameters: FeatureEngineering) -> Column:
    """Start of a row's window (ms since the epoch, inclusive).

    Counted from registration, bins are truncated toward zero: bin 0 also contains the length of a bin before it, and
    earlier bins begin as much before what their number says.
    """
    start = F.col("bin_end") - parameters.window_ms
    if parameters.anchor == "as_of":
        return start
    return F.when(F.col("time_bin") <= 0, start - parameters.window_ms + 1).otherwise(start)


def fill_landmarks(bins: DataFrame, counts: Collection[str], as_of: int, parameters: FeatureEngineering) -> DataFrame:
    """Rows for the landmarks whose window has no event of a user, between the first event and the as-of date.

    Args:
        bins: one row per user and landmark with an event in its window, and ``churned_at`` of the user.
        counts: the columns that are 0 in a window without events; the others keep the value of the landmark before.
        as_of: ms since the epoch.
        parameters: which rows there are.

    Returns:
        One row per user and landmark; unchanged where ``rows`` is ``active``. None after a cancellation.
    """
    if parameters.rows == "active":
        return bins
    stride = F.lit(parameters.stride_ms)
    by_time = Window.partitionBy("user_id").orderBy("bin_end")
    after_last = F.when(F.col("churned_at").isNull(), F.lit(as_of)).otherwise(F.col("bin_end")) + stride
    last = F.greatest(F.coalesce(F.lead("bin_end").over(by_time), after_last) - stride, F.col("bin_end"))
    filled = bins.withColumn("last_filled", last).select(
        "*", F.explode(F.sequence(F.col("bin_end"), F.col("last_filled"), stride)).alias("landmark")
    )
    is_empty = F.col("landmark") > F.col("bin_end")
    zeros = {name: F.when(is_empty, 0).otherwise(F.col(name)).alias(name) for name in counts}
    others = [name for name in bins.columns if name not in (*KEYS, *counts)]
    return filled.select("user_id", F.col("landmark").alias("bin_end"), *others, *zeros.values())


def is_row(first_ts: int, parameters: FeatureEngineering) -> Column:
    """Whether a landmark is a row: the log covers enough time before it, and the user had not cancelled by then.

    A user who cancels within the window still has a row, which is not at risk.
    """
    if parameters.rows == "active":
        return F.lit(True)
    has_history = F.col("bin_end") - parameters.min_history_days * MILLISECONDS_PER_DAY >= first_ts
    was_there = F.coalesce(F.col("churned_at") >= F.col("bin_end") - parameters.window_ms, F.lit(True))
    return has_history & was_there
