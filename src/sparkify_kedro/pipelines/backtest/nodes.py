"""Backtest: train on what was known at a past landmark, score, and compare with what followed."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BAND, BLUE, GRAY, ORANGE, finish
from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.churn.parameters import LabelSampling
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison, RankingScores
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY, day_of
from sparkify_kedro.learning.evaluation import collect_scored, ranking_report
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training, UserTypeSearch
from sparkify_kedro.learning.search import fold_sizes, probability, train_calibrated
from sparkify_kedro.learning.user_types import collect_histories, fit_by_fold, with_types_by_fold

from .parameters import Backtest

logger = logging.getLogger(__name__)

HOLD_OUT = "hold-out"
_SCORES = ("rows", "positives", "prevalence", "average_precision", "auc_roc", "warning")
_AREAS = {"average_precision": "average precision", "auc_roc": "AUC-ROC"}
# A line through a single landmark would not be visible.
_DASH = {"symbol": "line-ew-open", "size": 14}


def replay_landmarks(  # noqa: PLR0913, PLR0917 - everything that training takes
    user_time_bins: DataFrame,
    champion_metadata: ChampionMetadata,
    comparison: Comparison,
    backtest: Backtest,
    training: Training,
    sampling: LabelSampling,
    user_types: UserTypeSearch,
    evaluation: Evaluation,
    **searches: AlgorithmSearch,
) -> pd.DataFrame:
    """At every landmark, train on what was known then, score the users at risk, and see who cancelled.

    The features of a row do not depend on later events, so they are used as they are; the landmark decides which rows
    have a known label and which users are scored. Settings are searched again at every landmark; the features and the
    algorithm are the champion's.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        champion_metadata: the algorithm and features of the forecast's champion.
        comparison: the champion's scores on held-out users.
        backtest: how many landmarks, and the folds to search settings in.
        training: how to train.
        sampling: how the classes are balanced within each fit; nothing is undersampled.
        user_types: how user types are fitted.
        evaluation: how to evaluate.
        searches: the grids, by algorithm.

    Returns:
        One row per landmark, and one for the held-out users of the champion (``when`` is ``hold-out``): training rows
        and positives, users scored, how many of them cancelled within the horizon, average precision and AUC-ROC
        with 95 % intervals and the mean of random scores, the mean score, and a warning if there is one.

    Raises:
        ValueError: where the log is too short: no landmark whose horizon it covers has earlier rows to train on.
    """
    search = searches[champion_metadata.algorithm]
    replayed = []
    for landmark in _landmarks(_labeled(user_time_bins, champion_metadata), champion_metadata, backtest.landmarks):
        row = _replay(
            user_time_bins, landmark, champion_metadata, backtest, training, sampling, user_types, evaluation, search
        )
        day = day_of(landmark).isoformat()
        logger.info("Backtest %s: AUC-ROC %s on %s users", day, _rounded(row["auc_roc"]), row["rows"])
        replayed.append({"when": day, "horizon_days": champion_metadata.horizon_days, **row})
    held_out = comparison.algorithms[champion_metadata.algorithm].test
    hold_out = {"when": HOLD_OUT, "algorithm": champion_metadata.algorithm, **_flat(held_out)}
    return pd.DataFrame([*replayed, hold_out]).rename(columns={"rows": "users_scored", "positives": "churned"})


def draw_backtest(backtest_table: pd.DataFrame) -> go.Figure:
    """Scores by landmark, beside the score on held-out users.

    Args:
        backtest_table: one row per landmark, and one for the hold-out.

    Returns:
        Two panels, average precision and AUC-ROC: a point with its 95 % interval per landmark, the score on
        held-out users as a line with its interval as a band, and the mean of random scores.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=list(_AREAS.values()), horizontal_spacing=0.12)
    cuts = backtest_table[backtest_table["when"] != HOLD_OUT]
    hold_out = backtest_table[backtest_table["when"] == HOLD_OUT].iloc[0]
    for column, area in enumerate(_AREAS, start=1):
        is_first = column == 1
        score, low, high = (cuts[name].astype(float).tolist() for name in (area, f"{area}_low", f"{area}_high"))
        when = cuts["when"].tolist()
        chance_level = cuts[f"{area}_by_chance"].astype(float).tolist()
        lines: dict[str, tuple[list[Any], dict[str, Any]]] = {
            "held-out users, with 95 % interval": ([hold_out[area]] * len(cuts), {"color": ORANGE, "width": 2}),
            "chance": (chance_level, {"color": GRAY, "dash": "dot"}),
        }
        for name, (level, line) in lines.items():
            figure.add_scatter(
                x=when, y=level, mode="lines+markers", line=line, marker=_DASH | {"color": line["color"]},
                name=name, legendgroup=name, showlegend=is_first, row=1, col=column,
            )  # fmt: skip
        figure.add_scatter(
            x=when, y=score, mode="markers", marker={"color": BLUE, "size": 11},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [b - a for a, b in zip(score, high, strict=True)],
                "arrayminus": [a - b for a, b in zip(score, low, strict=True)],
            },
            name="trained and scored at the landmark", legendgroup="cut", showlegend=is_first, row=1, col=column,
        )  # fmt: skip
        # Last, because plotly does not draw into an empty panel.
        figure.add_hrect(
            y0=hold_out[f"{area}_low"], y1=hold_out[f"{area}_high"], fillcolor=ORANGE, opacity=BAND, line_width=0,
            layer="below", row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(type="category", title_text="landmark")
    figure.update_yaxes(range=[0, 1])
    return finish(
        figure,
        "Backtest: scores of models trained at past dates",
        "A dot is a model that was trained on what was known at that date and evaluated on the days after it, with its "
        "95 % interval. Dots within the orange band agree with the evaluation on held-out users.",
    )


def _labeled(user_time_bins: DataFrame, champion: ChampionMetadata) -> DataFrame:
    """The rows of users at risk whose label is known."""
    rows = user_time_bins.where(F.col("at_risk") & F.col(champion.label).isNotNull())
    return rows.withColumn("label", F.col(champion.label))


def _landmarks(labeled: DataFrame, champion: ChampionMetadata, most: int) -> list[int]:
    """The last landmarks with labels before which there are rows with known labels, in order. Collects landmarks."""
    horizon_ms = champion.horizon_days * MILLISECONDS_PER_DAY
    landmarks = sorted(row.bin_end for row in labeled.select("bin_end").distinct().collect())
    replayable = [landmark for landmark in landmarks if landmarks[0] + horizon_ms <= landmark]
    if not replayable:
        raise ValueError(
            "the log is too short for a backtest: it needs a landmark with an observed horizon, and an earlier one to "
            "train on (feature_engineering.stride_days, min_history_days and the label's horizon_days)"
        )
    return replayable[-most:]


def _replay(  # noqa: PLR0913, PLR0917 - a landmark and everything that training takes
    user_time_bins: DataFrame,
    landmark: int,
    champion: ChampionMetadata,
    backtest: Backtest,
    training: Training,
    sampling: LabelSampling,
    user_types: UserTypeSearch,
    evaluation: Evaluation,
    search: AlgorithmSearch,
) -> dict[str, Any]:
    """One landmark: the training, and how well the model ranked the users at risk."""
    fold = F.floor(uniform_hash(training.seed, "fold", "user") * backtest.folds).cast("int")
    rows = user_time_bins.withColumn("fold", fold)
    if champion.user_types is not None:
        past = rows.where(F.col("bin_end") <= landmark)
        histories = collect_histories(past, user_types.most_users)
        types = fit_by_fold(histories, backtest.folds, champion.horizon_days, user_types)
        rows = with_types_by_fold(rows, types)
    labeled = _labeled(rows, champion)
    horizon_ms = champion.horizon_days * MILLISECONDS_PER_DAY
    train = labeled.where(F.col("bin_end") + horizon_ms <= landmark).cache()
    try:
        sizes = _fold_sizes(train, landmark)
        feature_sets = {champion.feature_set: champion.features}
        trained = train_calibrated(train, train, feature_sets, search, training, evaluation, sampling.strategy)
    finally:
        train.unpersist()
    users = labeled.where(F.col("bin_end") == landmark)
    train_rows, train_positives = (sum(numbers) for numbers in zip(*sizes.values(), strict=True))
    scored = trained.model.transform(users).select(*KEYS, "label", probability().alias("score"))
    collected = collect_scored(scored, evaluation)
    return {
        "algorithm": search.algorithm,
        "settings": str(trained.search.best.settings),
        "train_rows": train_rows,
        "train_positives": train_positives,
        **_flat(ranking_report(collected, evaluation)),
        "mean_score": float(collected["score"].mean()) if len(collected) else None,
    }


def _fold_sizes(train: DataFrame, landmark: int) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold; the error for too few rows of a class names the parameters of the backtest."""
    try:
        return fold_sizes(train)
    except ValueError as error:
        raise ValueError(
            f"at the landmark of {day_of(landmark)} too few rows have a known label (rows of both classes must be in "
            "two folds at least): replay fewer landmarks (backtest.landmarks), or use fewer folds (backtest.folds)"
        ) from error


def _flat(scores: RankingScores) -> dict[str, Any]:
    """Scores as columns, with an interval as two of them, and the mean of random scores."""
    chance = scores.chance
    beside: dict[str, float | None] = {
        "average_precision_by_chance": chance.average_precision_mean if chance else None,
        "auc_roc_by_chance": chance.auc_roc_mean if chance else None,
    }
    intervals = {"average_precision": scores.average_precision_interval, "auc_roc": scores.auc_roc_interval}
    for area, interval in intervals.items():
        beside[f"{area}_low"], beside[f"{area}_high"] = interval or (None, None)
    return scores.model_dump(include=set(_SCORES)) | beside


def _rounded(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
