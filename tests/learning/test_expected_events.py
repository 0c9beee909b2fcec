"""Simulated numbers of events, against the binomial distribution and against simulated forecasts with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from sparkify_kedro.learning import expected_events
from sparkify_kedro.learning.expected_events import counts_among_first
from sparkify_kedro.learning.parameters import Evaluation, Segments

SEGMENTS = Segments(tenure_days=[30], history_days=[14])
EVALUATION = Evaluation(
    seed=3, max_rows=100_000, replicates=200, cost_ratio=5, top_shares=[0.1], few_positives=30, segments=SEGMENTS
)


def scored(truth: np.ndarray, score: np.ndarray, seed: int) -> pd.DataFrame:
    """Rows of users whose event happens with a probability, and what a model says of it."""
    happens = np.random.default_rng(seed).random(len(truth)) < truth
    return pd.DataFrame({"user_id": np.arange(len(truth)).astype(str), "label": happens.astype(int), "score": score})


def test_with_a_known_calibration_the_spread_is_that_of_chance() -> None:
    """On very many rows the calibration leaves nothing open, and equal probabilities make a binomial distribution."""
    known = np.full(20_000, 0.1)
    samples = counts_among_first(np.full(200, 0.1), [20, 200], scored(known, known, 1), EVALUATION)
    assert samples.shape == (200, 2)
    assert (samples[:, 0] <= samples[:, 1]).all()
    for position, users in enumerate((20, 200)):
        expected = binom(users, 0.1)
        assert samples[:, position].mean() == pytest.approx(expected.mean(), rel=0.05)
        assert samples[:, position].std() == pytest.approx(expected.std(), rel=0.15)


def test_scores_that_are_too_extreme_are_brought_back() -> None:
    """Rows show that all log-odds are twice as large as they should be, and four too high."""
    truth = expit(np.random.default_rng(2).normal(-2, 1, 15_000))
    said = expit(2 * logit(truth) + 4)
    samples = counts_among_first(np.sort(said)[::-1], [len(said)], scored(truth, said, 2), EVALUATION)
    assert said.sum() > 1.2 * truth.sum()
    assert samples.mean() == pytest.approx(truth.sum(), rel=0.05)


def test_a_calibration_is_the_logistic_regression_with_its_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    odds, weights = draw.normal(-1, 1, 500), draw.poisson(1, 500).astype(float)
    label = (draw.random(500) < expit(0.5 + 0.7 * odds)).astype(float)
    monkeypatch.setattr(expected_events, "_SLOPE_PRECISION", 1e-9)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(odds[:, None], label, sample_weight=weights)
    found = expected_events._calibration(odds, label, weights)
    assert found == pytest.approx((reference.intercept_[0], reference.coef_[0, 0]), abs=1e-5)


@pytest.mark.parametrize(("label", "expected"), [(0.0, (0.0, 1.0)), (1.0, (0.0, 1.0))])
def test_rows_of_one_class_change_nothing(label: float, expected: tuple[float, float]) -> None:
    assert expected_events._calibration(np.zeros(9), np.full(9, label), np.ones(9)) == expected


def test_a_few_positives_do_not_reverse_scores() -> None:
    label = np.array([1.0, 0, 0, 0, 0, 0])
    intercept, slope = expected_events._calibration(np.array([-9.0, 1, 1, 2, 2, 3]), label, np.ones(6))
    assert slope >= 0
    assert np.isfinite(intercept)


def test_intervals_hold_what_happens() -> None:
    """Of forecasts whose model and rows are drawn anew each time, about 95 of 100 intervals hold the number."""
    few = EVALUATION.model_copy(update={"replicates": 100})
    inside = 0
    for seed in range(100):
        draw = np.random.default_rng([9, seed])
        rows, users = (expit(draw.normal(-2.5, 1, number)) for number in (600, 500))
        wrong = draw.normal(0, 0.2)
        learned = scored(rows, expit(logit(rows) + wrong), seed)
        said = np.sort(users)[::-1]
        happens = draw.random(500) < said
        samples = counts_among_first(expit(logit(said) + wrong), [100], learned, few)
        low, high = np.percentile(samples, [2.5, 97.5])
        inside += low <= happens[:100].sum() <= high
    assert 90 <= inside <= 99
