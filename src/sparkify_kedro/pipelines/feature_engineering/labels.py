"""The churn labels of a row: a cancellation in its window, in the days after it, or in either."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import FeatureEngineering, Label
from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY


def at_risk() -> Column:
    """Whether the user has not cancelled before the landmark."""
    return F.coalesce(F.col("churned_at") >= F.col("bin_end"), F.lit(True))


def label_columns(as_of: int, parameters: FeatureEngineering) -> dict[str, Column]:
    """The labels by name: 1 for churn, 0 for none, null where the log does not cover the horizon.

    Args:
        as_of: the end of the log that is used (ms since the epoch).
        parameters: the labels, and what counts where the horizon is not covered.

    Returns:
        Columns, from ``bin_end``, ``churned_at`` and ``cancelled_in_window``.
    """
    return {name: _label(label, as_of, parameters.unobserved_is_no_churn) for name, label in parameters.labels.items()}


def _label(label: Label, as_of: int, unobserved_is_no_churn: bool) -> Column:
    horizon_end = F.col("bin_end") + label.horizon_days * MILLISECONDS_PER_DAY
    in_horizon = F.coalesce(
        (F.col("churned_at") >= F.col("bin_end")) & (F.col("churned_at") < horizon_end), F.lit(False)
    )
    churned = in_horizon | (F.col("cancelled_in_window") == 1) if label.in_window else in_horizon
    if label.horizon_days == 0 or unobserved_is_no_churn:
        return churned.cast("int")
    return F.when(horizon_end <= F.lit(as_of), churned.cast("int"))
