"""The figure of the user types."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sparkify_kedro.churn.figure_style import BLUE, ORANGE, finish
from sparkify_kedro.churn.reports import UserTypes, UserTypesByFold
from sparkify_kedro.churn.vocabulary import LEVELS

_COLORS = dict(zip(LEVELS, (BLUE, ORANGE), strict=True))
# Factors beyond which a color does not change.
_STRONGEST = 4.0


def draw_user_types(user_types: UserTypesByFold) -> go.Figure:
    """The types that were found: how many users, how often they cancel, and which pages they visit.

    Args:
        user_types: those of all users who are not held out are drawn.

    Returns:
        Bars of the cancellations per 100 sessions by type and level, and for each level the share of every page among a
        type's visits as a factor of all types' share.
    """
    types = user_types.of_all
    names = [f"type {number}: {share:.0%} of users" for number, share in enumerate(types.shares, start=1)]
    figure = make_subplots(
        rows=3, cols=1, vertical_spacing=0.17, row_heights=[0.3, 0.35, 0.35],
        subplot_titles=["cancellations per 100 sessions", *(f"pages at level {level}" for level in LEVELS)],
    )  # fmt: skip
    for level in LEVELS:
        figure.add_bar(
            x=[100 * rate for rate in types.levels[level].cancellations_per_session], y=names, orientation="h",
            name=f"at level {level}", marker={"color": _COLORS[level]}, row=1, col=1,
        )  # fmt: skip
    for row, level in enumerate(LEVELS, start=2):
        factors = _factors(types, level)
        figure.add_heatmap(
            x=types.pages, y=[f"type {number}" for number in range(1, len(names) + 1)],
            z=[[math.log2(factor) for factor in of_type] for of_type in factors],
            customdata=factors, hovertemplate="%{y}, %{x}: %{customdata:.2f} times the share of all<extra></extra>",
            zmin=-math.log2(_STRONGEST), zmax=math.log2(_STRONGEST),
            colorscale=[[0, BLUE], [0.5, "rgba(136,136,136,0.08)"], [1, ORANGE]], showscale=False, row=row, col=1,
        )  # fmt: skip
    return finish(figure, "Types of users", _how_to_read(types), height=420 + 60 * len(names))


def _factors(types: UserTypes, level: str) -> list[list[float]]:
    """By type and page: the page's share among visits of the type, relative to that of all types."""
    shares = types.levels[level].page_shares
    columns = zip(*shares, strict=True)
    average = [sum(w * s for w, s in zip(types.shares, column, strict=True)) for column in columns]
    return [[share / mean for share, mean in zip(of_type, average, strict=True)] for of_type in shares]


def _how_to_read(types: UserTypes) -> str:
    gain = types.criteria[0] - min(types.criteria)
    number = len(types.shares)
    verdict = (
        f"{number} types describe the visits of {types.users:,} users best: the information criterion is {gain:,.0f} "
        "lower than that of one type"
        if number > 1
        else f"no number of types describes the visits of {types.users:,} users better than a single one"
    )
    return (
        f"Users who differ in the pages they visit: {verdict}. The order is that of their cancellations; orange pages "
        "are visited more by a type than by others at the same level, blue ones less."
    )
