"""Tables of the log for users who cancel and users who stay, and their figures.

A user cancels where the log has the cancellation; all events of the user count, so these figures describe, and do not
predict: what they show of users who cancel includes the days before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BLUE, GRAY, GREEN, ORANGE, finish, plain
from sparkify_kedro.churn.vocabulary import CANCELLATION, SONG

from .parameters import Exploration

CANCELS, STAYS = "cancels", "stays"
_COLORS = {CANCELS: ORANGE, STAYS: BLUE}
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_GONE = "gone"
_EARLIER = "earlier"
_IN_ORDER = ("ts", "session_id", "item_in_session")


def with_outcome(events: DataFrame) -> DataFrame:
    """The events with ``outcome``: whether their user cancels in the log, or stays."""
    cancels = F.max((F.col("page") == CANCELLATION).cast("int")) == 1
    users = events.groupBy("user_id").agg(F.when(cancels, CANCELS).otherwise(STAYS).alias("outcome"))
    return events.join(users, on="user_id", how="inner")


def session_lengths(events: DataFrame, limits: list[float]) -> pd.DataFrame:
    """Sessions by outcome and length.

    Args:
        events: one row per event.
        limits: between the lengths, in minutes.

    Returns:
        One row per ``outcome`` and ``length`` (the number of limits that are not longer): ``sessions``, and their
        ``share`` of the sessions of the outcome. Collects as many rows.
    """
    sessions = (
        with_outcome(events)
        .groupBy("outcome", "user_id", "session_id")
        .agg(((F.max("ts") - F.min("ts")) / _MINUTE_MS).alias("minutes"))
    )
    length = sum((F.when(F.col("minutes") >= limit, 1).otherwise(0) for limit in sorted(limits)), F.lit(0))
    counted = sessions.groupBy("outcome", length.alias("length")).agg(F.count(F.lit(1)).alias("sessions"))
    table = counted.orderBy("outcome", "length").toPandas()
    return table.assign(share=table["sessions"] / table.groupby("outcome")["sessions"].transform("sum"))


def draw_sessions(events: DataFrame, exploration: Exploration) -> go.Figure:
    """How long sessions are.

    Args:
        events: one row per event.
        exploration: the limits between lengths.
    """
    limits = sorted(exploration.session_minutes)
    names = [
        f"under {_duration(limits[0])}",
        *(f"{_duration(low)} to {_duration(high)}" for low, high in itertools.pairwise(limits)),
        f"{_duration(limits[-1])} and more",
    ]
    table = session_lengths(events, limits)
    figure = go.Figure()
    for outcome, color in _COLORS.items():
        share = table[table["outcome"] == outcome].set_index("length")["share"].reindex(range(len(names)), fill_value=0)
        figure.add_bar(x=names, y=share.tolist(), marker={"color": color}, name=f"user {outcome}")
    figure.update_yaxes(title_text="share of sessions", tickformat=".0%", rangemode="tozero")
    return finish(
        figure,
        "Length of sessions",
        "From the first to the last event of a session. Where the bars of users who cancel stand apart from those of "
        "users who stay, the length of sessions tells something.",
    )


def retention(events: DataFrame, cohorts: int) -> pd.DataFrame:
    """Users by month of registration who are active in each week of the log.

    Args:
        events: one row per event.
        cohorts: how many months; users of earlier ones are one cohort.

    Returns:
        One row per ``cohort`` (a month, such as 2018-09, or ``earlier``) and ``week`` (0 for the first seven days of
        the log) with an active user: ``active``, the ``users`` of the cohort who are in the log at all, and ``share``.
        Collects as many rows.
    """
    month = F.date_format(F.timestamp_millis(F.min("registration")), "yyyy-MM")
    users = events.groupBy("user_id").agg(month.alias("month"))
    first = events.agg(F.min("event_date").alias("first"))
    active = (
        events.select("user_id", "event_date")
        .distinct()
        .join(first)
        .select("user_id", F.floor(F.datediff("event_date", "first") / 7).cast("int").alias("week"))
        .distinct()
        .join(users, on="user_id")
    )
    by_month = active.groupBy("month", "week").agg(F.count(F.lit(1)).alias("active")).toPandas()
    sizes = users.groupBy("month").agg(F.count(F.lit(1)).alias("users")).toPandas()
    newest = sorted(sizes["month"].dropna())[-cohorts:]
    by_month, sizes = (
        each.assign(cohort=each["month"].where(each["month"].isin(newest), _EARLIER)) for each in (by_month, sizes)
    )
    of_cohort = sizes.groupby("cohort")["users"].sum()
    table = by_month.groupby(["cohort", "week"], as_index=False)["active"].sum()
    with_users: pd.DataFrame = table.assign(users=table["cohort"].map(of_cohort))
    return with_users.assign(share=with_users["active"] / with_users["users"])


def draw_retention(events: DataFrame, exploration: Exploration) -> go.Figure:
    """The share of a cohort's users who are active in a week.

    Args:
        events: one row per event.
        exploration: how many cohorts.
    """
    table = retention(events, exploration.cohorts)
    # The earliest cohort on top: "earlier" is before all months.
    names = sorted(table["cohort"].unique(), key=lambda name: "" if name == _EARLIER else name, reverse=True)
    wide = table.pivot_table(index="cohort", columns="week", values="share").reindex(names)
    users = table.drop_duplicates("cohort").set_index("cohort")["users"]
    figure = go.Figure(
        go.Heatmap(
            x=[f"week {week + 1}" for week in wide.columns.astype(int)],
            y=[f"{name} ({users[name]:,})" for name in names],
            z=wide.to_numpy().tolist(),
            zmin=0,
            zmax=1,
            colorscale="Blues",
            colorbar={"tickformat": ".0%"},
            hovertemplate="%{y}<br>%{x}: %{z:.0%} active<extra></extra>",
        )
    )
    figure.update_yaxes(type="category", title_text="registration (users)")
    return finish(
        figure,
        "Users active in a week, by month of registration",
        "A row is the users who registered in a month, as far as they are in the log; a cell is the share of them with "
        "any event in a week (of seven days, from the log's first day). Before its month a new cohort is empty. The "
        "last week may be shorter.",
        height=170 + 26 * len(names),
    )


def transitions(events: DataFrame, pages: int) -> pd.DataFrame:
    """What page follows another one in a session.

    Args:
        events: one row per event.
        pages: the most visited pages.

    Returns:
        One row per ``outcome``, ``page`` and ``next_page`` of these pages that occur: ``visits``, and their ``share``
        of the visits of the page that are followed by one of these pages. Collects pages x pages rows per outcome at
        most.
    """
    counts = events.groupBy("page").count().orderBy(F.desc("count"), "page").limit(pages).collect()
    most_visited = [row.page for row in counts]
    session = Window.partitionBy("user_id", "session_id").orderBy(*_IN_ORDER)
    followed = with_outcome(events).withColumn("next_page", F.lead("page").over(session))
    counted = (
        followed.where(F.col("page").isin(most_visited) & F.col("next_page").isin(most_visited))
        .groupBy("outcome", "page", "next_page")
        .agg(F.count(F.lit(1)).alias("visits"))
        .orderBy("outcome", "page", "next_page")
        .toPandas()
    )
    total = counted.groupby(["outcome", "page"])["visits"].transform("sum")
    return counted.assign(share=counted["visits"] / total)


def draw_transitions(events: DataFrame, exploration: Exploration) -> go.Figure:
    """What page follows another one, for users who cancel and users who stay.

    Args:
        events: one row per event.
        exploration: how many pages.
    """
    table = transitions(events, exploration.pages)
    names = sorted(set(table["page"]) | set(table["next_page"]))
    shown = [plain(name) for name in names]
    wide = {
        outcome: rows.pivot_table(index="page", columns="next_page", values="share").reindex(index=names, columns=names)
        for outcome, rows in table.groupby("outcome")
    }
    figure = _side_by_side(wide, shown, shown, "%{y} to %{x}: %{z:.1%}")
    figure.update_layout(coloraxis={"cmax": 1, "colorbar": {"tickformat": ".0%"}})
    figure.update_xaxes(type="category", tickangle=-60)
    return finish(
        figure,
        "From page to page",
        "A row is a page, a column the page after it in the session; a cell is the share of the visits of the row's "
        "page, among those that are followed by a page shown here. Rows that differ between both sides tell the groups "
        "apart.",
        height=260 + 22 * len(names),
    )


def listening_by_week(events: DataFrame) -> pd.DataFrame:
    """Songs by weekday and hour.

    Args:
        events: one row per event.

    Returns:
        One row per ``outcome``, ``weekday`` (0 is Monday) and ``hour`` (UTC) with a song: ``songs``, and their
        ``share`` of the songs of the outcome. Collects 168 rows per outcome at most.
    """
    songs = with_outcome(events).where(F.col("page") == SONG)
    counted = (
        songs.groupBy(
            "outcome",
            F.weekday("event_date").alias("weekday"),
            F.expr(f"cast((ts div {_HOUR_MS}) % 24 as int)").alias("hour"),
        )
        .agg(F.count(F.lit(1)).alias("songs"))
        .orderBy("outcome", "weekday", "hour")
        .toPandas()
    )
    return counted.assign(share=counted["songs"] / counted.groupby("outcome")["songs"].transform("sum"))


def draw_week(events: DataFrame) -> go.Figure:
    """When users listen, for users who cancel and users who stay.

    Args:
        events: one row per event.
    """
    table = listening_by_week(events)
    wide = {
        outcome: rows.pivot_table(index="weekday", columns="hour", values="share").reindex(range(7), columns=range(24))
        for outcome, rows in table.groupby("outcome")
    }
    figure = _side_by_side(wide, list(range(24)), list(_WEEKDAYS), "%{y} %{x}:00 UTC: %{z:.2%} of songs")
    figure.update_layout(coloraxis={"colorbar": {"tickformat": ".1%"}})
    figure.update_xaxes(title_text="hour (UTC)")
    return finish(
        figure,
        "Listening by weekday and hour",
        "A cell is the share of a group's songs that are played in that hour of the week.",
        height=330,
    )


def level_flows(events: DataFrame) -> pd.DataFrame:
    """Users by the level that they begin the log with, and how they end it.

    Args:
        events: one row per event.

    Returns:
        One row per ``begins`` (free or paid) and ``ends`` (free, paid or gone) that occurs: ``users``. Collects six
        rows at most.
    """
    order: list[Column] = [F.col(name) for name in _IN_ORDER]
    users = events.groupBy("user_id").agg(
        F.min_by("level", F.struct(*order)).alias("begins"),
        F.max_by("level", F.struct(*order)).alias("last"),
        F.max((F.col("page") == CANCELLATION).cast("int")).alias("is_gone"),
    )
    ends = F.when(F.col("is_gone") == 1, _GONE).otherwise(F.col("last"))
    counted = users.groupBy("begins", ends.alias("ends")).agg(F.count(F.lit(1)).alias("users"))
    return counted.orderBy("begins", "ends").toPandas()


def draw_level_flows(events: DataFrame) -> go.Figure:
    """How many users go from free and paid to free, paid and gone.

    Args:
        events: one row per event.
    """
    table = level_flows(events)
    begins, ends = ("free", "paid"), ("free", "paid", _GONE)
    colors = {"free": BLUE, "paid": GREEN, _GONE: ORANGE}
    of_begin, of_end = (table.groupby(side)["users"].sum().to_dict() for side in ("begins", "ends"))
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [
                    *(f"begins {name}: {of_begin.get(name, 0):,}" for name in begins),
                    *(f"ends {name}: {of_end.get(name, 0):,}" for name in ends),
                ],
                "color": [colors[name] for name in (*begins, *ends)],
                "pad": 20,
                "line": {"width": 0},
            },
            link={
                "source": [begins.index(name) for name in table["begins"]],
                "target": [len(begins) + ends.index(name) for name in table["ends"]],
                "value": table["users"].tolist(),
                "color": [f"rgba(136, 136, 136, {0.25 if name != _GONE else 0.45})" for name in table["ends"]],
            },
            textfont={"color": GRAY, "size": 14},
        )
    )
    return finish(
        figure,
        "From free and paid to free, paid and gone",
        "Users by their level at their first event in the log and at their last one; gone are those who cancelled. "
        "Changes in between are not shown.",
    )


def _side_by_side(shares: Mapping[Any, pd.DataFrame], x: list[Any], y: list[Any], hover: str) -> go.Figure:
    """A heat map for each outcome, with one scale of colors; the first row on top, and 0 where a share is missing."""
    titles = [f"user {outcome}" for outcome in _COLORS]
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03)
    for column, outcome in enumerate(_COLORS, start=1):
        z = shares[outcome].fillna(0).to_numpy().tolist() if outcome in shares else [[0] * len(x) for _ in y]
        figure.add_heatmap(
            x=x, y=y, z=z, coloraxis="coloraxis", hovertemplate=f"{hover}<extra></extra>", row=1, col=column
        )
    figure.update_layout(coloraxis={"colorscale": "Blues", "cmin": 0})
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def _duration(minutes: float) -> str:
    """``30 min``, ``2 h``."""
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
