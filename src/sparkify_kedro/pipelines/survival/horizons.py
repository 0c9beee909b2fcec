"""The forecast at several horizons, each by a champion of its own, as a curve per user."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import plotly.graph_objects as go
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BLUE, GRAY, finish, plain
from sparkify_kedro.churn.reports import ChampionMetadata, HorizonForecast, HorizonReport
from sparkify_kedro.churn.vocabulary import day_of

from .parameters import Survival


def join_horizons(labels: Sequence[str], **of_labels: Any) -> tuple[DataFrame, HorizonReport]:
    """Put the probabilities of each user beside each other, by horizon.

    The champions of the horizons do not know of each other: where a longer horizon has a lower probability, it is
    raised to that of the shorter one.

    Args:
        labels: the labels, which differ in their horizon.
        of_labels: ``{label}_scores``, one row per user, and ``{label}_metadata``, the champion's description.

    Returns:
        One row per user whom all have scored and ``horizon_days``: ``probability``, and ``is_raised``. The report has
        what each champion promised. Collects a few numbers per horizon.

    Raises:
        ValueError: where the scores are of different as-of dates.
    """
    metadata: dict[str, ChampionMetadata] = {label: of_labels[f"{label}_metadata"] for label in labels}
    ascending = sorted(labels, key=lambda label: metadata[label].horizon_days)
    latest = F.max(F.unix_millis("as_of"))
    dates = {label: of_labels[f"{label}_scores"].agg(latest).first()[0] for label in ascending}
    if len(set(dates.values())) > 1:
        each = ", ".join(f"{label} as of {day_of(as_of)}" for label, as_of in dates.items() if as_of is not None)
        raise ValueError(
            f"the scores of the horizons are of different days ({each}): run scoring and other_horizons again"
        )
    beside = [of_labels[f"{label}_scores"].select("user_id", F.col("probability").alias(label)) for label in ascending]
    users = reduce(lambda left, right: left.join(right, on="user_id", how="inner"), beside)
    raised = [
        F.greatest(*map(F.col, ascending[: place + 1])) if place else F.col(ascending[0])
        for place in range(len(ascending))
    ]
    curve = F.array(
        *(
            F.struct(
                F.lit(metadata[label].horizon_days).alias("horizon_days"),
                highest.alias("probability"),
                (highest > F.col(label)).alias("is_raised"),
            )
            for label, highest in zip(ascending, raised, strict=True)
        )
    )
    curves = users.select("user_id", F.inline(curve))
    counted = {
        row.horizon_days: row
        for row in curves.groupBy("horizon_days")
        .agg(
            F.count(F.lit(1)).alias("users"),
            F.sum("probability").alias("expected"),
            F.count_if("is_raised").alias("raised"),
        )
        .collect()
    }
    return curves, HorizonReport(
        as_of=None if (as_of := next(iter(dates.values()))) is None else str(day_of(as_of)),
        horizons=[
            HorizonForecast(
                label=label,
                horizon_days=(days := metadata[label].horizon_days),
                users=counted[days].users if days in counted else 0,
                expected=counted[days].expected if days in counted else 0.0,
                raised=counted[days].raised if days in counted else 0,
                promised=metadata[label].out_of_fold,
            )
            for label in ascending
        ],
    )


def draw_curves(forecast_curves: DataFrame, horizon_report: HorizonReport, survival: Survival) -> go.Figure:
    """The probability of having cancelled, by days after the as-of date.

    Args:
        forecast_curves: one row per user and horizon.
        horizon_report: the horizons.
        survival: how many users to draw.

    Returns:
        A line for each of the users with the highest probability at the longest horizon, and one for the mean of all.
        Collects the horizons of those users.
    """
    days = [each.horizon_days for each in horizon_report.horizons]
    longest = forecast_curves.where(F.col("horizon_days") == days[-1])
    first = longest.orderBy(F.desc("probability"), "user_id").limit(survival.curves_shown).select("user_id")
    shown = forecast_curves.join(first, on="user_id").orderBy("user_id", "horizon_days").toPandas()
    figure = go.Figure()
    for number, (user, of_user) in enumerate(shown.groupby("user_id", sort=True)):
        figure.add_scatter(
            x=[0, *of_user["horizon_days"]], y=[0, *of_user["probability"]], mode="lines+markers", opacity=0.6,
            line={"color": BLUE, "width": 1.5}, name="users with the highest probability", legendgroup="users",
            showlegend=number == 0, hovertext=f"user {plain(str(user))}",
        )  # fmt: skip
    mean = [each.expected / max(each.users, 1) for each in horizon_report.horizons]
    figure.add_scatter(
        x=[0, *days], y=[0, *mean], mode="lines+markers", line={"color": GRAY, "width": 4}, name="mean of all users"
    )
    figure.update_xaxes(title_text="days after the as-of date", tickvals=[0, *days])
    figure.update_yaxes(title_text="probability of having cancelled", tickformat=".0%", rangemode="tozero")
    return finish(
        figure,
        "The forecast at several horizons",
        "Each horizon has a champion of its own; between horizons the lines are only drawn. How long a single user "
        "will still stay is not claimed.",
        height=420,
    )
