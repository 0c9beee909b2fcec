"""The figure of monitoring."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sparkify_kedro.churn.figure_style import BLUE, DOTTED, GRAY, ORANGE, finish, interval_bars
from sparkify_kedro.churn.reports import ExpectedObserved, MonitoringReport


def draw_monitoring(monitoring_report: MonitoringReport) -> go.Figure:
    """Expected and observed cancellations by scoring run, and of the newest run by decile.

    Args:
        monitoring_report: the runs.

    Returns:
        Two panels; empty ones where no outcome is known.
    """
    runs, newest = monitoring_report.judged[::-1], monitoring_report.newest
    of_newest = [] if newest is None else newest.deciles
    titles = ["cancellations by scoring run", "by decile of the newest run"]
    figure = make_subplots(rows=2, cols=1, subplot_titles=titles, vertical_spacing=0.2)
    days = [run.as_of for run in runs]
    low, high = [run.kept_between[0] for run in runs], [run.kept_between[1] for run in runs]
    middle = [run.all_users.expected for run in runs]
    bars = {
        "type": "data", "symmetric": False, "thickness": 6, "width": 0,
        "array": [top - value for top, value in zip(high, middle, strict=True)],
        "arrayminus": [value - bottom for bottom, value in zip(low, middle, strict=True)],
    }  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=days, y=middle, error_y=bars, mode="markers", marker={"color": GRAY, "size": 9, "symbol": "line-ew-open"},
            name="expected, and what counts as such",
        ),
        row=1, col=1,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=days, y=[run.all_users.observed for run in runs], mode="markers", marker={"color": ORANGE, "size": 10},
            name="came",
        ),
        row=1, col=1,
    )  # fmt: skip
    x, y, edges = _shares(of_newest)
    figure.add_trace(
        go.Scatter(
            x=x, y=y, error_y=edges, mode="markers", marker={"color": BLUE, "size": 8}, name="a decile of users",
        ),
        row=2, col=1,
    )  # fmt: skip
    most = max([*x, *y, 0.01])
    figure.add_trace(
        go.Scatter(x=[0, most], y=[0, most], mode="lines", line=DOTTED, showlegend=False, hoverinfo="skip"),
        row=2, col=1,
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(title_text="as-of date", type="category", row=1, col=1)
    figure.update_xaxes(title_text="mean probability", tickformat=".0%", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(title_text="share that cancelled", tickformat=".0%", row=2, col=1)
    return finish(
        figure,
        "What came of the forecasts",
        "Above, an orange point outside its gray bar is an alarm. Below, points on the dotted line are right; those "
        "above it had more cancellations than expected; bars are intervals of the share.",
        height=640,
    )


def _shares(deciles: list[ExpectedObserved]) -> tuple[list[float], list[float], dict[str, object]]:
    """Mean probability and share of events of each decile, with the interval of the share."""
    x = np.array([each.expected / each.users for each in deciles])
    y = np.array([each.observed / each.users for each in deciles])
    ratios = np.array([each.interval or (0.0, 0.0) for each in deciles]).reshape(-1, 2)
    return x.tolist(), y.tolist(), interval_bars(y, x * ratios[:, 0], x * ratios[:, 1])
