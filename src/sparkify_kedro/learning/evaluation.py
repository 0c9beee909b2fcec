"""Evaluate scores on rows whose label is known: ranking, calibration, costs and segments.

Scores are evaluated on the driver, in numpy: a few bytes a row, at most ``evaluation.max_rows`` rows. On data of this
size the fixed cost of Spark jobs would dominate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.special import expit, logit, ndtr, ndtri

from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.churn.reports import (
    CalibrationBin,
    ChanceLevel,
    Confusion,
    Interval,
    PairedDifference,
    ProbabilityScores,
    RankingScores,
    TopShare,
)
from sparkify_kedro.churn.vocabulary import KEYS

from .curves import Array, area, average_precision, cumulate, precision_recall, roc
from .parameters import Evaluation, Segments

DECILES = 10
# Numbers that a block of bootstrap samples holds at once (8 bytes each).
_NUMBERS_PER_BLOCK = 4_000_000


class Areas(NamedTuple):
    """Average precision and both areas under curves, one of each per sample; NaN without both classes."""

    average_precision: Array
    auc_pr: Array
    auc_roc: Array


def collect_scored(scored: DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """Collect scored rows on the driver: all, or those of a sample of users (by hash) if there are too many.

    Args:
        scored: the keys, ``label``, ``score`` and possibly other columns.
        evaluation: ``max_rows`` (a sample has that many rows in expectation), and the seed.

    Returns:
        The rows in the order of their keys. Collects about ``evaluation.max_rows`` rows at most.
    """
    collected = scored.limit(evaluation.max_rows + 1).toPandas()
    if len(collected) > evaluation.max_rows:
        share = evaluation.max_rows / scored.count()
        collected = scored.where(uniform_hash(evaluation.seed, "judged", "user") < share).toPandas()
    return collected.sort_values(list(KEYS), ignore_index=True)


def ranking_report(scored: pd.DataFrame, evaluation: Evaluation, unit: str = "user_id") -> RankingScores:
    """How well scores rank, with 95 % intervals from bootstrap samples of whole users, beside chance.

    All rows of a user have the same weight in a sample, a Poisson number of mean 1 (the Poisson bootstrap: resampling
    with replacement without a fixed total; Chamandy et al. 2012, "Estimating uncertainty for massive data streams").
    Percentiles of average precision are corrected for its bias on few positives (Efron 1981, "Nonparametric standard
    errors and confidence intervals"); the interval of the AUC-ROC is the basic one on the logit scale.

    Args:
        scored: ``label`` (0 or 1), ``score`` and the ``unit``, in the order of the keys.
        evaluation: seed, bootstrap samples, and the number of positives below which a warning is given.
        unit: the column whose values are resampled.

    Returns:
        The scores; null where the rows lack one of the two classes.
    """
    rows, positives = len(scored), int(scored["label"].sum())
    if positives in (0, rows):
        return without_ranking(rows, positives)
    label, score = scored["label"].to_numpy(), scored["score"].to_numpy()
    whole = areas(label, score, np.ones((1, rows)))
    samples = _joined([areas(label, score, weights) for weights in bootstrap_weights(scored[unit], evaluation)])
    is_small = positives < evaluation.few_positives
    return RankingScores(
        rows=rows,
        positives=positives,
        prevalence=positives / rows,
        average_precision=float(whole.average_precision[0]),
        average_precision_interval=_bias_corrected(samples.average_precision, whole.average_precision[0]),
        auc_pr=float(whole.auc_pr[0]),
        auc_pr_interval=_bias_corrected(samples.auc_pr, whole.auc_pr[0]),
        auc_roc=float(whole.auc_roc[0]),
        auc_roc_interval=_basic_on_logits(samples.auc_roc, whole.auc_roc[0], positives * (rows - positives)),
        chance=chance_level(label, score, evaluation),
        warning=f"only {positives} positives: too few to compare models, and the intervals are approximate"
        if is_small
        else None,
    )


def paired_difference(one: pd.DataFrame, other: pd.DataFrame, evaluation: Evaluation) -> PairedDifference:
    """The difference in average precision of two models on the same rows, with its 95 % percentile interval.

    Both are evaluated on the same bootstrap samples of users, so that what makes a sample easy or hard for both cancels
    out: models whose own intervals overlap may well differ.

    Args:
        one: the keys, ``label`` and ``score`` of one model, as ``collect_scored`` returns them.
        other: the same rows, scored by the other model.
        evaluation: seed and bootstrap samples.

    Returns:
        The score of ``one`` minus that of ``other``.

    Raises:
        ValueError: where the rows are not the same.
    """
    same = [*KEYS, "label"]
    if not one[same].equals(other[same]):
        raise ValueError("a paired difference needs scores of the same rows")
    label = one["label"].to_numpy()
    if label.sum() in (0, len(label)):
        return PairedDifference(average_precision=None, interval=None)

    def difference(weights: Array) -> Array:
        first, second = (areas(label, scored["score"].to_numpy(), weights).average_precision for scored in (one, other))
        found: Array = first - second
        return found

    differences = np.hstack([difference(weights) for weights in bootstrap_weights(one["user_id"], evaluation)])
    low, high = np.nanpercentile(differences, [2.5, 97.5])
    whole = difference(np.ones((1, len(label))))
    return PairedDifference(average_precision=float(whole[0]), interval=(float(low), float(high)))


def chance_level(label: Array, score: Array, evaluation: Evaluation) -> ChanceLevel:
    """What scores without signal reach on these rows, over random permutations of the labels.

    On few positives that is far from the prevalence: with six of 115 rows, random scores have a mean average precision
    of .08, and more than .16 in one of twenty permutations.

    Args:
        label: 0 or 1, by row, with both classes.
        score: by row; ties stay ties.
        evaluation: the seed, and as many permutations as bootstrap samples.
    """
    random = np.random.default_rng(evaluation.seed)
    per_block = max(1, _NUMBERS_PER_BLOCK // len(label))
    blocks = []
    for start in range(0, evaluation.replicates, per_block):
        shape = (min(per_block, evaluation.replicates - start), len(label))
        blocks.append(areas(random.permuted(np.broadcast_to(label, shape), axis=1), score, np.ones(shape)))
    reached = _joined(blocks)
    return ChanceLevel(
        average_precision_mean=float(reached.average_precision.mean()),
        average_precision_95th=float(np.percentile(reached.average_precision, 95)),
        auc_pr_mean=float(reached.auc_pr.mean()),
        auc_roc_mean=float(reached.auc_roc.mean()),
        auc_roc_95th=float(np.percentile(reached.auc_roc, 95)),
    )


def without_ranking(rows: int, positives: int, warning: str | None = None) -> RankingScores:
    """The report on rows that have no scores or lack one of the two classes: areas are null."""
    return RankingScores(
        rows=rows,
        positives=positives,
        prevalence=positives / rows if rows else None,
        warning=warning or f"{positives} positives in {rows} rows: ranking needs rows of both classes",
    )


def areas(label: Array, score: Array, weights: Array) -> Areas:
    """Average precision and the areas under both curves, exactly, for many weightings of the same rows at once.

    The curves are those of Spark's ``BinaryClassificationMetrics``, as in ``ranking_scores``: a point per distinct
    score, joined by straight lines; the precision-recall curve starts at recall 0 with the precision of its first
    point, the ROC curve at (0, 0).

    Args:
        label: 0 or 1, by row, or samples x rows.
        score: by row.
        weights: samples x rows: the weight of each row.

    Returns:
        One of each per sample, between 0 and 1; NaN where a sample lacks one of the two classes.

    Examples:
        A perfect ranking, and its reverse:

        >>> label, weights = np.array([1, 0, 0]), np.ones((1, 3))
        >>> float(areas(label, np.array([0.9, 0.2, 0.1]), weights).auc_roc[0])
        1.0
        >>> float(areas(label, np.array([0.1, 0.2, 0.9]), weights).auc_roc[0])
        0.0
    """
    counts = cumulate(label, score, weights)
    has_negatives = (counts.negatives > 0)[:, 0]
    return Areas(
        average_precision=np.where(has_negatives, average_precision(counts), np.nan),
        auc_pr=np.where(has_negatives, area(precision_recall(counts)), np.nan),
        auc_roc=area(roc(counts)),
    )


def cheapest_threshold(scored: pd.DataFrame, cost_ratio: float) -> float:
    """The threshold at which contacting everybody at or above it costs least.

    A missed churner costs ``cost_ratio``, a needless contact 1; of thresholds with equal cost the highest is taken.

    Args:
        scored: rows with ``score`` and ``label`` (0 or 1).
        cost_ratio: the cost of a missed churner, in needless contacts.

    Returns:
        One of the scores, or 1.0 where contacting nobody costs least.
    """
    # Compared with contacting nobody, each churner contacted saves cost_ratio, each other user contacted costs 1.
    cost_of_row = 1 - scored["label"] * (1 + cost_ratio)
    cost = cost_of_row.groupby(scored["score"]).sum().sort_index(ascending=False).cumsum()
    return float(cost.idxmin()) if len(cost) and cost.min() < 0 else 1.0


def probability_report(scored: pd.DataFrame, threshold: float, evaluation: Evaluation) -> ProbabilityScores:
    """Whether probabilities are calibrated, and what acting on them brings.

    * ``brier``: the mean squared error (0 is best).
    * ``calibration_error``: the expected calibration error over ten bins of equally many rows: the mean distance
      between a bin's mean score and its share of positives, weighted by rows (0 is best).
    * ``calibration_error_by_chance``: the error that perfect probabilities have in expectation on so few rows.

    Args:
        scored: rows with ``score`` (a probability) and ``label``, in the order of their keys; rows of equal score are
            ordered at random.
        threshold: the score from which a user is contacted.
        evaluation: seed, shares of rows to look at, cost ratio.

    Returns:
        The figures; null where there is nothing to divide by.
    """
    shuffled = scored.sample(frac=1, random_state=evaluation.seed % 2**32)
    ranked = shuffled.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    label, score = ranked["label"].to_numpy(), ranked["score"].to_numpy()
    bins = [(label[rows], score[rows]) for rows in np.array_split(np.arange(len(label)), DECILES) if len(rows)]
    return ProbabilityScores(
        brier=float(np.mean((score - label) ** 2)) if len(label) else None,
        calibration_error=_ratio(sum(abs(scores.sum() - labels.sum()) for labels, scores in bins), len(label)),
        calibration_error_by_chance=_ratio(sum(_distance_by_chance(scores) for _, scores in bins), len(label)),
        calibration=[
            CalibrationBin(rows=len(labels), mean_score=float(scores.mean()), share_of_positives=float(labels.mean()))
            for labels, scores in bins
        ],
        top=[_top(label, share) for share in evaluation.top_shares],
        confusion=_confusion(label, score >= threshold, threshold, evaluation.cost_ratio),
    )


def segments_of(cuts: Segments) -> dict[str, Column]:
    """The name of a row's segment, by kind of segment; from columns of ``user_time_bins``."""
    return {
        "level": F.col("level_at_end"),
        "gender": F.when(F.col("is_male") == 1, "male").otherwise("female or unknown"),
        "tenure": _between(F.exp("log_tenure_days"), cuts.tenure_days),
        "device": F.col("device"),
        "history": _between(F.col("observed_days_in_history"), cuts.history_days),
    }


def bootstrap_weights(unit: pd.Series, evaluation: Evaluation) -> Iterator[Array]:
    """Blocks of samples x rows: the weight of each row, equal for all rows of a unit; see ``ranking_report``."""
    random = np.random.default_rng(evaluation.seed)
    code, units = pd.factorize(unit)
    samples_per_block = max(1, _NUMBERS_PER_BLOCK // len(unit))
    for start in range(0, evaluation.replicates, samples_per_block):
        samples = min(samples_per_block, evaluation.replicates - start)
        yield random.poisson(1.0, size=(samples, len(units))).astype(float)[:, code]


def _joined(blocks: list[Areas]) -> Areas:
    return Areas(*(np.hstack(values) for values in zip(*blocks, strict=True)))


def _bias_corrected(samples: Array, whole: float) -> Interval:
    """The percentiles between which 95 % of the samples lie, moved by twice the bias of their median.

    Where all samples lie on one side of the score, the bias is that of half a sample on the other.
    """
    known = samples[~np.isnan(samples)]
    below = np.mean(known < whole) + np.mean(known == whole) / 2
    bias = ndtri(np.clip(below, 0.5 / len(known), 1 - 0.5 / len(known)))
    low, high = np.percentile(known, 100 * ndtr(2 * bias + ndtri([0.025, 0.975])))
    return float(low), float(high)


def _basic_on_logits(samples: Array, whole: float, pairs: int) -> Interval:
    """The score's logit minus the percentiles of the samples' deviations from it.

    Areas of 0 and 1 count as half a pair of a positive and a negative away from there.
    """
    half_a_pair = 0.5 / pairs
    of_samples, of_whole = (logit(np.clip(values, half_a_pair, 1 - half_a_pair)) for values in (samples, whole))
    low, high = expit(2 * of_whole - np.nanpercentile(of_samples, [97.5, 2.5]))
    return float(min(low, whole)), float(max(high, whole))


def _between(value: Column, cuts: list[float]) -> Column:
    """``under 30 days``, ``30 to 90 days``, ``90 days and more``."""
    ascending = sorted(cuts)
    name = F.when(value < ascending[0], f"under {ascending[0]:g} days")
    for low, high in pairwise(ascending):
        name = name.when(value < high, f"{low:g} to {high:g} days")
    return name.otherwise(f"{ascending[-1]:g} days and more")


def _distance_by_chance(scores: Array) -> float:
    """The mean distance between the number of positives and its expectation, where scores are true probabilities.

    That of a normal distribution: sqrt(2 / pi) standard deviations.
    """
    return float(np.sqrt(2 / np.pi * np.sum(scores * (1 - scores))))


def _top(label: Array, share: float) -> TopShare:
    """The rows with the best scores; ``label`` is in the order of the scores."""
    # Rounded first, since 0.07 * 100 is a little more than 7.
    rows = int(np.ceil(round(share * len(label), 6)))
    precision, prevalence = _ratio(label[:rows].sum(), rows), _ratio(label.sum(), len(label))
    return TopShare(
        share=share,
        rows=rows,
        precision=precision,
        recall=_ratio(label[:rows].sum(), label.sum()),
        lift=precision / prevalence if precision is not None and prevalence else None,
    )


def _confusion(label: Array, is_flagged: Array, threshold: float, cost_ratio: float) -> Confusion:
    is_positive = label == 1
    false_positives, false_negatives = np.sum(is_flagged & ~is_positive), np.sum(~is_flagged & is_positive)
    return Confusion(
        true_positives=int(np.sum(is_flagged & is_positive)),
        false_positives=int(false_positives),
        false_negatives=int(false_negatives),
        true_negatives=int(np.sum(~is_flagged & ~is_positive)),
        threshold=threshold,
        cost_ratio=cost_ratio,
        cost=float(false_positives + cost_ratio * false_negatives),
        cost_of_nobody=float(cost_ratio * is_positive.sum()),
        cost_of_everybody=float(np.sum(~is_positive)),
    )


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
