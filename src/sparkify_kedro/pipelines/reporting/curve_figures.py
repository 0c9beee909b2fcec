"""Precision-recall, ROC, gain and lift curves of a label's models on held-out users."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pyspark.sql import DataFrame

from sparkify_kedro.churn.figure_style import (
    ALGORITHM_COLORS,
    DOTTED,
    GRAY,
    band,
    finish,
    heading,
    number,
    positives_of,
    words,
)
from sparkify_kedro.churn.reports import Comparison
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.learning.curves import (
    Array,
    Cumulated,
    Curve,
    at,
    cumulate,
    gain,
    lift,
    precision_recall,
    roc,
    thin,
)
from sparkify_kedro.learning.evaluation import bootstrap_weights, collect_scored
from sparkify_kedro.learning.parameters import Evaluation

# Positions along an axis at which a band is drawn.
_GRID = np.linspace(0, 1, 101)
_CURVES = {"precision_recall": precision_recall, "roc": roc, "gain": gain, "lift": lift}

Band = tuple[Array, Array]


def draw_curves(
    comparison: Comparison, evaluation: Evaluation, label: str, **predictions: DataFrame
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure]:
    """Precision-recall, ROC, gain and lift on held-out users; for the champion with a 95 % band over users.

    Args:
        comparison: the label's champion and scores.
        evaluation: rows to collect, bootstrap samples and seed.
        label: the label's name.
        predictions: the scored held-out rows, by algorithm.

    Returns:
        Four figures. Collects the scored rows of each algorithm, ``evaluation.max_rows`` at most.
    """
    curves: dict[str, dict[str, Curve]] = {}
    bands: dict[str, Band] = {}
    for algorithm in comparison.algorithms:
        rows = collect_scored(predictions[algorithm].select(*KEYS, "label", "score"), evaluation)
        if rows["label"].nunique() < 2:
            continue
        curves[algorithm] = _curves(_cumulated(rows, np.ones((1, len(rows)))))
        if algorithm == comparison.champion:
            bands = curve_bands(rows, evaluation)
    scores = comparison.champion_scores.test
    chance = number(scores.chance.average_precision_mean if scores.chance else None)
    champion, found = f"{heading(label)}: {words(comparison.champion)}", positives_of(label)
    read_band = "The shaded area is the 95 % band of the champion's curve over bootstrap samples of users. "
    return (
        _draw(
            curves, bands, "precision_recall", ("recall", "precision"),
            title=f"{champion}, average precision {number(scores.average_precision)} (chance {chance})",
            how_to_read=f"From left to right more users are contacted: recall, the share of {found} found, grows, and "
            f"precision, the share of {found} among the contacted, approaches the dotted prevalence. {read_band}",
            baseline=Curve(np.array([0, 1]), np.array([scores.prevalence or 0] * 2)),
        ),
        _draw(
            curves, bands, "roc", ("false positive rate", "true positive rate"),
            title=f"{champion}, AUC-ROC {number(scores.auc_roc)} (chance 0.50)",
            how_to_read=f"The share of {found} contacted, by the share of other users contacted; the dotted diagonal "
            f"is chance. {read_band}",
            baseline=Curve(np.array([0, 1]), np.array([0, 1])),
        ),
        _draw(
            curves, bands, "gain", ("share of users contacted", f"share of {found} reached"),
            title=f"{heading(label)}: {_gain_in_words(comparison, found)}",
            how_to_read=f"The share of {found} reached when that share of users is contacted, those with the highest "
            f"probability first; on the dotted diagonal contacts are random. {read_band}",
            baseline=Curve(np.array([0, 1]), np.array([0, 1])),
        ),
        _draw(
            curves, bands, "lift", ("share of users contacted", "lift"),
            title=f"{heading(label)}: {_lift_in_words(comparison, found)}",
            how_to_read=f"How many times more {found} are among the contacted than among as many random users; it "
            f"falls to 1, the dotted line, when everybody is contacted. {read_band}",
            baseline=Curve(np.array([0, 1]), np.array([1, 1])),
        ),
    )  # fmt: skip


def curve_bands(rows: pd.DataFrame, evaluation: Evaluation) -> dict[str, Band]:
    """The 2.5th and 97.5th percentile of each curve's height over bootstrap samples of users, at 101 positions.

    Args:
        rows: ``user_id``, ``label`` and ``score``, in the order of their keys.
        evaluation: the seed and the number of samples.
    """
    heights: dict[str, list[Array]] = {name: [] for name in _CURVES}
    for weights in bootstrap_weights(rows["user_id"], evaluation):
        counts = _cumulated(rows, weights)
        # A sample that lacks one of the classes has no curves.
        has_both = ((counts.positives > 0) & (counts.negatives > 0))[:, 0]
        complete = Cumulated(*(numbers[has_both] for numbers in counts))
        for name, curve in _curves(complete).items():
            heights[name].append(at(curve, _GRID))
    bands = {}
    for name, blocks in heights.items():
        stacked = np.vstack(blocks)
        if len(stacked):
            low, high = np.percentile(stacked, [2.5, 97.5], axis=0)
            bands[name] = (low, high)
    return bands


def _cumulated(rows: pd.DataFrame, weights: Array) -> Cumulated:
    return cumulate(rows["label"].to_numpy(), rows["score"].to_numpy(), weights)


def _curves(counts: Cumulated) -> dict[str, Curve]:
    return {name: curve(counts) for name, curve in _CURVES.items()}


def _draw(  # noqa: PLR0913 - the curves, and all texts around them
    curves: Mapping[str, Mapping[str, Curve]],
    bands: Mapping[str, Band],
    kind: str,
    axes: tuple[str, str],
    *,
    title: str,
    how_to_read: str,
    baseline: Curve,
) -> go.Figure:
    figure = go.Figure()
    if kind in bands:
        low, high = bands[kind]
        figure.add_trace(band(_GRID.tolist(), low.tolist(), high.tolist(), GRAY, "95 % band"))
    for algorithm, by_kind in curves.items():
        curve = thin(by_kind[kind])
        figure.add_scatter(
            x=curve.x.round(4).tolist(), y=curve.y.round(4).tolist(), mode="lines",
            line={"color": ALGORITHM_COLORS.get(algorithm, GRAY)}, name=words(algorithm),
        )  # fmt: skip
    figure.add_scatter(x=baseline.x.tolist(), y=baseline.y.tolist(), mode="lines", line=DOTTED, name="chance")
    figure.update_xaxes(title_text=axes[0], range=[0, 1], tickformat=".0%")
    figure.update_yaxes(title_text=axes[1], rangemode="tozero")
    if kind != "lift":
        figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return finish(figure, title, how_to_read)


def _gain_in_words(comparison: Comparison, found: str) -> str:
    top = comparison.champion_scores.top[-1]
    if top.recall is None:
        return f"no {found} in the test rows"
    return f"the {top.share:.0%} at the top include {top.recall:.0%} of the {found}"


def _lift_in_words(comparison: Comparison, found: str) -> str:
    top = comparison.champion_scores.top[-1]
    if top.lift is None:
        return f"no {found} in the test rows"
    return f"lift {top.lift:.1f} among the {top.share:.0%} at the top"
