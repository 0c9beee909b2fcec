"""From events to one row per user and landmark."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.device import device_flags
from sparkify_kedro.churn.landmarks import as_of_ts
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import LogSpan
from sparkify_kedro.churn.vocabulary import KEYS, LEVELS, MILLISECONDS_PER_DAY, RATED_PAGES, TYPED_PAGES

from .activity import (
    at_level,
    daily_songs,
    daily_stays,
    distinct_songs,
    merge_days,
    page_feature,
    window_totals,
)
from .exposure import observed_days
from .labels import at_risk, label_columns
from .landmarks import at_landmarks, day_keys, fill_landmarks, is_row, window_start, with_days
from .rates import ACTIVITIES, against_earlier_bins, period_rates
from .schemas import user_time_bins
from .sequences import earlier_landmarks

# The totals of a window, and of its events that no earlier window contains: those are summed over a user's history.
_TOTALS = (
    *ACTIVITIES,
    *RATED_PAGES,
    "session_ms",
    "paid_ms",
    *(at_level(name, level) for level in LEVELS for name in ("sessions", *map(page_feature, TYPED_PAGES))),
)
# What is known of a user, and does not vanish in a window without events.
_LASTING = (
    "is_male", "first_cancellation", "first_downgrade", "registration", "last_event_ts", "level_at_end", "device",
    "churned_at", "next_downgrade", "next_upgrade",
)  # fmt: skip


def engineer_user_time_bins(events: DataFrame, log_span: LogSpan, parameters: FeatureEngineering) -> DataFrame:
    """Describe every user at every landmark, and label the row with what follows.

    Every feature of a row depends only on the user's own events before the landmark, and on the time that the log
    covers.

    Args:
        events: one row per event.
        log_span: ``first_ts`` and ``last_ts``, the time that the log covers (ms since the epoch).
        parameters: the landmarks, the window before them, the labels, and averages and strengths for the rates.

    Returns:
        One row per (user_id, bin_end): the original and the extended features of the window that ends at the landmark
        ``bin_end`` (ms since the epoch) and of the history before it, counts of the history by level (sessions, and
        visits to each of ``TYPED_PAGES``), the labels (null where the log does not cover the horizon), the flag
        ``at_risk``, and columns for selection and segments (``churned_at`` in ms since the epoch, ``level_at_end``,
        ``device``), and of earlier landmarks what ``earlier_landmarks`` asks for.

    Raises:
        ValueError: where the as-of date does not lie inside the log.
    """
    as_of = as_of_ts(log_span, parameters)
    first_ts = log_span.first_ts or 0
    known, keys = with_days(events, as_of, parameters), day_keys(parameters)
    # All that follows is about one user: so few rows are worth a shuffle that they all share.
    stays = merge_days(at_landmarks(daily_stays(known, keys).repartition("user_id"), as_of, parameters))
    songs = distinct_songs(at_landmarks(daily_songs(known, keys), as_of, parameters))
    windows = window_totals(stays).join(songs, list(KEYS), "inner")
    with_events = windows.withColumns(_events()).drop("first_new_downgrade", "first_new_upgrade")
    counts = [name for name in with_events.columns if name not in (*KEYS, *_LASTING)]
    bins = fill_landmarks(with_events, counts, as_of, parameters)
    with_totals = bins.withColumns(_totals(first_ts, as_of, parameters))
    with_history = with_totals.withColumns(_history(parameters)).where(is_row(first_ts, parameters))
    features = with_history.withColumns(
        {**_extended_features(parameters), **_counts_in_history(), **label_columns(as_of, parameters)}
    )
    earlier = earlier_landmarks(parameters.earlier_landmarks)
    rows = features.withColumns({"at_risk": at_risk(), **earlier})
    return rows.select(*user_time_bins.struct.names, *earlier)


def _events() -> dict[str, Column]:
    """When the user cancels, and when the next downgrade and the next upgrade after the landmark are."""
    of_user = Window.partitionBy("user_id")
    after = of_user.orderBy("bin_end").rowsBetween(1, Window.unboundedFollowing)
    return {
        "churned_at": F.min("first_cancellation").over(of_user),
        "next_downgrade": F.min("first_new_downgrade").over(after),
        "next_upgrade": F.min("first_new_upgrade").over(after),
    }


def _totals(first_ts: int, as_of: int, parameters: FeatureEngineering) -> dict[str, Column]:
    """The totals of a window, and the days of the window and of the history that the log covers."""
    start = F.col("bin_end") - parameters.window_ms
    # Exposure starts at registration; windows before it (caused by wrong clocks) have none.
    covered = {"bin": F.greatest(start, F.col("registration")), "history": F.col("registration")}
    return {
        # The bin that contains the last moment of the window.
        "time_bin": (F.ceil((F.col("bin_end") - F.col("registration")) / parameters.window_ms) - 1).cast("int"),
        "paid_at_end": (F.col("level_at_end") == "paid").cast("int"),
        "sessions": F.col("sessions_in_time_bin"),
        "songs": F.col("page_nextsong"),
        **{word: F.col(page_feature(page)) for word, page in RATED_PAGES.items()},
        **{
            f"observed_days_{name}": observed_days(since, F.col("bin_end"), first_ts, as_of)
            for name, since in covered.items()
        },
    }


def _history(parameters: FeatureEngineering) -> dict[str, Column]:
    """Running totals up to the landmark, and whether the user downgraded before the window."""
    so_far = Window.partitionBy("user_id").orderBy("bin_end").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    is_earlier = F.min("first_downgrade").over(so_far) < window_start(parameters)
    return {
        "previously_downgraded": F.coalesce(is_earlier, F.lit(False)).cast("int"),
        **{f"{name}_so_far": F.sum(f"new_{name}").over(so_far) for name in _TOTALS},
    }


def _extended_features(parameters: FeatureEngineering) -> dict[str, Column]:
    """The extended features, derived from totals of the window and of the history."""

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


def _counts_in_history() -> dict[str, Column]:
    """Of the history, by level: sessions, and visits to each of ``TYPED_PAGES`` as an array in their order."""
    columns = {"sessions_in_history": F.col("sessions_so_far")}
    for level in LEVELS:
        columns[f"sessions_at_{level}_in_history"] = F.col(f"{at_level('sessions', level)}_so_far")
        pages = (F.col(f"{at_level(page_feature(page), level)}_so_far") for page in TYPED_PAGES)
        columns[f"pages_at_{level}_in_history"] = F.array(*pages)
    return columns
