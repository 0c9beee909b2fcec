"""The features that models depend on most, and the direction of their effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import GRAY, LOWERS, RAISES, algorithm_name, finish, heading, words
from sparkify_kedro.churn.reports import Comparison, SearchReport

from .parameters import Reporting


def feature_directions(predictions: DataFrame, features: Sequence[str]) -> pd.DataFrame:
    """Whether a score rises or falls with each feature, and how much the feature varies.

    Args:
        predictions: the scored held-out rows, with the features.
        features: the columns to look at.

    Returns:
        One row per feature: ``correlation`` of score and feature over the rows, and ``spread``, the standard deviation
        of the feature; missing where nothing varies. Collects one row per feature.
    """
    # Hundreds of aggregated columns would take Spark long to compile, so features become rows.
    values = F.array(*(F.col(name).cast("double") for name in features))
    melted = predictions.select(F.posexplode(values).alias("position", "value"), "score")
    aggregated = melted.groupBy("position").agg(
        F.stddev("value").alias("spread"), F.corr("value", "score").alias("correlation")
    )
    by_position = {row.position: row for row in aggregated.collect()}
    columns = {
        name: [by_position[n][name] if n in by_position else None for n in range(len(features))]
        for name in ("spread", "correlation")
    }
    return pd.DataFrame(columns, index=list(features), dtype=float)


def draw_features(
    comparison: Comparison,
    reporting: Reporting,
    label: str,
    **datasets: Any,
) -> go.Figure:
    """The most important features of each model, and the direction of their effect.

    Args:
        comparison: the label's champion.
        reporting: how many features to show.
        label: the label's name.
        datasets: ``{algorithm}_search_report``, with the weights of the features, and ``{algorithm}_predictions``, the
            scored held-out rows with the features.

    Returns:
        A panel per algorithm: for logistic regression the change of the log-odds per standard deviation of the
        feature, for trees and networks importances, colored by the sign of the correlation of score and feature.
    """
    search_reports: dict[str, SearchReport] = {
        name: datasets[f"{name}_search_report"] for name in comparison.algorithms
    }
    figure = make_subplots(
        rows=len(search_reports), cols=1, vertical_spacing=0.28 / len(search_reports),
        subplot_titles=[algorithm_name(name, comparison.champion) for name in search_reports],
    )  # fmt: skip
    in_legend: set[str] = set()
    for row, (algorithm, report) in enumerate(search_reports.items(), start=1):
        weights = report.coefficients or report.importances or {}
        directions = feature_directions(datasets[f"{algorithm}_predictions"], list(weights))
        is_linear = report.coefficients is not None
        strength = pd.Series(weights) * (directions["spread"].fillna(0) if is_linear else 1)
        direction = strength if is_linear else directions["correlation"].fillna(0)
        shown = strength.abs().nlargest(reporting.features).iloc[::-1]
        _add_bars(figure, row, shown[shown > 0], direction, in_legend)
        title = "change of the log-odds per standard deviation" if is_linear else "importance (share of the whole)"
        figure.update_xaxes(title_text=title, row=row, col=1)
    return finish(
        figure,
        f"{heading(label)}: most important features",
        "The longer a bar, the more the score depends on the feature; the color shows whether users with larger values "
        "have higher or lower risk. Correlated features share their weight arbitrarily: read the longest bars, not "
        "their order.",
        height=140 + len(search_reports) * (90 + 20 * reporting.features),
    )


def _add_bars(figure: go.Figure, row: int, shown: pd.Series, direction: pd.Series, in_legend: set[str]) -> None:
    signs = direction[shown.index]
    for name, color, is_shown in (
        ("raises the risk", RAISES, signs > 0),
        ("lowers the risk", LOWERS, signs < 0),
        ("no effect on average", GRAY, signs == 0),
    ):
        bars = shown[is_shown]
        if bars.empty:
            continue
        figure.add_bar(
            x=bars.tolist(), y=[words(str(feature)) for feature in bars.index], orientation="h",
            marker={"color": color}, name=name, legendgroup=name, showlegend=name not in in_legend, row=row, col=1,
        )  # fmt: skip
        in_legend.add(name)
    order = [words(str(feature)) for feature in shown.index]
    figure.update_yaxes(categoryorder="array", categoryarray=order, tickfont={"size": 10}, row=row, col=1)
