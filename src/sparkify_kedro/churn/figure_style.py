"""The common style of all figures: colors, texts, intervals and layout."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

from .vocabulary import HORIZON_LABELS, LABELS

# Medium tones: visible on white and black pages, distinguishable for color-blind readers and in gray.
BLUE, ORANGE, GREEN, GRAY = "#2f7fd6", "#d9700f", "#1a9e77", "#888888"
ALGORITHM_COLORS = {
    "logistic_regression": BLUE,
    "random_forest": GREEN,
    "gradient_boosted_trees": ORANGE,
    "neural_network": "#9a5fd0",
    "recurrent_network": "#c74b8b",
}
RAISES, LOWERS = ORANGE, BLUE
CLEAR = "rgba(0,0,0,0)"
DOTTED = {"color": GRAY, "dash": "dot"}

# Opacity of the interval around a line.
BAND = 0.15


def words(name: str) -> str:
    """An identifier as words: ``random_forest`` becomes random forest."""
    return name.replace("_", " ")


def heading(name: str) -> str:
    """An identifier as words, capitalized for a title."""
    return words(name).capitalize()


def positives_of(label: str) -> str:
    """What the positive rows of a label are called."""
    return "churners" if label in (*LABELS, *HORIZON_LABELS) else "positives"


def algorithm_name(name: str, champion: str) -> str:
    """An algorithm as words, with a mark on the champion."""
    return words(name) + (" (champion)" if name == champion else "")


def plain(text: str) -> str:
    """A string from the data, escaped so that plotly does not render it as markup."""
    return escape(str(text), quote=False)


def number(value: float | None, digits: int = 2) -> str:
    """A number as text; unknown where it is missing."""
    return "unknown" if value is None else f"{value:.{digits}f}"


def interval(edges: tuple[float, float] | None) -> str:
    """An interval as text; unknown where it is missing."""
    return "unknown" if edges is None else f"{edges[0]:.2f} to {edges[1]:.2f}"


def interval_bars(middle: Any, low: Any, high: Any) -> dict[str, Any]:
    """Error bars of an interval around each point, as numbers or columns."""
    return {"type": "data", "symmetric": False, "array": high - middle, "arrayminus": middle - low}


def band(x: Any, low: Any, high: Any, color: str, name: str) -> go.Scatter:
    """An interval around a line, as an area without a border."""
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
    """Set the title of a figure, the sentence on how to read it, and the common layout.

    Args:
        figure: traces and axes.
        title: what the figure shows; strings from the data in it are ``plain``.
        how_to_read: a sentence that the page shows below the figure.
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
        # Below the title of the axis, whatever the height.
        legend={"orientation": "h", "yanchor": "top", "y": -65 / (height - 130), "x": 0, "xanchor": "left"},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure
