"""From events to one row per user and time bin."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from .activity import bin_aggregates, previously_downgraded, time_bin
from .labels import LABELS, at_risk, next_bin_observed
from .parameters import FeatureEngineering
from .schemas import KEYS, user_time_bins


def engineer_user_time_bins(
    events: DataFrame, ingestion_report: dict[str, Any], parameters: FeatureEngineering
) -> DataFrame:
    """Group the events once, by user and time bin, and look from each bin at its neighbours.

    Args:
        events: one row per event.
        ingestion_report: the log's account; its ``last_ts`` says how far the log reaches, without another pass.
        parameters: the length of a bin.

    Returns:
        One row per (user_id, time_bin) in which the user did anything: the 25 original features, the labels, and
        whether the row can be judged (``at_risk``, ``next_bin_observed``).
    """
    days = parameters.time_bin_days
    binned = events.withColumn("time_bin", time_bin(F.col("ts"), F.col("registration"), days))
    aggregates = [column.alias(name) for name, column in bin_aggregates().items()]
    bins = binned.groupBy(*KEYS).agg(*aggregates)
    # A log without events has no last moment, and no rows to ask.
    last_ts = ingestion_report["last_ts"] or 0
    seen_from_each_bin = {
        "previously_downgraded": previously_downgraded(),
        **{name: label() for name, label in LABELS.items()},
        "at_risk": at_risk(),
        "next_bin_observed": next_bin_observed(last_ts, days),
    }
    return bins.withColumns(seen_from_each_bin).select(*user_time_bins.struct.names)
