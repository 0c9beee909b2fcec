"""Calibration, grid search and segments of a label's models, and all models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sparkify_kedro.churn.figure_style import (
    ALGORITHM_COLORS,
    BLUE,
    DOTTED,
    GRAY,
    GREEN,
    ORANGE,
    algorithm_name,
    finish,
    heading,
    number,
    plain,
    positives_of,
    words,
)
from sparkify_kedro.churn.reports import Comparison, SearchReport, Setting
from sparkify_kedro.framework.skipping import Skipped

from .parameters import Reporting


def draw_calibration(comparison: Comparison, label: str) -> go.Figure:
    """Observed rate against mean predicted probability on held-out users, by tenths of the rows.

    Args:
        comparison: the label's champion and scores.
        label: the label's name.

    Returns:
        A line per algorithm; a point is a tenth of the rows.
    """
    figure = go.Figure()
    highest = 0.0
    for algorithm, scores in comparison.algorithms.items():
        tenths = scores.calibration[::-1]
        predicted = [tenth.mean_score for tenth in tenths]
        observed = [tenth.share_of_positives for tenth in tenths]
        highest = max([highest, *predicted, *observed])
        is_champion = algorithm == comparison.champion
        figure.add_scatter(
            x=predicted, y=observed, mode="lines+markers",
            line={"color": ALGORITHM_COLORS.get(algorithm, GRAY), "width": 3 if is_champion else 1.5},
            name=algorithm_name(algorithm, comparison.champion), text=[f"{tenth.rows} rows" for tenth in tenths],
        )  # fmt: skip
    figure.add_scatter(x=[0, highest], y=[0, highest], mode="lines", line=DOTTED, name="perfect calibration")
    figure.update_xaxes(title_text="mean predicted probability", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(title_text="observed rate", tickformat=".0%", rangemode="tozero")
    champion = comparison.champion_scores
    return finish(
        figure,
        f"{heading(label)}: calibration error {number(champion.calibration_error, 3)} (expected by chance "
        f"{number(champion.calibration_error_by_chance, 3)})",
        "A point is a tenth of the test rows. On the dotted line the observed rate equals the predicted "
        f"probability. With few {positives_of(label)} points scatter: compare the error with the one expected by "
        "chance.",
    )


def draw_search(label: str, **search_reports: SearchReport) -> go.Figure:
    """Cross-validated average precision of every grid point, with its score in each fold.

    Args:
        label: the label's name.
        search_reports: by algorithm.

    Returns:
        A row per grid point, the best at the top of its algorithm.
    """
    figure = go.Figure()
    names: list[str] = []
    for algorithm, report in search_reports.items():
        points = sorted(report.points, key=lambda point: point.score)
        rows = [_settings(algorithm, point.settings) for point in points]
        names = [*rows, *names]
        color = ALGORITHM_COLORS.get(algorithm, GRAY)
        folds = [(score, row) for row, point in zip(rows, points, strict=True) for score in point.fold_scores]
        figure.add_scatter(
            x=[score for score, _ in folds], y=[row for _, row in folds], mode="markers",
            marker={"color": color, "symbol": "line-ns-open", "size": 9}, showlegend=False, name="fold",
        )  # fmt: skip
        figure.add_scatter(
            x=[point.score for point in points], y=rows, mode="markers",
            marker={"color": color, "size": 10}, name=words(algorithm),
        )  # fmt: skip
    figure.update_xaxes(title_text="average precision on the training rows (negatives downsampled)")
    figure.update_yaxes(categoryorder="array", categoryarray=names, tickfont={"size": 10})
    return finish(
        figure,
        f"{heading(label)}: grid search",
        "A dot is the mean of a grid point over the folds, the strokes are the folds. Where the strokes of a point are "
        "further apart than the dots, differences between points are within chance.",
        height=180 + 19 * len(names),
    )


def draw_segments(comparison: Comparison, label: str) -> go.Figure:
    """AUC-ROC of the champion within segments of held-out users.

    Args:
        comparison: the label's champion and scores.
        label: the label's name.

    Returns:
        A dot per segment with its 95 % interval; segments that lack one of the classes have a name and no dot.
    """
    lines = [
        (f"{kind}: {plain(name)} ({scores.positives} of {scores.rows})", scores)
        for kind, by_name in comparison.champion_scores.segments.items()
        for name, scores in by_name.items()
    ][::-1]
    ranked = [(name, scores) for name, scores in lines if scores.auc_roc is not None]
    figure = go.Figure(
        go.Scatter(
            x=[scores.auc_roc for _, scores in ranked], y=[name for name, _ in ranked], mode="markers",
            marker={"color": BLUE, "size": 9},
            error_x=_error_bars([(scores.auc_roc, scores.auc_roc_interval) for _, scores in ranked]),
            name="AUC-ROC with 95 % interval",
        )
    )  # fmt: skip
    figure.add_vline(x=0.5, line=DOTTED)
    figure.update_xaxes(title_text="AUC-ROC (dotted: chance)", range=[0, 1.03])
    figure.update_yaxes(categoryorder="array", categoryarray=[name for name, _ in lines], tickfont={"size": 10})
    return finish(
        figure,
        f"{heading(label)}: {words(comparison.champion)} within segments",
        f"The numbers beside a segment are its {positives_of(label)} and test rows. An interval that includes the "
        "dotted line does not show that the model ranks there; a segment without a dot lacks one of the two classes.",
        height=150 + 24 * max(len(lines), 4),
    )


def draw_all_models(reporting: Reporting, **comparisons: Comparison | Skipped) -> go.Figure:
    """All models and baselines on held-out users, beside the original's protocol and published scores.

    Args:
        reporting: the published scores.
        comparisons: by label; of a skipped label, the reason.

    Returns:
        A panel per label that was not skipped: AUC-PR with 95 % intervals by both protocols, and the published scores.
    """
    learned = {label: each for label, each in comparisons.items() if isinstance(each, Comparison)}
    if not learned:
        return finish(go.Figure(), "No model was trained", "Every label was skipped; the page gives the reasons.")
    figure = make_subplots(
        rows=len(learned), cols=1, shared_xaxes=True, vertical_spacing=0.3 / len(learned) ** 1.3,
        subplot_titles=[heading(label) for label in learned],
    )  # fmt: skip
    for row, (label, comparison) in enumerate(learned.items(), start=1):
        _draw_label(figure, row, comparison, reporting.published.original.get(label, {}))
    figure.update_xaxes(range=[0, 1.03])
    figure.update_xaxes(title_text="AUC-PR", row=len(learned), col=1)
    return finish(
        figure,
        "All models and baselines, beside the original's protocol",
        "Dots are scores at natural prevalence; squares and diamonds are scores on test rows that are balanced until "
        "chance is about one half, which alone moves a score to the right. The dotted line is the mean of random "
        "scores on the held-out rows.",
        height=180 + 190 * len(learned),
    )


def _draw_label(figure: go.Figure, row: int, comparison: Comparison, published: Mapping[str, float]) -> None:
    """One label's panel: three kinds of scores by model."""
    baselines = {
        "prevalence": comparison.baselines.prevalence.test,
        "best_single_feature": comparison.baselines.best_single_feature.test,
    }
    held_out = {name: scores.test for name, scores in comparison.algorithms.items()} | baselines
    by_original = {name: scores.original_protocol for name, scores in comparison.algorithms.items()}
    for title, color, symbol, scores in (
        ("held-out users", BLUE, "circle", held_out),
        ("the same models by the original's protocol", ORANGE, "square-open", by_original),
    ):
        ranked = {name: each for name, each in scores.items() if each.auc_pr is not None}
        _add_scores(
            figure, row, title, {"color": color, "symbol": symbol, "size": 10},
            {name: each.auc_pr for name, each in ranked.items()},
            _error_bars([(each.auc_pr, each.auc_pr_interval) for each in ranked.values()]),
        )  # fmt: skip
    style = {"color": GREEN, "symbol": "diamond-open", "size": 10}
    _add_scores(figure, row, "published by the original", style, published, None)
    # Of a model: random permutations do not change what the constant score of the prevalence reaches.
    chance = next((scores.test.chance for scores in comparison.algorithms.values() if scores.test.chance), None)
    if chance is not None:
        figure.add_vline(x=chance.auc_pr_mean, line=DOTTED, row=row, col=1)
    order = [words(name) for name in held_out][::-1]
    figure.update_yaxes(categoryorder="array", categoryarray=order, row=row, col=1)


def _add_scores(
    figure: go.Figure,
    row: int,
    title: str,
    marker: Mapping[str, Any],
    points: Mapping[str, float | None],
    error: Mapping[str, Any] | None,
) -> None:
    figure.add_scatter(
        x=list(points.values()), y=[words(name) for name in points], mode="markers", marker=marker, name=title,
        legendgroup=title, showlegend=row == 1, error_x=error, row=row, col=1,
    )  # fmt: skip


def _settings(algorithm: str, settings: Mapping[str, Setting]) -> str:
    initials = "".join(part[0].upper() for part in algorithm.split("_"))
    return f"{initials} " + ", ".join(f"{name} {value}" for name, value in settings.items())


def _error_bars(scores: Sequence[tuple[float | None, tuple[float, float] | None]]) -> dict[str, Any]:
    """Asymmetric error bars from scores and intervals, none of which is missing."""
    bars = [(high - score, score - low) for score, (low, high) in scores]  # type: ignore[misc,operator]  # not None
    return {
        "type": "data",
        "symmetric": False,
        "array": [above for above, _ in bars],
        "arrayminus": [below for _, below in bars],
        "thickness": 1.2,
    }
