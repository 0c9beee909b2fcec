"""What there is to say of scores on rows whose label is known.

Scores are judged on the driver, in numpy: a few bytes a row, at most ``evaluation.max_rows`` rows. On so little data
the fixed cost of Spark's jobs would be nearly all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import uniform_hash

from .curves import area, cumulate, precision_recall, roc
from .parameters import Evaluation, Segments

DECILES = 10
# Numbers that a block of bootstrap samples holds at once (8 bytes each).
_NUMBERS_PER_BLOCK = 4_000_000


class Areas(NamedTuple):
    """Areas under the precision-recall and the ROC curve, one of each per sample; NaN without both classes."""

    auc_pr: np.ndarray
    auc_roc: np.ndarray


def collect_scored(scored: DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """Bring scored rows to the driver: all, or those of a sample of users drawn by hash if there are too many.

    Args:
        scored: rows with ``user_id``, ``time_bin``, ``label``, ``score`` and perhaps more.
        evaluation: the most rows to collect (the sample meets it in expectation), and the seed.

    Returns:
        The rows in the order of their keys. Collects about ``evaluation.max_rows`` rows at the most.
    """
    collected = scored.limit(evaluation.max_rows + 1).toPandas()
    if len(collected) > evaluation.max_rows:
        share = evaluation.max_rows / scored.count()
        collected = scored.where(uniform_hash(evaluation.seed, "judged", "user") < share).toPandas()
    return collected.sort_values(["user_id", "time_bin"], ignore_index=True)


def rank(scored: pd.DataFrame, evaluation: Evaluation, unit: str = "user_id") -> dict[str, Any]:
    """How well scores rank, with 95 % intervals: percentiles over bootstrap samples of whole users.

    Rows of a user stand or fall together: a sample counts every row of a user as often as a Poisson number of mean 1
    says (the Poisson bootstrap: resampling with replacement, without a fixed total; Chamandy et al. 2012, "Estimating
    uncertainty for massive data streams").

    Args:
        scored: one row per scored row, in the order of its keys: ``label`` (0 or 1), ``score`` and the ``unit``.
        evaluation: the seed and the number of bootstrap samples; under how many positives to warn.
        unit: the column whose values are resampled.

    Returns:
        ``rows``, ``positives``, ``prevalence`` (the chance level of ``auc_pr``), ``auc_pr`` and ``auc_roc`` with
        ``…_interval`` (two numbers), null where the rows lack one of the two classes; and a ``warning`` in words or
        null.
    """
    rows, positives = len(scored), int(scored["label"].sum())
    told = unranked(rows, positives)
    if positives not in (0, rows):
        label, score = scored["label"].to_numpy(), scored["score"].to_numpy()
        whole = areas(label, score, np.ones((1, rows)))
        samples = Areas(
            *np.hstack([areas(label, score, weights) for weights in bootstrap_weights(scored[unit], evaluation)])
        )
        for name in Areas._fields:
            told[name] = float(getattr(whole, name)[0])
            told[f"{name}_interval"] = [float(edge) for edge in np.nanpercentile(getattr(samples, name), [2.5, 97.5])]
    return told | {"warning": warning(told, evaluation.few_positives)}


def unranked(rows: int, positives: int) -> dict[str, Any]:
    """What ``rank`` tells of rows that have no scores, or lack one of the two classes: areas are null."""
    counts = {"rows": rows, "positives": positives, "prevalence": positives / rows if rows else None}
    return counts | dict.fromkeys(("auc_pr", "auc_pr_interval", "auc_roc", "auc_roc_interval"))


def areas(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> Areas:
    """Areas under both curves, exactly, for many weightings of the same rows at once.

    The curves are those of Spark's ``BinaryClassificationMetrics``, as in ``ranking_scores``: a point per distinct
    score, joined by straight lines; the precision-recall curve starts at recall 0 with the precision of its first
    point, the ROC curve at (0, 0).

    Args:
        label: 0 or 1, by row.
        score: by row.
        weights: samples x rows: how often a row counts.

    Returns:
        An area of each kind per sample.
    """
    counts = cumulate(label, score, weights)
    return Areas(
        auc_pr=np.where((counts.negatives > 0)[:, 0], area(precision_recall(counts)), np.nan),
        auc_roc=area(roc(counts)),
    )


def warning(scores: Mapping[str, Any], few_positives: int) -> str | None:
    """What a reader must know before believing a score; None where the set is large enough."""
    positives, rows = scores["positives"], scores["rows"]
    if scores["auc_pr"] is None:
        return f"{positives} positives in {rows} rows: without both classes there is nothing to judge by"
    if positives < few_positives:
        return f"only {positives} positives: too few to tell models apart, look at the interval"
    return None


def cheapest_threshold(scored: pd.DataFrame, cost_ratio: float) -> float:
    """The threshold at which contacting everybody at or above it costs least.

    A missed churner costs ``cost_ratio``, a needless contact 1; where thresholds cost the same, the highest is taken.

    Args:
        scored: rows with ``score`` and ``label`` (0 or 1).
        cost_ratio: what a missed churner costs, in needless contacts.

    Returns:
        One of the scores, or 1.0 where contacting nobody costs least.
    """
    # Against contacting nobody: each churner reached saves cost_ratio, each other user contacted costs 1.
    cost_of_row = 1 - scored["label"] * (1 + cost_ratio)
    cost = cost_of_row.groupby(scored["score"]).sum().sort_index(ascending=False).cumsum()
    return float(cost.idxmin()) if len(cost) and cost.min() < 0 else 1.0


def judge_probabilities(scored: pd.DataFrame, threshold: float, evaluation: Evaluation) -> dict[str, Any]:
    """Whether probabilities mean what they say, and what acting on them brings.

    Args:
        scored: rows with ``score`` (a probability) and ``label``, in the order of their keys, by which equal scores are
            ordered at random.
        threshold: the score from which a user is contacted.
        evaluation: the seed, the shares of rows to look at, the cost ratio.

    Returns:
        ``brier`` (mean squared error), ``calibration_error`` (expected, over ten bins of equally many rows: the mean
        distance between a bin's mean score and its share of positives, weighted by rows),
        ``calibration_error_by_chance`` (what perfect probabilities would show on so few rows), ``calibration`` (per
        bin: rows, mean score, share of positives), ``top`` (per share: rows, precision, recall, lift) and ``confusion``
        at the threshold. Figures are null where there is nothing to divide by.
    """
    shuffled = scored.sample(frac=1, random_state=evaluation.seed % 2**32)
    ranked = shuffled.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    label, score = ranked["label"].to_numpy(), ranked["score"].to_numpy()
    bins = [(label[rows], score[rows]) for rows in np.array_split(np.arange(len(label)), DECILES) if len(rows)]
    return {
        "brier": float(np.mean((score - label) ** 2)) if len(label) else None,
        "calibration_error": _ratio(sum(abs(scores.sum() - labels.sum()) for labels, scores in bins), len(label)),
        "calibration_error_by_chance": _ratio(sum(_distance_by_chance(scores) for _, scores in bins), len(label)),
        "calibration": [
            {"rows": len(labels), "mean_score": float(scores.mean()), "share_of_positives": float(labels.mean())}
            for labels, scores in bins
        ],
        "top": [_top(label, share) for share in evaluation.top_shares],
        "confusion": _confusion(label, score >= threshold)
        | {"threshold": threshold, "cost_ratio": evaluation.cost_ratio},
    }


def segments_of(cuts: Segments) -> dict[str, Column]:
    """The segment a row is in, by kind of segment, in words; from columns of ``user_time_bins``."""
    return {
        "level": F.col("level_at_end"),
        "tenure": _between(F.exp("log_tenure_days"), cuts.tenure_days),
        "device": F.col("device"),
        "history": _between(F.col("observed_days_in_history"), cuts.history_days),
    }


def bootstrap_weights(unit: pd.Series, evaluation: Evaluation) -> Iterator[np.ndarray]:
    """Blocks of samples x rows: how often each row counts, the same for all rows of a unit.

    A Poisson number of mean 1 per unit, as in ``rank``.
    """
    random = np.random.default_rng(evaluation.seed)
    place, units = pd.factorize(unit)
    samples_per_block = max(1, _NUMBERS_PER_BLOCK // len(unit))
    for start in range(0, evaluation.replicates, samples_per_block):
        samples = min(samples_per_block, evaluation.replicates - start)
        yield random.poisson(1.0, size=(samples, len(units))).astype(float)[:, place]


def _between(value: Column, cuts: list[float]) -> Column:
    """``under 30 days``, ``30 to 90 days``, ``90 days and more``."""
    ascending = sorted(cuts)
    name = F.when(value < ascending[0], f"under {ascending[0]:g} days")
    for low, high in pairwise(ascending):
        name = name.when(value < high, f"{low:g} to {high:g} days")
    return name.otherwise(f"{ascending[-1]:g} days and more")


def _distance_by_chance(scores: np.ndarray) -> float:
    """The mean distance between a number of positives and its expectation, where scores are true probabilities.

    That of a normal distribution, sqrt(2 / pi) standard deviations.
    """
    return float(np.sqrt(2 / np.pi * np.sum(scores * (1 - scores))))


def _top(label: np.ndarray, share: float) -> dict[str, Any]:
    """What the rows with the best scores hold; ``label`` is in the order of the scores."""
    # Rounded first, since 0.07 * 100 is a little more than 7.
    rows = int(np.ceil(round(share * len(label), 6)))
    precision, prevalence = _ratio(label[:rows].sum(), rows), _ratio(label.sum(), len(label))
    return {
        "share": share,
        "rows": rows,
        "precision": precision,
        "recall": _ratio(label[:rows].sum(), label.sum()),
        "lift": _ratio(precision, prevalence) if prevalence else None,
    }


def _confusion(label: np.ndarray, is_flagged: np.ndarray) -> dict[str, int]:
    return {
        f"{truth}_{side}s": int(np.sum((is_flagged == (side == "positive")) & ((label == 1) == is_positive)))
        for truth, side, is_positive in (
            ("true", "positive", True),
            ("false", "positive", False),
            ("false", "negative", True),
            ("true", "negative", False),
        )
    }


def _ratio(part: float | None, whole: float) -> float | None:
    return float(part / whole) if whole else None
