"""What the models found, and whether to believe them: from scores to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import (
    ALGORITHM_COLORS,
    BLUE,
    GRAY,
    GREEN,
    LOWERS,
    ORANGE,
    RAISES,
    band,
    finish,
    heading,
    number,
    plain,
    words,
)
from sparkify_kedro.framework.skipping import Skipped
from sparkify_kedro.learning.curves import Cumulated, Curve, at, cumulate, gain, lift, precision_recall, roc, thin
from sparkify_kedro.learning.evaluation import bootstrap_weights, collect_scored
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.search import KEYS

from .parameters import Reporting

# Places along an axis at which a band is drawn.
_PLACES = np.linspace(0, 1, 101)
_DOTTED = {"color": GRAY, "dash": "dot"}
_CURVES = {"precision_recall": precision_recall, "roc": roc, "gain": gain, "lift": lift}

Band = tuple[np.ndarray, np.ndarray]


def draw_ranking(
    comparison: dict[str, Any], label: str, evaluation: Evaluation, *predictions: DataFrame
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure]:
    """Precision by recall, ROC, gain and lift on held-out users; for the champion with a 95 % band over users.

    Args:
        comparison: the label's champion and scores.
        label: the label's name.
        evaluation: how many rows to collect, how many bootstrap samples, the seed.
        predictions: the scored held-out rows of each algorithm, in the comparison's order.

    Returns:
        Four figures. Collects the scored rows of each algorithm, ``evaluation.max_rows`` at the most.
    """
    curves, bands = {}, {}
    for algorithm, scored in zip(comparison["algorithms"], predictions, strict=True):
        rows = collect_scored(scored, evaluation)
        if rows["label"].nunique() < 2:
            continue
        curves[algorithm] = _curves(_cumulated(rows, np.ones((1, len(rows)))))
        if algorithm == comparison["champion"]:
            bands = curve_bands(rows, evaluation)
    scores = comparison["algorithms"][comparison["champion"]]["test"]
    about = f"{heading(label)}: {words(comparison['champion'])}"
    read_band = "The shaded area is where 95 % of the champion's curves lie if the users are drawn again. "
    return (
        _draw_curves(
            curves, bands, "precision_recall", ("recall: share of churners found", "precision"),
            title=f"{about} has AUC-PR {number(scores['auc_pr'])}, chance {number(scores['prevalence'])}",
            how_to_read="From left to right, more users are contacted: the share of churners found grows, and the "
            f"share of churners among the contacted falls toward the dotted chance level. {read_band}",
            chance=Curve(np.array([0, 1]), np.array([scores["prevalence"] or 0] * 2)),
        ),
        _draw_curves(
            curves, bands, "roc", ("share of stayers contacted", "share of churners contacted"),
            title=f"{about} has AUC-ROC {number(scores['auc_roc'])}, chance 0.50",
            how_to_read="How many of the churners are contacted by the time a share of those who stay is; the dotted "
            f"diagonal is chance. {read_band}",
            chance=Curve(np.array([0, 1]), np.array([0, 1])),
        ),
        _draw_curves(
            curves, bands, "gain", ("share of users contacted", "share of churners reached"),
            title=f"{heading(label)}: {_gain_in_words(comparison)}",
            how_to_read="Contact that share of users, those at highest risk first, and you reach that share of the "
            f"churners; on the dotted diagonal, contacts are drawn at random. {read_band}",
            chance=Curve(np.array([0, 1]), np.array([0, 1])),
        ),
        _draw_curves(
            curves, bands, "lift", ("share of users contacted", "churners found, times as many as at random"),
            title=f"{heading(label)}: {_lift_in_words(comparison)}",
            how_to_read="How many times more churners are among the first contacted than among as many users drawn at "
            f"random; it falls to 1, the dotted line, when everybody is contacted. {read_band}",
            chance=Curve(np.array([0, 1]), np.array([1, 1])),
        ),
    )  # fmt: skip


def curve_bands(rows: pd.DataFrame, evaluation: Evaluation) -> dict[str, Band]:
    """The 2.5th and 97.5th percentile of each curve's height over bootstrap samples of users, at 101 places.

    Args:
        rows: ``user_id``, ``label`` and ``score``, in the order of their keys.
        evaluation: the seed and the number of samples.
    """
    heights: dict[str, list[np.ndarray]] = {name: [] for name in _CURVES}
    for weights in bootstrap_weights(rows["user_id"], evaluation):
        counts = _cumulated(rows, weights)
        # A sample without a churner, or with nobody else, has no curves.
        has_both = ((counts.positives > 0) & (counts.negatives > 0))[:, 0]
        whole = Cumulated(*(numbers[has_both] for numbers in counts))
        for name, curve in _curves(whole).items():
            heights[name].append(at(curve, _PLACES))
    stacked = {name: np.vstack(blocks) for name, blocks in heights.items()}
    return {name: tuple(np.percentile(block, [2.5, 97.5], axis=0)) for name, block in stacked.items() if len(block)}


def draw_calibration(comparison: dict[str, Any], label: str) -> go.Figure:
    """Whether probabilities mean what they say, on held-out users, by tenths of the rows.

    Args:
        comparison: the label's champion and scores.
        label: the label's name.

    Returns:
        A line per algorithm; points are tenths of the rows.
    """
    figure = go.Figure()
    top = 0.0
    for algorithm, scores in comparison["algorithms"].items():
        tenths = scores["calibration"]
        said = [tenth["mean_score"] for tenth in tenths][::-1]
        came = [tenth["share_of_positives"] for tenth in tenths][::-1]
        top = max([top, *said, *came])
        figure.add_scatter(
            x=said, y=came, mode="lines+markers", line=_line(algorithm, comparison),
            name=_name(algorithm, comparison), text=[f"{tenth['rows']} rows" for tenth in tenths][::-1],
        )  # fmt: skip
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", line=_DOTTED, name="as it should be")
    figure.update_xaxes(title_text="probability that was said", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(title_text="share that came true", tickformat=".0%", rangemode="tozero")
    champion = comparison["algorithms"][comparison["champion"]]
    return finish(
        figure,
        f"{heading(label)}: calibration error {number(champion['calibration_error'], 3)}, by chance alone "
        f"{number(champion['calibration_error_by_chance'], 3)}",
        "A point is a tenth of the test rows. On the dotted line, of users with a probability of 20 % a fifth leaves. "
        "Few churners make points jump: compare the error in the title with what perfect probabilities would show.",
    )


def draw_search(label: str, *searches: dict[str, Any]) -> go.Figure:
    """Every grid point's AUC-PR by cross-validation, with its score in each fold.

    Args:
        label: the label's name.
        searches: each algorithm's search.

    Returns:
        A row per grid point, the best at the top of its algorithm.
    """
    figure = go.Figure()
    names: list[str] = []
    for search in searches:
        points = sorted(search["points"], key=lambda point: point["score"])
        rows = [_settings(search["algorithm"], point["settings"]) for point in points]
        names = [*rows, *names]
        color = ALGORITHM_COLORS.get(search["algorithm"], GRAY)
        folds = [(score, row) for row, point in zip(rows, points, strict=True) for score in point["fold_scores"]]
        figure.add_scatter(
            x=[score for score, _ in folds], y=[row for _, row in folds], mode="markers",
            marker={"color": color, "symbol": "line-ns-open", "size": 9}, showlegend=False, name="a fold",
        )  # fmt: skip
        figure.add_scatter(
            x=[point["score"] for point in points], y=rows, mode="markers",
            marker={"color": color, "size": 10}, name=words(search["algorithm"]),
        )  # fmt: skip
    figure.update_xaxes(title_text="AUC-PR, on training rows that are thinned")
    figure.update_yaxes(categoryorder="array", categoryarray=names, tickfont={"size": 10})
    return finish(
        figure,
        f"{heading(label)}: what the searches tried",
        "A dot is a grid point's mean over the folds, the small strokes are the folds. Where the strokes of a point "
        "lie further apart than the dots do, the choice between the points is a matter of chance.",
        height=180 + 19 * len(names),
    )


def feature_directions(test: DataFrame, scored: Mapping[str, DataFrame], features: Sequence[str]) -> pd.DataFrame:
    """Per algorithm, whether its score rises or falls with a feature, and how widely the feature varies.

    Args:
        test: one row per held-out (user_id, time_bin), with the features.
        scored: the scored held-out rows, by algorithm.
        features: the columns to look at.

    Returns:
        One row per feature: a column per algorithm with the correlation of its score and the feature over the rows,
        and ``spread``, the feature's standard deviation; missing where nothing varies. Collects one row per feature.
    """
    rows = test.select(*KEYS, F.array(*(F.col(name).cast("double") for name in features)).alias("values"))
    for place, predictions in enumerate(scored.values()):
        rows = rows.join(predictions.select(*KEYS, F.col("score").alias(f"score_{place}")), on=list(KEYS), how="inner")
    # A column per feature and score would be an aggregation of hundreds of columns, which takes Spark long to compile.
    scores = [f"score_{place}" for place in range(len(scored))]
    melted = rows.select(F.posexplode("values").alias("place", "value"), *scores)
    told = melted.groupBy("place").agg(
        F.stddev("value").alias("spread"), *(F.corr("value", score).alias(score) for score in scores)
    )
    by_place = {row.place: row for row in told.collect()}
    columns = dict(zip(("spread", *scored), ("spread", *scores), strict=True))
    found = {
        name: [by_place[place][column] if place in by_place else None for place in range(len(features))]
        for name, column in columns.items()
    }
    return pd.DataFrame(found, index=list(features), dtype=float)


def draw_features(
    comparison: dict[str, Any], label: str, test: DataFrame, reporting: Reporting, *searches_and_predictions: Any
) -> go.Figure:
    """What each model listens to most, and in which direction.

    Args:
        comparison: the label's champion.
        label: the label's name.
        test: one row per held-out (user_id, time_bin), with the features.
        reporting: how many features to show.
        searches_and_predictions: each algorithm's search and scored held-out rows, in turn.

    Returns:
        A panel per algorithm: for logistic regression, the change of the log-odds with one standard deviation of the
        feature; for trees, importances, colored by the sign of the correlation of score and feature.
    """
    searches, predictions = searches_and_predictions[::2], searches_and_predictions[1::2]
    strongest = {search["algorithm"]: search.get("coefficients") or search["importances"] for search in searches}
    scored = dict(zip(strongest, predictions, strict=True))
    told = feature_directions(test, scored, list(next(iter(strongest.values()))))
    figure = make_subplots(
        rows=len(searches), cols=1, vertical_spacing=0.28 / len(searches),
        subplot_titles=[_name(algorithm, comparison) for algorithm in strongest],
    )  # fmt: skip
    seen: set[str] = set()
    for row, (search, (algorithm, weights)) in enumerate(zip(searches, strongest.items(), strict=True), start=1):
        is_linear = "coefficients" in search
        strength = pd.Series(weights) * (told["spread"].fillna(0) if is_linear else 1)
        direction = strength if is_linear else told[algorithm].fillna(0)
        shown = strength.abs().nlargest(reporting.features).iloc[::-1]
        shown = shown[shown > 0]
        for name, color, belongs in (
            ("raises the risk", RAISES, direction[shown.index] > 0),
            ("lowers the risk", LOWERS, direction[shown.index] < 0),
            ("neither, on average", GRAY, direction[shown.index] == 0),
        ):
            bars = shown[belongs]
            if bars.empty:
                continue
            figure.add_bar(
                x=bars.tolist(), y=[words(feature) for feature in bars.index], orientation="h",
                marker={"color": color}, name=name, legendgroup=name, showlegend=name not in seen, row=row, col=1,
            )  # fmt: skip
            seen.add(name)
        title = "change of the log-odds per standard deviation" if is_linear else "share of the trees' splitting"
        figure.update_xaxes(title_text=title, row=row, col=1)
        order = [words(feature) for feature in shown.index]
        figure.update_yaxes(categoryorder="array", categoryarray=order, tickfont={"size": 10}, row=row, col=1)
    return finish(
        figure,
        f"{heading(label)}: what the models listen to",
        "The longer a bar, the more the model's score hangs on the feature; the color says whether users with more of "
        "it are at higher or lower risk. Features that go together share their weight by accident: read the few "
        "longest bars, not their order.",
        height=140 + len(searches) * (90 + 20 * reporting.features),
    )


def draw_segments(comparison: dict[str, Any], label: str) -> go.Figure:
    """How well the champion ranks within each segment of held-out users.

    Args:
        comparison: the label's champion and scores.
        label: the label's name.

    Returns:
        A dot per segment with its 95 % interval; segments without both classes are named and have none.
    """
    segments = comparison["algorithms"][comparison["champion"]]["segments"]
    lines = [
        (f"{kind}: {plain(name)} ({scores['positives']} of {scores['rows']})", scores)
        for kind, by_name in segments.items()
        for name, scores in by_name.items()
    ][::-1]
    judged = [(name, scores) for name, scores in lines if scores["auc_roc"] is not None]
    figure = go.Figure(
        go.Scatter(
            x=[scores["auc_roc"] for _, scores in judged], y=[name for name, _ in judged], mode="markers",
            marker={"color": BLUE, "size": 9}, error_x=_error_bars("auc_roc", [scores for _, scores in judged]),
            name="AUC-ROC with its 95 % interval",
        )
    )  # fmt: skip
    figure.add_vline(x=0.5, line=_DOTTED)
    figure.update_xaxes(title_text="AUC-ROC (dotted: chance)", range=[0, 1.03])
    figure.update_yaxes(categoryorder="array", categoryarray=[name for name, _ in lines], tickfont={"size": 10})
    return finish(
        figure,
        f"{heading(label)}: how well {words(comparison['champion'])} ranks within segments",
        "Beside each segment stands how many of its test rows churn. An interval that crosses the dotted line does not "
        "show that the model ranks there at all; a segment without a dot lacks churners, or stayers.",
        height=150 + 24 * max(len(lines), 4),
    )


def draw_all_models(reporting: Reporting, *labels_and_comparisons: Any) -> go.Figure:
    """All models and baselines on held-out users, beside what the original's protocol makes of them.

    Args:
        reporting: what others have published.
        labels_and_comparisons: a label's name and its comparison, in turn; of a label that was skipped, why.

    Returns:
        A panel per label that was not skipped: AUC-PR with 95 % intervals, by both protocols, and the published scores.
    """
    together = zip(labels_and_comparisons[::2], labels_and_comparisons[1::2], strict=True)
    comparisons = {label: comparison for label, comparison in together if not isinstance(comparison, Skipped)}
    if not comparisons:
        return finish(go.Figure(), "No model was trained", "Every label was skipped; the page says why.")
    figure = make_subplots(
        rows=len(comparisons), cols=1, shared_xaxes=True, vertical_spacing=0.3 / len(comparisons) ** 1.3,
        subplot_titles=[heading(label) for label in comparisons],
    )  # fmt: skip
    for row, (label, comparison) in enumerate(comparisons.items(), start=1):
        judged = {**comparison["algorithms"], **comparison["baselines"]}
        honest = {name: scores["test"] for name, scores in judged.items() if scores["test"]["auc_pr"] is not None}
        by_original = {
            name: scores["original_protocol"]
            for name, scores in comparison["algorithms"].items()
            if scores["original_protocol"]["auc_pr"] is not None
        }
        published = reporting.published.original.get(label, {})
        for title, color, symbol, points, error in (
            ("on users never seen", BLUE, "circle", {n: s["auc_pr"] for n, s in honest.items()}, honest),
            (
                "the same models by the original's protocol", ORANGE, "square-open",
                {n: s["auc_pr"] for n, s in by_original.items()}, by_original,
            ),
            ("published by the original", GREEN, "diamond-open", published, None),
        ):  # fmt: skip
            figure.add_scatter(
                x=list(points.values()), y=[words(name) for name in points], mode="markers",
                marker={"color": color, "symbol": symbol, "size": 10}, name=title, legendgroup=title,
                showlegend=row == 1,
                error_x=None if error is None else _error_bars("auc_pr", list(error.values())), row=row, col=1,
            )  # fmt: skip
        prevalence = next((scores["prevalence"] for scores in honest.values()), None)
        if prevalence is not None:
            figure.add_vline(x=prevalence, line=_DOTTED, row=row, col=1)
        order = [words(name) for name in judged][::-1]
        figure.update_yaxes(categoryorder="array", categoryarray=order, row=row, col=1)
    figure.update_xaxes(range=[0, 1.03])
    figure.update_xaxes(title_text="AUC-PR", row=len(comparisons), col=1)
    return finish(
        figure,
        "All models and baselines: the honest score beside the original's protocol",
        "Dots are judged at natural prevalence, squares and diamonds on test rows balanced until chance is about one "
        "half: that alone moves a score to the right. The dotted line is chance for dots. Dots whose intervals overlap "
        "cannot be told apart.",
        height=180 + 190 * len(comparisons),
    )


def _cumulated(rows: pd.DataFrame, weights: np.ndarray) -> Cumulated:
    return cumulate(rows["label"].to_numpy(), rows["score"].to_numpy(), weights)


def _curves(counts: Cumulated) -> dict[str, Curve]:
    return {name: curve(counts) for name, curve in _CURVES.items()}


def _draw_curves(  # noqa: PLR0913 - curves, and everything that is written around them
    curves: Mapping[str, Mapping[str, Curve]],
    bands: Mapping[str, Band],
    kind: str,
    axes: tuple[str, str],
    *,
    title: str,
    how_to_read: str,
    chance: Curve,
) -> go.Figure:
    figure = go.Figure()
    if kind in bands:
        low, high = bands[kind]
        figure.add_trace(band(_PLACES.tolist(), low.tolist(), high.tolist(), GRAY, "95 % interval"))
    for algorithm, by_kind in curves.items():
        curve = thin(by_kind[kind])
        figure.add_scatter(
            x=curve.x.round(4).tolist(), y=curve.y.round(4).tolist(), mode="lines",
            line={"color": ALGORITHM_COLORS.get(algorithm, GRAY)}, name=words(algorithm),
        )  # fmt: skip
    figure.add_scatter(x=chance.x.tolist(), y=chance.y.tolist(), mode="lines", line=_DOTTED, name="chance")
    figure.update_xaxes(title_text=axes[0], range=[0, 1], tickformat=".0%")
    figure.update_yaxes(title_text=axes[1], rangemode="tozero")
    if kind != "lift":
        figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return finish(figure, title, how_to_read)


def _gain_in_words(comparison: dict[str, Any]) -> str:
    top = comparison["algorithms"][comparison["champion"]]["top"][-1]
    if top["recall"] is None:
        return "no churners to reach"
    return f"the {top['share']:.0%} at highest risk hold {top['recall']:.0%} of the churners"


def _lift_in_words(comparison: dict[str, Any]) -> str:
    top = comparison["algorithms"][comparison["champion"]]["top"][-1]
    if top["lift"] is None:
        return "no churners to find"
    return f"among the {top['share']:.0%} at highest risk, {top['lift']:.1f} times as many churn"


def _name(algorithm: str, comparison: dict[str, Any]) -> str:
    return words(algorithm) + (" (champion)" if algorithm == comparison["champion"] else "")


def _line(algorithm: str, comparison: dict[str, Any]) -> dict[str, Any]:
    return {
        "color": ALGORITHM_COLORS.get(algorithm, GRAY),
        "width": 3 if algorithm == comparison["champion"] else 1.5,
    }


def _settings(algorithm: str, settings: dict[str, Any]) -> str:
    initials = "".join(part[0].upper() for part in algorithm.split("_"))
    return f"{initials} " + ", ".join(f"{name} {value}" for name, value in settings.items())


def _error_bars(area: str, scores: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [one[f"{area}_interval"][1] - one[area] for one in scores],
        "arrayminus": [one[area] - one[f"{area}_interval"][0] for one in scores],
        "thickness": 1.2,
    }
