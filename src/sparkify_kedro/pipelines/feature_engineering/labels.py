"""The labels of a row: a cancellation, a downgrade or an upgrade, in its window or in the days after it."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import FeatureEngineering, Label
from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY

# When the event of a label happens next: at or after the landmark, or, of a cancellation, at all.
_NEXT = {"cancellation": "churned_at", "downgrade": "next_downgrade", "upgrade": "next_upgrade"}


def at_risk() -> Column:
    """Whether the user has not cancelled before the landmark."""
    return F.coalesce(F.col("churned_at") >= F.col("bin_end"), F.lit(True))


def label_columns(as_of: int, parameters: FeatureEngineering) -> dict[str, Column]:
    """The labels by name: 1 if the event happens, 0 if not, null where that is unknown or cannot be.

    Unknown where the log does not cover the horizon. Users who have cancelled before the landmark, and those who are
    not at the label's level at the landmark, cannot change from it.

    Args:
        as_of: the end of the log that is used (ms since the epoch).
        parameters: the labels, and what counts where the horizon is not covered.

    Returns:
        Columns, from ``bin_end``, ``churned_at``, ``next_downgrade``, ``next_upgrade``, ``level_at_end`` and
        ``cancelled_in_window``.
    """
    return {name: _label(label, as_of, parameters.unobserved_is_no_churn) for name, label in parameters.labels.items()}


def _label(label: Label, as_of: int, unobserved_is_no_churn: bool) -> Column:
    event, horizon_end = F.col(_NEXT[label.event]), F.col("bin_end") + label.horizon_days * MILLISECONDS_PER_DAY
    in_horizon = F.coalesce((event >= F.col("bin_end")) & (event < horizon_end), F.lit(False))
    happens = in_horizon | (F.col("cancelled_in_window") == 1) if label.in_window else in_horizon
    is_known = F.lit(label.horizon_days == 0 or unobserved_is_no_churn) | (horizon_end <= F.lit(as_of))
    can_happen = F.lit(True) if label.level is None else at_risk() & (F.col("level_at_end") == label.level)
    return F.when(is_known & can_happen, happens.cast("int"))
