"""Whether a scoring run's forecasts were right, and what to do about the champion."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2

from sparkify_kedro.churn.reports import ExpectedObserved, Interval, JudgedRun, JudgedSegment, RankingScores
from sparkify_kedro.learning.evaluation import areas, ranking_report
from sparkify_kedro.learning.expected_events import calibrations
from sparkify_kedro.learning.parameters import Evaluation

from .parameters import Monitoring

SEGMENTS = ("level", "device", "gender", "region")


def judge(
    rows: pd.DataFrame,
    promised: RankingScores | None,
    about: dict[str, Any],
    monitoring: Monitoring,
    evaluation: Evaluation,
) -> JudgedRun:
    """Compare the probabilities of a run with what came.

    Args:
        rows: one row per user: ``probability``, ``decile``, ``label`` and the segments.
        promised: the champion's scores out of fold; None where they are not stored.
        about: the fields that identify the run.
        monitoring: the limits of the verdict.
        evaluation: how to evaluate.

    Returns:
        The run's figures and verdict.
    """
    scored = rows[["user_id", "label"]].assign(label=rows["label"].astype(int), score=rows["probability"])
    counts, ranking = compare(rows, monitoring), ranking_report(scored, evaluation)
    slope, slope_interval = _slope(scored, monitoring, evaluation)
    miscalibrated = [*_of_ratio(counts, monitoring), *_of_slope(slope, slope_interval, monitoring)]
    worse = _of_ranking(ranking, promised)
    verdict: Literal["keep", "recalibrate", "retrain"] = (
        "retrain" if worse else "recalibrate" if miscalibrated else "keep"
    )
    return JudgedRun(
        **about,
        confidence=monitoring.confidence,
        all_users=counts,
        kept_between=_kept_between(counts.expected, monitoring),
        slope=slope,
        slope_interval=slope_interval,
        ranking=ranking,
        promised=promised,
        deciles=[compare(of_decile, monitoring) for _, of_decile in rows.groupby("decile", sort=True)],
        segments={
            kind: {str(name): _segment(of_segment, monitoring) for name, of_segment in rows.groupby(kind, sort=True)}
            for kind in SEGMENTS
        },
        verdict=verdict,
        reasons=[*worse, *miscalibrated],
    )


def compare(rows: pd.DataFrame, monitoring: Monitoring) -> ExpectedObserved:
    """Expected and observed events of some rows, and their ratio with an interval."""
    expected, observed = float(rows["probability"].sum()), int(rows["label"].sum())
    low, high = poisson_interval(observed, monitoring.confidence)
    return ExpectedObserved(
        users=len(rows),
        expected=expected,
        observed=observed,
        ratio=observed / expected if expected else None,
        interval=(low / expected, high / expected) if expected else None,
    )


def poisson_interval(count: int, confidence: float) -> Interval:
    """The exact interval of the mean of a Poisson count (Garwood 1936, "Fiducial limits for the Poisson distribution").

    Slightly too wide for events that are not rare.

    Examples:
        >>> tuple(round(edge, 2) for edge in poisson_interval(10, 0.95))
        (4.8, 18.39)
    """
    tail = (1 - confidence) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * (count + 1))) / 2


def _slope(
    scored: pd.DataFrame, monitoring: Monitoring, evaluation: Evaluation
) -> tuple[float | None, Interval | None]:
    """The calibration slope with its interval over bootstrap samples; None where one of the classes is missing."""
    if scored["label"].nunique() < 2:
        return None, None
    slopes = [slope for _, slope in calibrations(scored, evaluation)]
    tail = 100 * (1 - monitoring.confidence) / 2
    low, middle, high = np.percentile(slopes, [tail, 50, 100 - tail])
    return float(middle), (float(low), float(high))


def _of_ratio(counts: ExpectedObserved, monitoring: Monitoring) -> list[str]:
    low, high = _kept_between(counts.expected, monitoring)
    if low <= counts.observed <= high:
        return []
    kept = "none" if high < low else f"{low} to {high}"
    return [
        f"{counts.observed:,} cancellations came where {counts.expected:,.0f} were expected, and up to a ratio of "
        f"{monitoring.tolerated_ratio:g}, or what chance explains, that would be {kept}"
    ]


def _kept_between(expected: float, monitoring: Monitoring) -> tuple[int, int]:
    """The fewest and the most events of which the ratio is tolerated or the interval includes 1."""

    def is_kept(observed: int) -> bool:
        low, high = poisson_interval(observed, monitoring.confidence)
        is_tolerated = expected <= observed * monitoring.tolerated_ratio <= expected * monitoring.tolerated_ratio**2
        return is_tolerated or low <= expected <= high

    least = most = round(expected)
    while least > 0 and is_kept(least - 1):
        least -= 1
    while is_kept(most + 1):
        most += 1
    return least, most


def _of_slope(slope: float | None, interval: Interval | None, monitoring: Monitoring) -> list[str]:
    if slope is None or interval is None or interval[0] <= 1 <= interval[1]:
        return []
    limit = monitoring.tolerated_slope
    if 1 / limit <= slope <= limit:
        return []
    which = "too far apart" if slope < 1 else "too close together"
    return [
        f"the probabilities are {which}: the calibration slope is {slope:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
    ]


def _of_ranking(ranking: RankingScores, promised: RankingScores | None) -> list[str]:
    if promised is None or promised.auc_roc_interval is None or ranking.auc_roc_interval is None:
        return []
    (low, high), (promised_low, promised_high) = ranking.auc_roc_interval, promised.auc_roc_interval
    if high >= promised_low:
        return []
    return [
        f"the users are ranked worse than promised: AUC-ROC {ranking.auc_roc:.2f} ({low:.2f} to {high:.2f}), out of "
        f"fold it was {promised.auc_roc:.2f} ({promised_low:.2f} to {promised_high:.2f})"
    ]


def _segment(rows: pd.DataFrame, monitoring: Monitoring) -> JudgedSegment:
    counts = compare(rows, monitoring)
    label = rows["label"].to_numpy(dtype=float)
    if not monitoring.fewest_positives <= counts.observed < len(rows):
        return JudgedSegment(users=counts.users, observed=counts.observed, judged=None, auc_roc=None)
    of_all = areas(label, rows["probability"].to_numpy(), np.ones((1, len(rows))))
    return JudgedSegment(users=counts.users, observed=counts.observed, judged=counts, auc_roc=float(of_all.auc_roc[0]))
