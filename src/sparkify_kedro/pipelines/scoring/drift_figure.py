"""The picture of drift."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from sparkify_kedro.churn.figure_style import BLUE, GRAY, ORANGE, finish, words

# Columns that the figure shows; the report has all.
_SHOWN = 12


def draw_drift(drift_report: dict[str, Any]) -> go.Figure:
    """How far the scored rows are from the training rows, for the columns that moved most.

    Args:
        drift_report: what ``report_drift`` has written.

    Returns:
        A bar per column, with what chance alone gives it; without any where nobody was scored.
    """
    stability = drift_report["stability"]
    moved = sorted(stability, key=lambda name: stability[name]["index"])[-_SHOWN:]
    names = [words(name) for name in moved]
    figure = go.Figure(
        [
            go.Bar(
                x=[stability[name]["index"] for name in moved], y=names, orientation="h", marker={"color": BLUE},
                name="population stability index",
            ),
            go.Scatter(
                x=[stability[name]["by_chance"] for name in moved], y=names, mode="markers",
                marker={"color": ORANGE, "symbol": "line-ns-open", "size": 14}, name="what chance alone gives",
            ),
        ]
    )  # fmt: skip
    figure.add_vline(x=drift_report["warn_above"], line={"color": GRAY, "dash": "dot"})
    figure.update_xaxes(title_text="population stability index (dotted: a warning begins)", rangemode="tozero")
    return finish(
        figure,
        "Drift: how unlike the training rows the scored rows are",
        "0 is no difference, and up to what chance alone gives (orange) a difference means nothing. Features of "
        "history and tenure move by themselves as a log grows, and never warn.",
        height=170 + 20 * len(moved),
    )
