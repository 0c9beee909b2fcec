"""Figures of the log: activity, pages, listening and churn by tenure."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BLUE, GREEN, ORANGE, RAISES, band, finish, plain, words
from sparkify_kedro.churn.reports import ClassCounts, Comparison, RankingScores
from sparkify_kedro.churn.vocabulary import CANCELLATION, DOWNGRADE, SONG
from sparkify_kedro.framework.skipping import Skipped

from .parameters import Reporting

_HOUR_MS = 3_600_000
_LEVELS = {"free": BLUE, "paid": ORANGE}
_OUTCOMES = {"churns": ORANGE, "downgrades": BLUE, "stays": GREEN}
# The quantile of the normal distribution for a 95 % interval.
_Z = 1.959964


def draw_activity(events: DataFrame) -> tuple[go.Figure, go.Figure]:
    """Events per day, and users who were active on a day, free and paid.

    Args:
        events: one row per event.

    Returns:
        The two figures. Collects one row per day of the log.
    """
    by_day = (
        events.groupBy("event_date")
        .agg(
            F.count(F.lit(1)).alias("events"),
            *(F.count_distinct(F.when(F.col("level") == level, F.col("user_id"))).alias(level) for level in _LEVELS),
        )
        .orderBy("event_date")
        .toPandas()
    )
    days = by_day["event_date"].astype(str).tolist()
    volume = go.Figure(go.Bar(x=days, y=by_day["events"].tolist(), marker={"color": BLUE}, name="events"))
    volume.update_yaxes(title_text="events", rangemode="tozero")
    users = go.Figure()
    for level, color in _LEVELS.items():
        users.add_scatter(x=days, y=by_day[level].tolist(), mode="lines", line={"color": color}, name=level)
    users.update_yaxes(title_text="users", rangemode="tozero")
    return (
        finish(
            volume,
            "Events per day",
            "A bar is a day (UTC). A gap or a sudden drop suggests that the log is incomplete.",
        ),
        finish(
            users,
            "Users active on a day, free and paid",
            "A user counts on every day with an event, under each level the user had on that day. If users fall while "
            "events do not, fewer users do more.",
        ),
    )


def draw_pages(events: DataFrame, reporting: Reporting) -> go.Figure:
    """Visits of each page per 1,000 songs.

    Args:
        events: one row per event.
        reporting: how many pages to show.

    Returns:
        The figure. Collects one row per page, ``reporting.pages`` and the songs at the most.
    """
    counted = events.groupBy("page").count()
    songs = F.sum(F.when(F.col("page") == SONG, F.col("count")))
    total = counted.agg(songs.alias("songs")).collect()[0].songs or 0
    pages = counted.where(F.col("page") != SONG).orderBy(F.desc("count"), "page").limit(reporting.pages).toPandas()
    per_1000 = (1_000 * pages["count"] / total if total else pages["count"] * 0.0).iloc[::-1]
    figure = go.Figure(
        go.Bar(
            x=per_1000.tolist(),
            y=[plain(page) for page in pages["page"].iloc[::-1]],
            orientation="h",
            marker={"color": BLUE},
            text=[f"{value:.3g}" for value in per_1000],
            textposition="outside",
            cliponaxis=False,
            name="visits",
        )
    )
    figure.update_xaxes(title_text="visits per 1,000 songs (logarithmic)", type="log")
    return finish(
        figure,
        f"Page visits per 1,000 songs ({total:,} songs)",
        "The scale is logarithmic: equal distances are equal ratios. Thumbs and adverts are frequent; "
        "downgrades and cancellations are rare, which makes churn hard to predict.",
        height=160 + 20 * len(pages),
    )


def outcome() -> Column:
    """Whether a user churns, downgrades or stays by the end of the log; from all events of the user."""
    churned, downgraded = (F.max((F.col("page") == page).cast("int")) == 1 for page in (CANCELLATION, DOWNGRADE))
    return F.when(churned, "churns").when(downgraded, "downgrades").otherwise("stays")


def listening_by_hour(events: DataFrame) -> pd.DataFrame:
    """Songs per hour of day and day of activity, by level and outcome of the user.

    Args:
        events: one row per event.

    Returns:
        One row per ``level``, ``outcome`` and ``hour`` (0 to 23, UTC) with a song: ``songs``, for the whole group
        ``days`` (days on which one of its users was active at that level, summed over users) and ``users``; and
        ``songs_per_day``. Collects 24 rows per group.
    """
    users = events.groupBy("user_id").agg(outcome().alias("outcome"))
    known = events.join(users, on="user_id", how="inner").withColumn(
        "hour", F.expr(f"(ts div {_HOUR_MS}) % 24").cast("int")
    )
    group = ["level", "outcome"]
    days = known.groupBy(*group).agg(
        F.count_distinct("user_id", "event_date").alias("days"), F.count_distinct("user_id").alias("users")
    )
    songs = known.where(F.col("page") == SONG).groupBy(*group, "hour").agg(F.count(F.lit(1)).alias("songs"))
    table = songs.join(days, on=group, how="inner").orderBy(*group, "hour").toPandas()
    return table.assign(songs_per_day=table["songs"] / table["days"])


def draw_listening(events: DataFrame) -> go.Figure:
    """The original's plot: listening by hour of day, for users who churn, downgrade or stay, free and paid.

    Args:
        events: one row per event.

    Returns:
        A panel per level, a line per outcome.
    """
    table = listening_by_hour(events)
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=[f"while {level}" for level in _LEVELS]
    )
    hours = list(range(24))
    for row, level in enumerate(_LEVELS, start=1):
        for name, color in _OUTCOMES.items():
            group = table[(table["level"] == level) & (table["outcome"] == name)]
            if group.empty:
                continue
            figure.add_scatter(
                x=hours, y=group.set_index("hour")["songs_per_day"].reindex(hours, fill_value=0).tolist(),
                mode="lines+markers", line={"color": color}, marker={"size": 5}, legendgroup=name,
                name=f"{name}, {level} ({group['users'].iloc[0]} users)", row=row, col=1,
            )  # fmt: skip
    figure.update_xaxes(title_text="hour of day (UTC)", row=2, col=1)
    figure.update_xaxes(dtick=4)
    figure.update_yaxes(title_text="songs", rangemode="tozero")
    return finish(
        figure,
        "Songs by hour of day, for users who churn, downgrade or stay",
        "A point is the mean number of songs in that hour per day on which a user of the group was active. Where lines "
        "coincide, the hour does not separate churners from others; lines of few users are noisy.",
        height=520,
    )


def most_played(events: DataFrame, reporting: Reporting) -> list[dict[str, Any]]:
    """The songs played most often: ``artist``, ``song`` and ``plays``. Collects ``reporting.songs`` rows."""
    plays = events.where(F.col("page") == SONG).groupBy("artist", "song").agg(F.count(F.lit(1)).alias("plays"))
    chosen = plays.orderBy(F.desc("plays"), "artist", "song").limit(reporting.songs).collect()
    return [row.asDict() for row in chosen]


def churn_by_bin(user_time_bins: DataFrame, last: int) -> pd.DataFrame:
    """The share of users with a row in a bin who cancel in it, by bin since registration.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        last: this bin and all later ones are counted together.

    Returns:
        One row per bin: ``time_bin``, ``users``, ``churned``, ``share`` and its 95 % interval ``low`` to ``high``
        (Wilson 1927, "Probable inference, the law of succession, and statistical inference").
    """
    table = (
        user_time_bins.groupBy(F.least("time_bin", F.lit(last)).alias("time_bin"))
        .agg(F.count(F.lit(1)).alias("users"), F.sum("churned_in_time_bin").alias("churned"))
        .orderBy("time_bin")
        .toPandas()
    )
    share = table["churned"] / table["users"]
    low, high = wilson_interval(share, table["users"])
    return table.assign(share=share, low=low, high=high)


def wilson_interval(share: pd.Series, rows: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The 95 % Wilson interval of a share of so many rows."""
    center = share + _Z**2 / (2 * rows)
    spread = _Z * (share * (1 - share) / rows + _Z**2 / (4 * rows**2)) ** 0.5
    scale = 1 + _Z**2 / rows
    return ((center - spread) / scale).clip(lower=0), ((center + spread) / scale).clip(upper=1)


def draw_churn_by_tenure(user_time_bins: DataFrame, time_bin_days: int, reporting: Reporting) -> go.Figure:
    """The share of users who cancel in a bin, by bin since registration, with its 95 % interval.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        time_bin_days: the length of a bin.
        reporting: the number of bins to show.

    Returns:
        The figure. Collects one row per bin, ``reporting.tenure_bins`` at the most.
    """
    table = churn_by_bin(user_time_bins, reporting.tenure_bins - 1)
    names = [
        f"{number}+" if number == reporting.tenure_bins - 1 else str(number) for number in table["time_bin"].tolist()
    ]
    hover = [f"{row.churned} of {row.users} users" for row in table.itertuples()]
    figure = go.Figure(
        [
            band(names, table["low"].tolist(), table["high"].tolist(), RAISES, "95 % interval"),
            go.Scatter(
                x=names, y=table["share"].tolist(), mode="lines+markers", text=hover, line={"color": RAISES},
                name="share who cancel in the window",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(type="category", title_text=f"bin since registration ({time_bin_days} days each)")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return finish(
        figure,
        "Churn rate by time since registration",
        "The share of users who cancel in the window, with its 95 % interval. Where intervals "
        "overlap, the log does not show that churn depends on tenure.",
    )


def draw_class_balance(**comparisons: Comparison | Skipped) -> go.Figure:
    """The prevalence of each label among development, training and test rows.

    Args:
        comparisons: by label; of a skipped label, the reason.

    Returns:
        A bar per label and set of rows; none for skipped labels.
    """
    by_label = [(label, each.champion_scores) for label, each in comparisons.items() if isinstance(each, Comparison)]
    learned = by_label[::-1]  # plotly draws from the bottom up
    figure = go.Figure()
    counted: tuple[tuple[str, str, list[ClassCounts | RankingScores]], ...] = (
        ("development rows", BLUE, [scores.out_of_fold for _, scores in learned]),
        ("training rows (negatives downsampled)", ORANGE, [scores.train for _, scores in learned]),
        ("test rows", GREEN, [scores.test for _, scores in learned]),
    )
    for name, color, counts in counted:
        figure.add_bar(
            x=[each.positives / each.rows if each.rows else 0 for each in counts],
            y=[words(label) for label, _ in learned], orientation="h", marker={"color": color}, name=name,
            text=[f"{each.positives:,} of {each.rows:,}" for each in counts], textposition="outside", cliponaxis=False,
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", title_text="share of positive rows", rangemode="tozero")
    return finish(
        figure,
        "Prevalence of each label",
        "The share of positive rows among all rows of users who are not held out, among those kept for training, and "
        "among the held-out rows.",
    )
