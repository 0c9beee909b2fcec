"""Replay time: train on what was known by a day, score, and compare with what came."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.figure_style import BAND, BLUE, GRAY, ORANGE, finish
from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.learning.evaluation import collect_scored, rank
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.learning.scoring_snapshot import MILLISECONDS_PER_DAY, churned_at, last_completed_bins
from sparkify_kedro.learning.search import KEYS, fold_sizes, probability, train_calibrated

from .parameters import Backtest

logger = logging.getLogger(__name__)

HOLD_OUT = "hold-out"
_SCORES = ("rows", "positives", "prevalence", "auc_pr", "auc_roc", "warning")
_AREAS = {"auc_pr": "AUC-PR", "auc_roc": "AUC-ROC"}
# A line through a single cut date would not be seen.
_DASH = {"symbol": "line-ew-open", "size": 14}


class Cut(NamedTuple):
    """A day in the past, the moment of its midnight (UTC) and how far to look ahead (both in ms since the epoch)."""

    day: date
    moment: int
    horizon_end: int


def replay_cuts(  # noqa: PLR0913, PLR0917 - the log, the champion, and everything that a training takes
    user_time_bins: DataFrame,
    log_span: dict[str, Any],
    champion_metadata: dict[str, Any],
    comparison: dict[str, Any],
    backtest: Backtest,
    training: Training,
    evaluation: Evaluation,
    *searches: AlgorithmSearch,
) -> pd.DataFrame:
    """For every cut date, train on what was known by then, score the users who were there, and see who cancelled.

    The features of a bin that is over do not depend on what comes later, so they are taken as they are; what is cut is
    which rows have a known label and which users are scored. Settings are searched anew at every cut; the features and
    the algorithm are the champion's.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        log_span: the log's first and last moment.
        champion_metadata: the label's champion: algorithm and features.
        comparison: the champion's scores on held-out users.
        backtest: the cut dates, the horizon, and the folds to search settings in.
        training: how to train.
        evaluation: how to judge.
        searches: the algorithms with their grids.

    Returns:
        One row per cut date, and one for the held-out users of the champion (``when`` is ``hold-out``): rows and
        positives trained on, users scored, who of them cancelled within the horizon, both areas under the curve with
        their 95 % intervals, the mean score, and a warning in words where there is one.

    Raises:
        ValueError: where a cut date is too late for its horizon, or too early to have learned anything by then.
    """
    cuts = [_cut(day, backtest.horizon_days, log_span) for day in sorted(backtest.cut_dates)]
    search = next(search for search in searches if search.algorithm == champion_metadata["algorithm"])
    replayed = []
    for cut in cuts:
        row = _replay(user_time_bins, cut, champion_metadata, backtest.folds, training, evaluation, search)
        logger.info("Backtest %s: AUC-ROC %s on %s users", cut.day, _rounded(row["auc_roc"]), row["rows"])
        replayed.append({"when": cut.day.isoformat(), "horizon_days": backtest.horizon_days, **row})
    promised = comparison["algorithms"][champion_metadata["algorithm"]]["test"]
    hold_out = {"when": HOLD_OUT, "algorithm": champion_metadata["algorithm"], **_flat(promised)}
    return pd.DataFrame([*replayed, hold_out]).rename(columns={"rows": "users_scored", "positives": "churned"})


def draw_backtest(backtest_table: pd.DataFrame) -> go.Figure:
    """Score by cut date, against the hold-out's.

    Args:
        backtest_table: one row per cut date, and one for the hold-out.

    Returns:
        Two panels, AUC-PR and AUC-ROC: a point with its 95 % interval per cut date, the hold-out's score as a line with
        its interval as a band, and the chance level.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=list(_AREAS.values()), horizontal_spacing=0.12)
    cuts = backtest_table[backtest_table["when"] != HOLD_OUT]
    hold_out = backtest_table[backtest_table["when"] == HOLD_OUT].iloc[0]
    for place, area in enumerate(_AREAS, start=1):
        is_first = place == 1
        score, low, high = (cuts[name].astype(float).tolist() for name in (area, f"{area}_low", f"{area}_high"))
        when = cuts["when"].tolist()
        chance_level = cuts["prevalence"].tolist() if area == "auc_pr" else [0.5] * len(cuts)
        lines = {
            "hold-out, with its 95 % interval": ([hold_out[area]] * len(cuts), {"color": ORANGE, "width": 2}),
            "chance": (chance_level, {"color": GRAY, "dash": "dot"}),
        }
        for name, (level, line) in lines.items():
            figure.add_scatter(
                x=when, y=level, mode="lines+markers", line=line, marker=_DASH | {"color": line["color"]},
                name=name, legendgroup=name, showlegend=is_first, row=1, col=place,
            )  # fmt: skip
        figure.add_scatter(
            x=when, y=score, mode="markers", marker={"color": BLUE, "size": 11},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [b - a for a, b in zip(score, high, strict=True)],
                "arrayminus": [a - b for a, b in zip(score, low, strict=True)],
            },
            name="trained and scored at the cut date", legendgroup="cut", showlegend=is_first, row=1, col=place,
        )  # fmt: skip
        # Last, because nothing is drawn into a panel that is still empty.
        figure.add_hrect(
            y0=hold_out[f"{area}_low"], y1=hold_out[f"{area}_high"], fillcolor=ORANGE, opacity=BAND, line_width=0,
            layer="below", row=1, col=place,
        )  # fmt: skip
    figure.update_xaxes(type="category", title_text="cut date")
    figure.update_yaxes(range=[0, 1])
    return finish(
        figure,
        "Backtest: what a model trained by a day was worth in the days after it",
        "A dot is a model that was trained on what was known by that day, judged by who left in the days after it, "
        "with its 95 % interval. Dots within the orange band keep what the evaluation on held-out users promises.",
    )


def _cut(day: date, horizon_days: int, log_span: dict[str, Any]) -> Cut:
    first, last = log_span["first_ts"], log_span["last_ts"]
    moment = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000
    cut = Cut(day, moment, moment + horizon_days * MILLISECONDS_PER_DAY)
    if first is None or not first < cut.moment or cut.horizon_end > last + MILLISECONDS_PER_DAY:
        reach = "has no events" if first is None else f"reaches from {_day(first)} to {_day(last)}"
        raise ValueError(
            f"backtest.cut_dates has {day}, whose {horizon_days} days after it (backtest.horizon_days) must lie inside "
            f"the log, which {reach}: name other cut dates"
        )
    return cut


def _replay(  # noqa: PLR0913, PLR0917 - a cut and everything that a training takes
    user_time_bins: DataFrame,
    cut: Cut,
    champion_metadata: dict[str, Any],
    folds: int,
    training: Training,
    evaluation: Evaluation,
    search: AlgorithmSearch,
) -> dict[str, Any]:
    """One cut date: what was trained, and how well it ranked the users that were there."""
    time_bin_days = champion_metadata["feature_engineering"]["time_bin_days"]
    known = known_rows(user_time_bins, champion_metadata["label"], cut.moment, time_bin_days)
    fold = F.floor(uniform_hash(training.seed, "fold", "user") * folds).cast("int")
    train = known.withColumn("fold", fold).cache()
    try:
        sizes = _fold_sizes(train, cut.day)
        trained = train_calibrated(train, train, champion_metadata["features"], search, training)
    finally:
        train.unpersist()
    train_rows, train_positives = (sum(numbers) for numbers in zip(*sizes.values(), strict=True))
    users = users_with_outcome(user_time_bins, cut.moment, cut.horizon_end, time_bin_days)
    scored = trained.model.transform(users).select(*KEYS, "label", probability().alias("score"))
    collected = collect_scored(scored, evaluation)
    return {
        "algorithm": search.algorithm,
        "settings": str(trained.found.best.settings),
        "train_rows": train_rows,
        "train_positives": train_positives,
        **_flat(rank(collected, evaluation)),
        "mean_score": float(collected["score"].mean()) if len(collected) else None,
    }


def _fold_sizes(train: DataFrame, day: date) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold; a fold without both classes is told in terms of the backtest."""
    try:
        return fold_sizes(train)
    except ValueError as error:
        raise ValueError(
            f"backtest.cut_dates has {day}, by which too little was known to learn from (a fold lacks rows of both "
            "classes): name later days, or fewer folds (backtest.folds)"
        ) from error


def known_rows(user_time_bins: DataFrame, label: str, moment: int, time_bin_days: int) -> DataFrame:
    """The rows whose label was known by a moment (ms since the epoch): those whose next bin was over.

    Returns:
        One row per (user_id, time_bin) of users who had not cancelled in the bin, with ``label``.
    """
    next_bin_end = F.col("bin_end") + time_bin_days * MILLISECONDS_PER_DAY
    return user_time_bins.where(F.col("at_risk") & (next_bin_end <= moment)).withColumn("label", F.col(label))


def users_with_outcome(user_time_bins: DataFrame, moment: int, horizon_end: int, time_bin_days: int) -> DataFrame:
    """The users to score at a moment, and whether they cancelled between it and the horizon's end (ms since the epoch).

    Returns:
        One row per user, with ``label``.
    """
    came = F.coalesce((F.col("user_churned_at") >= moment) & (F.col("user_churned_at") < horizon_end), F.lit(False))
    with_future = user_time_bins.withColumn("user_churned_at", churned_at()).withColumn("label", came.cast("int"))
    return last_completed_bins(with_future, moment, time_bin_days)


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores as columns, with an interval as two of them."""
    edges = {
        f"{area}_{side}": (scores[f"{area}_interval"] or [None, None])[place]
        for area in _AREAS
        for place, side in enumerate(("low", "high"))
    }
    return {name: scores[name] for name in _SCORES} | edges


def _rounded(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _day(ts: int) -> date:
    return datetime.fromtimestamp(ts / 1_000, tz=UTC).date()
