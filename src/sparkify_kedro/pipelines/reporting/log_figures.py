"""What the log holds: from events and bins to figures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BLUE, GREEN, ORANGE, RAISES, band, finish, plain, words
from sparkify_kedro.framework.skipping import Skipped

from .parameters import Reporting

SONG = "NextSong"
_HOUR_MS = 3_600_000
_LEVELS = {"free": BLUE, "paid": ORANGE}
_FATES = {"churns": ORANGE, "downgrades": BLUE, "stays": GREEN}
_LAST_PAGES = ("Cancellation Confirmation", "Submit Downgrade")
# The normal distribution's quantile behind a 95 % interval.
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
        finish(volume, "Events per day", "A bar is a day (UTC). A gap or a cliff is a log that is incomplete there."),
        finish(
            users,
            "Users active on a day, free and paid",
            "A user counts on every day with an event, under each level the user had on it. Lines that fall while "
            "events do not mean that fewer people do more.",
        ),
    )


def draw_pages(events: DataFrame, reporting: Reporting) -> go.Figure:
    """How often each page is visited, per 1 000 songs.

    Args:
        events: one row per event.
        reporting: how many pages to show.

    Returns:
        The figure. Collects one row per page, ``reporting.pages`` and the songs at the most.
    """
    counted = events.groupBy("page").count()
    songs = F.sum(F.when(F.col("page") == SONG, F.col("count")))
    total = counted.agg(songs.alias("songs")).first().songs or 0
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
    figure.update_xaxes(title_text="visits per 1 000 songs (logarithmic)", type="log")
    return finish(
        figure,
        f"Pages visited per 1 000 songs ({total:,} songs)",
        "The scale is logarithmic: from one grid line to the next, ten times as many. Thumbs and adverts are everyday; "
        "downgrades and cancellations are rare, which is what makes churn hard to predict.",
        height=160 + 20 * len(pages),
    )


def fate() -> Column:
    """What became of a user by the end of the log, from all of the user's events."""
    visited = {page: F.max((F.col("page") == page).cast("int")) == 1 for page in _LAST_PAGES}
    churned, downgraded = visited.values()
    return F.when(churned, "churns").when(downgraded, "downgrades").otherwise("stays")


def listening_by_hour(events: DataFrame) -> pd.DataFrame:
    """Songs per hour of day and day of activity, by level and by what became of the user.

    Args:
        events: one row per event.

    Returns:
        One row per ``level``, ``fate`` and ``hour`` (0 to 23, UTC) with a song: ``songs``, and of the group as a whole
        ``days`` (days on which one of its users was active at that level, summed over users) and ``users``; and
        ``songs_per_day``. Collects 24 rows per group.
    """
    users = events.groupBy("user_id").agg(fate().alias("fate"))
    known = events.join(users, on="user_id", how="inner").withColumn(
        "hour", F.expr(f"(ts div {_HOUR_MS}) % 24").cast("int")
    )
    group = ["level", "fate"]
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
        A panel per level, a line per fate.
    """
    table = listening_by_hour(events)
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=[f"while {level}" for level in _LEVELS]
    )
    hours = list(range(24))
    for row, level in enumerate(_LEVELS, start=1):
        for name, color in _FATES.items():
            group = table[(table["level"] == level) & (table["fate"] == name)]
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
        "A point is the number of songs in that hour, averaged over the days on which a user of the group was active. "
        "Lines that lie on each other mean that the hour tells nothing about who leaves; few users make ragged lines.",
        height=520,
    )


def most_played(events: DataFrame, reporting: Reporting) -> list[dict[str, Any]]:
    """The songs played most often: ``artist``, ``song`` and ``plays``. Collects ``reporting.songs`` rows."""
    plays = events.where(F.col("page") == SONG).groupBy("artist", "song").agg(F.count(F.lit(1)).alias("plays"))
    chosen = plays.orderBy(F.desc("plays"), "artist", "song").limit(reporting.songs).collect()
    return [row.asDict() for row in chosen]


def churn_by_bin(user_time_bins: DataFrame, last: int) -> pd.DataFrame:
    """How many of the users with a row in a bin cancel in it, by bin since registration.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        last: bins from this one on are counted together.

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
    """The 95 % interval of a share that was seen in so many rows."""
    center = share + _Z**2 / (2 * rows)
    spread = _Z * (share * (1 - share) / rows + _Z**2 / (4 * rows**2)) ** 0.5
    scale = 1 + _Z**2 / rows
    return ((center - spread) / scale).clip(lower=0), ((center + spread) / scale).clip(upper=1)


def draw_churn_by_tenure(user_time_bins: DataFrame, time_bin_days: int, reporting: Reporting) -> go.Figure:
    """The share of users who cancel in a bin, by bin since registration, with its 95 % interval.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        time_bin_days: the length of a bin.
        reporting: from which bin on to count bins together.

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
                name="share who cancel in the bin",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(type="category", title_text=f"bin since registration ({time_bin_days} days each)")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return finish(
        figure,
        "Who cancels, by time since registration",
        "Of the users with any event in the bin, the share who cancel in it; the shaded area is its 95 % interval. "
        "Where areas overlap, the log does not show that one age is riskier than another.",
    )


def draw_class_balance(*labels_and_comparisons: Any) -> go.Figure:
    """How rare each label is, in the rows to learn from, after thinning, and in the rows to judge by.

    Args:
        labels_and_comparisons: a label's name and its comparison, in turn; of a label that was skipped, why.

    Returns:
        A bar per label and set; none of labels that were skipped.
    """
    figure = go.Figure()
    sets = {"rows to learn from": BLUE, "training rows, thinned": ORANGE, "test rows": GREEN}
    together = zip(labels_and_comparisons[::2], labels_and_comparisons[1::2], strict=True)
    pairs = [(label, comparison) for label, comparison in together if not isinstance(comparison, Skipped)][::-1]
    for name, color in sets.items():
        counts = [_rows_and_positives(comparison)[name] for _, comparison in pairs]
        figure.add_bar(
            x=[positives / rows if rows else 0 for rows, positives in counts],
            y=[words(label) for label, _ in pairs], orientation="h", marker={"color": color}, name=name,
            text=[f"{positives:,} of {rows:,}" for rows, positives in counts], textposition="outside", cliponaxis=False,
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", title_text="share of rows with the label", rangemode="tozero")
    return finish(
        figure,
        "How rare each label is",
        "The share of positive rows among all rows of users who are not held out, among those kept for training, and "
        "among the held-out rows that models are judged by. The last is the chance level of every AUC-PR.",
    )


def _rows_and_positives(comparison: dict[str, Any]) -> dict[str, tuple[int, int]]:
    scores = comparison["algorithms"][comparison["champion"]]
    sets = {
        "rows to learn from": scores["out_of_fold"],
        "training rows, thinned": scores["train"],
        "test rows": scores["test"],
    }
    return {name: (counts["rows"], counts["positives"]) for name, counts in sets.items()}
