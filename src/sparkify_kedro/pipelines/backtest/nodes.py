"""Backtest: train on what was known at a past day, score, and compare with what followed."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BAND, BLUE, GRAY, ORANGE, finish
from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison, LogSpan, RankingScores
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY, day_of, midnight
from sparkify_kedro.learning.evaluation import collect_scored, ranking_report
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.scoring_snapshot import scoring_snapshot, user_churned_at
from sparkify_kedro.learning.search import fold_sizes, probability, train_calibrated

from .parameters import Backtest

logger = logging.getLogger(__name__)

HOLD_OUT = "hold-out"
_SCORES = ("rows", "positives", "prevalence", "auc_pr", "auc_roc", "warning")
_AREAS = {"auc_pr": "AUC-PR", "auc_roc": "AUC-ROC"}
# A line through a single cut date would not be visible.
_DASH = {"symbol": "line-ew-open", "size": 14}


class Cut(NamedTuple):
    """A past day, its midnight (UTC) and the end of the horizon (both in ms since the epoch)."""

    day: date
    time: int
    horizon_end: int


def replay_cuts(  # noqa: PLR0913, PLR0917 - the log, the champion, and everything that training takes
    user_time_bins: DataFrame,
    log_span: LogSpan,
    champion_metadata: ChampionMetadata,
    comparison: Comparison,
    backtest: Backtest,
    training: Training,
    evaluation: Evaluation,
    **searches: AlgorithmSearch,
) -> pd.DataFrame:
    """For every cut date, train on what was known then, score the active users, and see who cancelled.

    The features of a completed bin do not depend on later events, so they are used as they are; the cut decides which
    rows have a known label and which users are scored. Settings are searched again at every cut; the features and the
    algorithm are the champion's.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        log_span: the log's first and last event.
        champion_metadata: the algorithm and features of the label's champion.
        comparison: the champion's scores on held-out users.
        backtest: the cut dates, the horizon, and the folds to search settings in.
        training: how to train.
        evaluation: how to evaluate.
        searches: the grids, by algorithm.

    Returns:
        One row per cut date, and one for the held-out users of the champion (``when`` is ``hold-out``): training rows
        and positives, users scored, how many of them cancelled within the horizon, both areas under the curve with
        95 % intervals, the mean score, and a warning if there is one.

    Raises:
        ValueError: where a cut date is too late for its horizon, or too early to train on.
    """
    cuts = [_cut(day, backtest.horizon_days, log_span) for day in sorted(backtest.cut_dates)]
    search = searches[champion_metadata.algorithm]
    replayed = []
    for cut in cuts:
        row = _replay(user_time_bins, cut, champion_metadata, backtest.folds, training, evaluation, search)
        logger.info("Backtest %s: AUC-ROC %s on %s users", cut.day, _rounded(row["auc_roc"]), row["rows"])
        replayed.append({"when": cut.day.isoformat(), "horizon_days": backtest.horizon_days, **row})
    held_out = comparison.algorithms[champion_metadata.algorithm].test
    hold_out = {"when": HOLD_OUT, "algorithm": champion_metadata.algorithm, **_flat(held_out)}
    return pd.DataFrame([*replayed, hold_out]).rename(columns={"rows": "users_scored", "positives": "churned"})


def draw_backtest(backtest_table: pd.DataFrame) -> go.Figure:
    """Scores by cut date, beside the score on held-out users.

    Args:
        backtest_table: one row per cut date, and one for the hold-out.

    Returns:
        Two panels, AUC-PR and AUC-ROC: a point with its 95 % interval per cut date, the score on held-out users as a
        line with its interval as a band, and the level of chance.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=list(_AREAS.values()), horizontal_spacing=0.12)
    cuts = backtest_table[backtest_table["when"] != HOLD_OUT]
    hold_out = backtest_table[backtest_table["when"] == HOLD_OUT].iloc[0]
    for column, area in enumerate(_AREAS, start=1):
        is_first = column == 1
        score, low, high = (cuts[name].astype(float).tolist() for name in (area, f"{area}_low", f"{area}_high"))
        when = cuts["when"].tolist()
        chance_level = cuts["prevalence"].tolist() if area == "auc_pr" else [0.5] * len(cuts)
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
            name="trained and scored at the cut date", legendgroup="cut", showlegend=is_first, row=1, col=column,
        )  # fmt: skip
        # Last, because plotly does not draw into an empty panel.
        figure.add_hrect(
            y0=hold_out[f"{area}_low"], y1=hold_out[f"{area}_high"], fillcolor=ORANGE, opacity=BAND, line_width=0,
            layer="below", row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(type="category", title_text="cut date")
    figure.update_yaxes(range=[0, 1])
    return finish(
        figure,
        "Backtest: scores of models trained at past dates",
        "A dot is a model that was trained on what was known at that date and evaluated on the days after it, with its "
        "95 % interval. Dots within the orange band agree with the evaluation on held-out users.",
    )


def _cut(day: date, horizon_days: int, log_span: LogSpan) -> Cut:
    first, last = log_span.first_ts, log_span.last_ts
    time = midnight(day)
    cut = Cut(day, time, time + horizon_days * MILLISECONDS_PER_DAY)
    if first is None or last is None or not first < time or cut.horizon_end > last + MILLISECONDS_PER_DAY:
        span = "has no events" if first is None or last is None else f"covers {day_of(first)} to {day_of(last)}"
        raise ValueError(
            f"backtest.cut_dates has {day}, whose {horizon_days} days after it (backtest.horizon_days) must lie inside "
            f"the log, which {span}: choose other cut dates"
        )
    return cut


def _replay(  # noqa: PLR0913, PLR0917 - a cut and everything that training takes
    user_time_bins: DataFrame,
    cut: Cut,
    champion_metadata: ChampionMetadata,
    folds: int,
    training: Training,
    evaluation: Evaluation,
    search: AlgorithmSearch,
) -> dict[str, Any]:
    """One cut date: the training, and how well the model ranked the active users."""
    time_bin_days = int(str(champion_metadata.feature_engineering["time_bin_days"]))
    known = known_rows(user_time_bins, champion_metadata.label, cut.time, time_bin_days)
    fold = F.floor(uniform_hash(training.seed, "fold", "user") * folds).cast("int")
    train = known.withColumn("fold", fold).cache()
    try:
        sizes = _fold_sizes(train, cut.day)
        trained = train_calibrated(train, train, champion_metadata.features, search, training, evaluation)
    finally:
        train.unpersist()
    train_rows, train_positives = (sum(numbers) for numbers in zip(*sizes.values(), strict=True))
    users = users_with_outcome(user_time_bins, cut.time, cut.horizon_end, time_bin_days)
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


def _fold_sizes(train: DataFrame, day: date) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold; the error for a fold without both classes names the parameters of the backtest."""
    try:
        return fold_sizes(train)
    except ValueError as error:
        raise ValueError(
            f"backtest.cut_dates has {day}, at which too few rows have a known label (a fold lacks rows of both "
            "classes): choose later days, or fewer folds (backtest.folds)"
        ) from error


def known_rows(user_time_bins: DataFrame, label: str, time: int, time_bin_days: int) -> DataFrame:
    """The rows whose label was known at a time (ms since the epoch): those whose next bin was completed.

    Returns:
        One row per (user_id, time_bin) of users who had not cancelled in the bin, with ``label``.
    """
    next_bin_end = F.col("bin_end") + time_bin_days * MILLISECONDS_PER_DAY
    return user_time_bins.where(F.col("at_risk") & (next_bin_end <= time)).withColumn("label", F.col(label))


def users_with_outcome(user_time_bins: DataFrame, time: int, horizon_end: int, time_bin_days: int) -> DataFrame:
    """The users to score at a time, and whether they cancelled before the horizon's end (both ms since the epoch).

    Returns:
        One row per user, with ``label``.
    """
    cancelled = (F.col("user_churned_at") >= time) & (F.col("user_churned_at") < horizon_end)
    label = F.coalesce(cancelled, F.lit(False)).cast("int")
    with_label = user_time_bins.withColumn("user_churned_at", user_churned_at()).withColumn("label", label)
    return scoring_snapshot(with_label, time, time_bin_days)


def _flat(scores: RankingScores) -> dict[str, Any]:
    """Scores as columns, with an interval as two of them."""
    intervals = {"auc_pr": scores.auc_pr_interval, "auc_roc": scores.auc_roc_interval}
    edges: dict[str, float | None] = {}
    for area, interval in intervals.items():
        edges[f"{area}_low"], edges[f"{area}_high"] = interval or (None, None)
    return scores.model_dump(include=set(_SCORES)) | edges


def _rounded(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
