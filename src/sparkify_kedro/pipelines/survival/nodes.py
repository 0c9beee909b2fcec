"""How long users stay: curves of those whom the log observes, most of whom had registered before it began."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.device import device_family
from sparkify_kedro.churn.reports import (
    GroupDifference,
    LogSpan,
    RestrictedMean,
    SurvivalCurve,
    SurvivalPoint,
    SurvivalReport,
)
from sparkify_kedro.churn.vocabulary import CANCELLATION, MILLISECONDS_PER_DAY

from .parameters import Survival

Array = npt.NDArray[Any]

EVERYONE, EARLIER = "everyone", "earlier"
KINDS = ("cohort", "level", "device")


def observe_lifetimes(events: DataFrame, log_span: LogSpan) -> DataFrame:
    """From when to when each user is under observation, in days since registration.

    Args:
        events: one row per event.
        log_span: the log's first and last event.

    Returns:
        One row per user who is under observation for any time: ``entry_days`` (0 of those who register within the log,
        else the days from registration to its first event), ``exit_days`` (the cancellation, or the end of the log),
        whether it is a cancellation, and what is known at the first event: the month of registration, the level and
        the device. Users without any event in the log are not seen.
    """
    first, end = log_span.first_ts or 0, (log_span.last_ts or 0) + 1
    users = events.groupBy("user_id").agg(
        F.min("registration").alias("registration"),
        F.min(F.when(F.col("page") == CANCELLATION, F.col("ts"))).alias("churned_at"),
        F.min_by("level", "ts").alias("level"),
        F.min_by(device_family(F.col("user_agent")), "ts").alias("device"),
    )
    days = users.select(
        "user_id",
        ((F.greatest(F.col("registration"), F.lit(first)) - F.col("registration")) / MILLISECONDS_PER_DAY).alias(
            "entry_days"
        ),
        ((F.coalesce("churned_at", F.lit(end)) - F.col("registration")) / MILLISECONDS_PER_DAY).alias("exit_days"),
        F.col("churned_at").isNotNull().cast("int").alias("cancelled"),
        F.date_format(F.timestamp_millis("registration"), "yyyy-MM").alias("cohort"),
        "level",
        "device",
    )
    return days.where(F.col("exit_days") > F.col("entry_days"))


def estimate_survival(lifetimes: DataFrame, survival: Survival) -> SurvivalReport:
    """The share of users who are still there, by days since registration.

    Kaplan and Meier 1958, "Nonparametric estimation from incomplete observations", with delayed entry: a user counts as
    at risk from the day on which the log begins to observe them. A curve begins where enough users are under
    observation and is conditional on being there by then; it ends where there are too few.

    Args:
        lifetimes: one row per user.
        survival: how many users are enough, and how many cohorts there are; users of earlier ones are one.

    Returns:
        Curves of all users and by cohort, level and device, restricted mean lifetimes, and tests of difference.
        Collects the lifetimes by group and whole day of entry and exit: at most one per user.
    """
    keys = [*KINDS, "entry", "exit", "cancelled"]
    counted = (
        lifetimes.withColumns({"entry": F.floor("entry_days"), "exit": F.floor("exit_days") + 1})
        .groupBy(*keys)
        .agg(F.count(F.lit(1)).alias("users"))
        .toPandas()
        .sort_values(keys, ignore_index=True)
    )
    newest = sorted(counted["cohort"].unique())[-survival.cohorts :]
    counted["cohort"] = counted["cohort"].where(counted["cohort"].isin(newest), EARLIER)
    groups = {EVERYONE: {EVERYONE: counted}} | {kind: dict(iter(counted.groupby(kind, sort=True))) for kind in KINDS}
    curves = {
        kind: {
            str(name): curve for name, of_group in of_kind.items() if (curve := _curve(of_group, survival)) is not None
        }
        for kind, of_kind in groups.items()
    }
    return SurvivalReport(
        users=int(counted["users"].sum()),
        cancellations=int(counted.loc[counted["cancelled"] == 1, "users"].sum()),
        curves=curves,
        differences={kind: _difference(counted, kind, survival) for kind in KINDS},
    )


def _curve(counted: pd.DataFrame, survival: Survival) -> SurvivalCurve | None:
    """The curve of a group; None where there are never enough users under observation."""
    from lifelines import KaplanMeierFitter  # noqa: PLC0415 - two seconds, which only this pipeline takes

    span = _longest_span(counted, survival.fewest_at_risk)
    if span is None:
        return None
    start, end = span
    observed = counted[(counted["exit"] > start) & (counted["entry"] < end)]
    happens = (observed["cancelled"] == 1) & (observed["exit"] <= end)
    fitted = KaplanMeierFitter().fit(
        np.minimum(observed["exit"], end) - start,
        happens,
        entry=np.maximum(observed["entry"] - start, 0),
        weights=observed["users"],
        timeline=np.arange(end - start + 1),
    )
    share = fitted.survival_function_.iloc[:, 0].to_numpy()
    bounds = fitted.confidence_interval_.to_numpy()
    at_risk = _at_risk(observed, np.arange(start + 1, end + 1))
    gone = _per_day(observed[happens], "exit", np.arange(start + 1, end + 1))
    return SurvivalCurve(
        users=int(observed["users"].sum()),
        cancellations=int(gone.sum()),
        points=[
            SurvivalPoint(
                day=start + day,
                share=float(share[day]),
                interval=(float(bounds[day, 0]), float(bounds[day, 1])),
                at_risk=int(at_risk[max(day - 1, 0)]),
            )
            for day in range(end - start + 1)
        ],
        restricted_mean=_restricted_mean(share, at_risk, gone, start),
    )


def _per_day(counted: pd.DataFrame, column: str, days: Array) -> Array:
    """Users by the day in a column."""
    sums = counted.groupby(column)["users"].sum()
    return sums.reindex(days, fill_value=0).to_numpy()


def _at_risk(counted: pd.DataFrame, days: Array) -> Array:
    """Users under observation on each day: those who entered before it and have not left before it."""
    every = np.arange(int(max(counted["exit"].max(), days[-1])) + 1)
    entered, left = (np.cumsum(_per_day(counted, column, every)) for column in ("entry", "exit"))
    at_risk: Array = entered[days - 1] - left[days - 1]
    return at_risk


def _longest_span(counted: pd.DataFrame, fewest: int) -> tuple[int, int] | None:
    """The longest run of days with enough users under observation: the day before it, and its last day."""
    if counted.empty:
        return None
    days = np.arange(1, int(counted["exit"].max()) + 1)
    is_enough = _at_risk(counted, days) >= fewest
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_enough, [False]]).astype(int)))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return None
    first, after = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(days[first]) - 1, int(days[after - 1])


def _restricted_mean(share: Array, at_risk: Array, gone: Array, start: int) -> RestrictedMean:
    """The mean number of days that a user who is there at the start stays, of those up to the end.

    The area under the curve, with the interval of Klein and Moeschberger 2003, "Survival analysis", section 4.5.
    """
    # The share holds from its day to the next one.
    ahead = np.append(np.cumsum(share[:-1][::-1])[::-1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(gone > 0, ahead[1:] ** 2 * gone / (at_risk * (at_risk - gone)), 0.0)
    # Where the last users under observation cancel, the rest of the area is 0, and so is its variance.
    spread = 1.96 * float(np.sqrt(np.nansum(np.where(np.isfinite(terms), terms, 0.0))))
    days, length = float(ahead[0]), len(share) - 1
    return RestrictedMean(
        from_day=start,
        to_day=start + length,
        days=days,
        interval=(max(days - spread, 0.0), min(days + spread, float(length))),
    )


def _difference(counted: pd.DataFrame, kind: str, survival: Survival) -> GroupDifference:
    """Whether the groups of a kind differ: a test of the hazards of those with enough cancellations.

    The likelihood-ratio test of Cox's model with delayed entry, of which the log-rank test is the score test (Cox 1972,
    "Regression models and life-tables").
    """
    from lifelines import CoxPHFitter  # noqa: PLC0415 - as above
    from lifelines.exceptions import ConvergenceError  # noqa: PLC0415

    if kind == "cohort":
        return GroupDifference(reason="cohorts are seen at different ages, so they have few days in common")
    cancelled = counted[counted["cancelled"] == 1].groupby(kind)["users"].sum()
    compared = sorted(cancelled.index[cancelled >= survival.fewest_cancellations])
    if len(compared) < 2:
        return GroupDifference(
            reason=f"fewer than two groups have {survival.fewest_cancellations} cancellations (survival."
            "fewest_cancellations)"
        )
    rows = counted[counted[kind].isin(compared)]
    table = rows[["entry", "exit", "cancelled", "users"]].join(pd.get_dummies(rows[kind], dtype=float).iloc[:, 1:])
    try:
        fitted = CoxPHFitter().fit(table, "exit", "cancelled", entry_col="entry", weights_col="users")
    except ConvergenceError:
        return GroupDifference(reason="the hazards of the groups could not be fitted")
    return GroupDifference(p_value=float(fitted.log_likelihood_ratio_test().p_value), groups=compared)
