"""The figure of drift."""

from __future__ import annotations

import plotly.graph_objects as go

from sparkify_kedro.churn.figure_style import BLUE, GRAY, ORANGE, finish, words
from sparkify_kedro.churn.reports import DriftReport

# Columns that the figure shows; the report has all of them.
_SHOWN = 12


def draw_drift(drift_report: DriftReport) -> go.Figure:
    """The population stability index of the columns with the largest shift.

    Args:
        drift_report: the stability of every column.

    Returns:
        A bar per column, with the index expected by chance; none where no user was scored.
    """
    stability = drift_report.stability
    moved = sorted(stability, key=lambda name: stability[name].index)[-_SHOWN:]
    names = [words(name) for name in moved]
    figure = go.Figure(
        [
            go.Bar(
                x=[stability[name].index for name in moved], y=names, orientation="h", marker={"color": BLUE},
                name="population stability index",
            ),
            go.Scatter(
                x=[stability[name].by_chance for name in moved], y=names, mode="markers",
                marker={"color": ORANGE, "symbol": "line-ns-open", "size": 14}, name="expected by chance",
            ),
        ]
    )  # fmt: skip
    figure.add_vline(x=drift_report.warn_above, line={"color": GRAY, "dash": "dot"})
    figure.update_xaxes(title_text="population stability index (dotted: limit for warnings)", rangemode="tozero")
    return finish(
        figure,
        "Drift of the scored rows from the training rows",
        "0 is no difference; an index up to the one expected by chance (orange) is not significant. Features of "
        "history and tenure shift as a log grows and raise no warning.",
        height=170 + 20 * len(moved),
    )
