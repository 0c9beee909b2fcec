"""The figures of survival."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sparkify_kedro.churn.figure_style import BLUE, GRAY, GREEN, ORANGE, band, finish, heading, plain
from sparkify_kedro.churn.reports import SurvivalReport

_COLORS = (BLUE, ORANGE, GREEN, "#9a5fd0", "#c74b8b", "#8a6d1f", GRAY)
# Days beneath which the numbers of users at risk stand.
_TICKS = 7


def draw_survival(survival_report: SurvivalReport) -> dict[str, go.Figure]:
    """The share of users who are still there, by days since registration, with the number at risk beneath.

    Args:
        survival_report: the curves.

    Returns:
        A figure per kind of group: ``everyone``, ``cohort``, ``level`` and ``device``.
    """
    return {kind: _draw(kind, survival_report) for kind in survival_report.curves}


def _draw(kind: str, report: SurvivalReport) -> go.Figure:
    curves = report.curves[kind]
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1,
        row_heights=[0.8, 0.2 + 0.02 * len(curves)], subplot_titles=["", "users at risk"],
    )  # fmt: skip
    last = max((curve.points[-1].day for curve in curves.values()), default=1)
    first = min((curve.points[0].day for curve in curves.values()), default=0)
    ticks = np.unique(np.linspace(first, last, _TICKS).round().astype(int))
    for (name, curve), color in zip(curves.items(), _COLORS * len(curves), strict=False):
        days = [point.day for point in curve.points]
        shares = [point.share for point in curve.points]
        low, high = zip(*(point.interval for point in curve.points), strict=True)
        shown = plain(name)
        figure.add_trace(band(days, low, high, color, shown), row=1, col=1)
        figure.add_trace(
            go.Scatter(x=days, y=shares, mode="lines", line={"color": color, "shape": "hv"}, name=shown), row=1, col=1
        )
        at_risk = {point.day: point.at_risk for point in curve.points}
        figure.add_trace(
            go.Scatter(
                x=ticks, y=[shown] * len(ticks), text=[f"{at_risk[day]:,}" if day in at_risk else "" for day in ticks],
                mode="text", textfont={"size": 11}, hoverinfo="skip", showlegend=False,
            ),
            row=2, col=1,
        )  # fmt: skip
    figure.update_yaxes(title_text="still there", tickformat=".0%", rangemode="tozero", row=1, col=1)
    # Half a line above the first group and below the last one, which would else be cut.
    figure.update_yaxes(type="category", showgrid=False, range=[len(curves) - 0.5, -0.5], row=2, col=1)
    figure.update_xaxes(title_text="days since registration", showgrid=False, row=2, col=1)
    return finish(
        figure,
        "How long users stay" if kind not in report.differences else f"How long users stay, by {heading(kind).lower()}",
        "Kaplan-Meier curves with 95 % bands, of users under observation: those who registered before the log count "
        "from its first day. A curve is conditional on being there where it begins, and ends where few users are "
        "observed.",
        height=420 + 22 * len(curves),
    )
