"""The as-of date, and the rows of users at risk at a landmark: one definition for features, scoring and backtest."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from .parameters import FeatureEngineering
from .reports import LogSpan
from .vocabulary import MILLISECONDS_PER_DAY, day_of, midnight


def as_of_ts(log_span: LogSpan, parameters: FeatureEngineering) -> int:
    """The as-of date in ms since the epoch: events at or after it are not used. Without a date, the end of the log.

    Raises:
        ValueError: where the date does not lie inside the log.
    """
    first, last = log_span.first_ts, log_span.last_ts
    if first is None or last is None:
        return 1  # an empty log has no rows
    if parameters.as_of is None:
        return last + 1
    as_of = midnight(parameters.as_of)
    # The midnight at the end of the log's last day is allowed, too.
    if not first < as_of <= last + MILLISECONDS_PER_DAY:
        raise ValueError(
            f"feature_engineering.as_of is {parameters.as_of}, and the log covers {day_of(first)} to {day_of(last)}: "
            "choose a day inside it"
        )
    return as_of


def rows_at_risk(user_time_bins: DataFrame, landmark: int) -> DataFrame:
    """The rows of the users who have not cancelled before a landmark (ms since the epoch): at most one per user."""
    return user_time_bins.where((F.col("bin_end") == landmark) & F.col("at_risk"))
