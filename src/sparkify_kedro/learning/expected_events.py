"""How many events to expect among the users with the highest scores, with what calibration and chance leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from .curves import Array
from .evaluation import bootstrap_weights
from .parameters import Evaluation

# Beyond these, a probability is a rounding error of certainty.
_LEAST = 1e-6
# On few positives the slope is open: before the rows it is 1, with a standard deviation of 0.3.
_SLOPE_PRECISION = 1 / 0.3**2
_NEWTON_STEPS = 30


def counts_among_first(
    probabilities: Array, numbers: Sequence[int], out_of_fold: pd.DataFrame, evaluation: Evaluation
) -> Array:
    """Simulated numbers of events among the users with the highest probabilities: samples x numbers.

    Each sample draws users of the rows out of fold again, calibrates their scores once more (logistic regression on the
    log-odds: Cox 1958, "Two further applications of a model for binary regression"), applies this to the
    probabilities, and draws for every user whether the event happens. So the spread has two parts: what the rows leave
    open on calibration, and chance. What changes between those rows and the future is not in it, nor what other rows
    would have taught the model.

    Args:
        probabilities: one per user, the highest first.
        numbers: how many of the first users to count the events of, ascending.
        out_of_fold: ``user_id``, ``label`` and ``score`` (a calibrated probability) of rows that the scoring models
            have not seen.
        evaluation: the seed, and the number of samples.
    """
    odds = logit(np.clip(probabilities, _LEAST, 1 - _LEAST))
    random = np.random.default_rng([evaluation.seed, len(probabilities)])
    ends = np.asarray(numbers)
    samples = []
    for intercept, slope in calibrations(out_of_fold, evaluation):
        happens = random.random(len(odds)) < expit(intercept + slope * odds)
        samples.append(np.concatenate([[0], np.cumsum(happens)])[ends])
    return np.array(samples)


def calibrations(out_of_fold: pd.DataFrame, evaluation: Evaluation) -> Iterator[tuple[float, float]]:
    """Intercept and slope, on log-odds, of each bootstrap sample of users; 0 and 1 where scores are calibrated.

    Args:
        out_of_fold: ``user_id``, ``label`` and ``score`` (a probability) of rows that the model has not seen.
        evaluation: the seed, and the number of samples.
    """
    odds = logit(np.clip(out_of_fold["score"].to_numpy(), _LEAST, 1 - _LEAST))
    label = out_of_fold["label"].to_numpy(dtype=float)
    for block in bootstrap_weights(out_of_fold["user_id"], evaluation):
        for weights in block:
            yield _calibration(odds, label, weights)


def _calibration(odds: Array, label: Array, weights: Array) -> tuple[float, float]:
    """Intercept and slope of largest likelihood by Newton's method, the slope held near 1 and not negative.

    A sample without positives or without negatives keeps the scores as they are.
    """
    if weights @ label == 0 or weights @ (1 - label) == 0:
        return 0.0, 1.0
    middle = float(weights @ odds / weights.sum())
    centered = odds - middle
    level, slope = middle, 1.0
    for _ in range(_NEWTON_STEPS):
        expected = expit(level + slope * centered)
        error, curve = weights * (label - expected), weights * expected * (1 - expected)
        gradient = np.array([error.sum(), error @ centered - _SLOPE_PRECISION * (slope - 1)])
        cross = curve @ centered
        hessian = np.array([[curve.sum(), cross], [cross, curve @ centered**2 + _SLOPE_PRECISION]])
        step = np.linalg.solve(hessian, gradient)
        # Far from the top the curve is flat, and a whole step would leap over it.
        step *= min(1.0, 2.0 / np.abs(step).max()) if np.abs(step).max() > 0 else 1.0
        level, slope = level + step[0], slope + step[1]
        if np.abs(step).max() < 1e-8:
            break
    slope = max(0.0, float(slope))
    return float(level - slope * middle), slope
