"""What all figures have in common."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

# Tones between light and dark, so that they are seen on a white page and on a black one, and told apart by a
# color-blind reader or in gray.
BLUE, ORANGE, GREEN, GRAY = "#2f7fd6", "#d9700f", "#1a9e77", "#888888"
ALGORITHM_COLORS = {"logistic_regression": BLUE, "random_forest": GREEN, "gradient_boosted_trees": ORANGE}
RAISES, LOWERS = ORANGE, BLUE
CLEAR = "rgba(0,0,0,0)"

# How strongly an interval is drawn around its line.
BAND = 0.15


def words(name: str) -> str:
    """A name of the code as words: ``random_forest`` is random forest."""
    return name.replace("_", " ")


def heading(name: str) -> str:
    """The same at the beginning of a title."""
    return words(name).capitalize()


def plain(text: str) -> str:
    """A string that may come from the log, as plotly shows it without taking it for markup."""
    return escape(str(text), quote=False)


def number(value: float | None, digits: int = 2) -> str:
    """A score as people read it."""
    return "unknown" if value is None else f"{value:.{digits}f}"


def interval(edges: list[float] | None) -> str:
    """An interval as people read it."""
    return "unknown" if edges is None else f"{edges[0]:.2f} to {edges[1]:.2f}"


def band(x: Any, low: Any, high: Any, color: str, name: str) -> go.Scatter:
    """An interval along a line, as an area without a border."""
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=color,
        opacity=BAND,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        name=name,
    )


def finish(figure: go.Figure, title: str, how_to_read: str, height: int = 380) -> go.Figure:
    """Give a figure its title, a sentence on how to read it, and the looks of all figures.

    Args:
        figure: traces and axes.
        title: what the figure shows; what comes from the log in it is ``plain`` already.
        how_to_read: a sentence that the page prints beneath.
        height: in pixels.

    Returns:
        The figure itself, with ``layout.meta["how_to_read"]``.
    """
    figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}},
        template="plotly_white",
        meta={"how_to_read": how_to_read},
        height=height,
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        # Below the axis' title, whatever the height.
        legend={"orientation": "h", "yanchor": "top", "y": -65 / (height - 130), "x": 0, "xanchor": "left"},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure
