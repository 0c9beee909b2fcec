"""From events to one row per user and time bin."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import LogSpan
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY, RATED_PAGES

from .activity import (
    bin_aggregates,
    page_feature,
    previously_downgraded,
    session_totals,
    time_bin,
)
from .device import device_flags
from .exposure import bin_end, bin_start, observed_days
from .labels import LABELS, at_risk, next_bin_observed
from .rates import ACTIVITIES, against_earlier_bins, period_rates
from .schemas import user_time_bins

# The columns of ``_totals`` that are summed over a user's bins.
_SUMMED = (*ACTIVITIES, *RATED_PAGES, "session_ms", "paid_ms")


def engineer_user_time_bins(events: DataFrame, log_span: LogSpan, parameters: FeatureEngineering) -> DataFrame:
    """Aggregate the events by user and time bin, and derive features and labels from each user's sequence of bins.

    Every feature of a bin depends only on the user's own events before the end of the bin, and on the time that the log
    covers.

    Args:
        events: one row per event.
        log_span: ``first_ts`` and ``last_ts``, the time that the log covers (ms since the epoch).
        parameters: the length of a bin, and averages and strengths for the rates.

    Returns:
        One row per (user_id, time_bin) with at least one event: the original and the extended features, the labels, the
        flags ``at_risk`` and ``next_bin_observed``, and columns for selection and segments (``bin_end`` and
        ``churned_at`` in ms since the epoch, ``level_at_end``, ``device``).
    """
    days = parameters.time_bin_days
    # An empty log has no span; the values are not used, because there are no rows.
    first_ts, last_ts = log_span.first_ts or 0, log_span.last_ts or 0
    binned = events.withColumn("time_bin", time_bin(F.col("ts"), F.col("registration"), days))
    aggregates = [column.alias(name) for name, column in bin_aggregates().items()]
    bins = binned.groupBy(*KEYS).agg(*aggregates).join(session_totals(binned, KEYS), on=list(KEYS), how="inner")
    seen_from_each_bin = {
        "previously_downgraded": previously_downgraded(),
        **{name: label() for name, label in LABELS.items()},
        "at_risk": at_risk(),
        "next_bin_observed": next_bin_observed(last_ts, days),
        "bin_end": bin_end(days),
        **_totals(days, first_ts, last_ts),
    }
    with_totals = bins.withColumns(seen_from_each_bin)
    features = with_totals.withColumns(_history()).withColumns(_extended_features(parameters))
    return features.select(*user_time_bins.struct.names)


def _totals(days: int, first_ts: int, last_ts: int) -> dict[str, Column]:
    """The totals of a bin, and the days of the bin and of the history that the log covers."""
    # Exposure starts at registration; bins before it (caused by wrong clocks) have none.
    covered = {"bin": F.greatest(bin_start(days), F.col("registration")), "history": F.col("registration")}
    return {
        "paid_at_end": (F.col("level_at_end") == "paid").cast("int"),
        "sessions": F.col("sessions_in_time_bin"),
        "songs": F.col("page_nextsong"),
        **{word: F.col(page_feature(page)) for word, page in RATED_PAGES.items()},
        **{
            f"observed_days_{name}": observed_days(since, bin_end(days), first_ts, last_ts)
            for name, since in covered.items()
        },
    }


def _history() -> dict[str, Column]:
    """Running totals from registration to the end of the bin."""
    so_far = Window.partitionBy("user_id").orderBy("time_bin").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return {f"{name}_so_far": F.sum(name).over(so_far) for name in _SUMMED}


def _extended_features(parameters: FeatureEngineering) -> dict[str, Column]:
    """The extended features, derived from totals of the bin and of the history."""

    def in_bin(name: str) -> Column:
        return F.col("observed_days_bin" if name == "observed_days" else name)

    def in_history(name: str) -> Column:
        return F.col("observed_days_history" if name == "observed_days" else f"{name}_so_far")

    def earlier(name: str) -> Column:
        return in_history(name) - in_bin(name)

    age_at_end = (F.col("bin_end") - F.col("registration")) / MILLISECONDS_PER_DAY
    idle = F.greatest(F.col("bin_end") - F.col("last_event_ts"), F.lit(0)) / MILLISECONDS_PER_DAY
    return {
        "observed_days_in_time_bin": in_bin("observed_days"),
        "observed_days_in_history": in_history("observed_days"),
        # At least one day, also for a bin before registration.
        "log_tenure_days": F.log(F.greatest(age_at_end, F.lit(1))),
        **device_flags(),
        **period_rates(in_bin, "in_time_bin", parameters),
        **period_rates(in_history, "in_history", parameters),
        **against_earlier_bins(in_bin, earlier, parameters),
        "days_since_last_event": idle,
    }
