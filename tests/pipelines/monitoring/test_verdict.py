"""Verdicts on forecasts whose truth is known, and counts worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.config import OmegaConfigLoader
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import poisson
from sklearn.metrics import roc_auc_score

from partial_reports import report
from sparkify_kedro.churn.reports import JudgedRun, RankingScores
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.pipelines.monitoring.parameters import Monitoring
from sparkify_kedro.pipelines.monitoring.verdict import compare, judge, poisson_interval

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 200})
MONITORING = Monitoring.model_validate(PARAMETERS["monitoring"])
ABOUT = {"run": "r", "as_of": "2018-11-15", "horizon_end": "2018-11-29", "users": 1, "drift_warnings": []}
USERS = 3_000


def users(seed: int = 1, shift: float = 0.0, slope: float = 1.0, number: int = USERS) -> pd.DataFrame:
    """Users whose true log-odds are those of the forecast, times a slope, plus a shift."""
    draw = np.random.default_rng(seed)
    probability = np.sort(expit(draw.normal(-2.3, 0.9, number)))[::-1]
    happens = draw.random(number) < expit(slope * logit(probability) + shift)
    return pd.DataFrame(
        {
            "user_id": np.arange(number).astype(str),
            "probability": probability,
            "decile": np.arange(number) * 10 // number + 1,
            "label": happens.astype(float),
            "level": np.where(np.arange(number) % 2, "paid", "free"),
            "device": np.where(np.arange(number) < number - 5, "mac", "linux"),
            "gender": None,
            "region": "CA",
        }
    )


def offsetting(slope: float) -> float:
    """The shift with which the sum of the true probabilities is that of the forecast."""
    probability = users()["probability"]
    return brentq(lambda shift: (expit(slope * logit(probability) + shift) - probability).sum(), -9, 9)


def judged(rows: pd.DataFrame, promised: RankingScores | None = None, **changes: Any) -> JudgedRun:
    monitoring = MONITORING.model_copy(update=changes)
    return judge(rows, promised, {**ABOUT, "users": len(rows), "model": "m"}, monitoring, EVALUATION)


def promise(low: float, high: float) -> RankingScores:
    return report(RankingScores, {"auc_roc": (low + high) / 2, "auc_roc_interval": (low, high)})


def test_right_forecasts_are_kept() -> None:
    found = [judged(users(seed)) for seed in range(10)]
    assert {each.verdict for each in found} == {"keep"}
    assert all(each.reasons == [] for each in found)
    for each in found:
        assert each.slope_interval is not None
        assert each.slope_interval[0] <= 1 <= each.slope_interval[1]


@pytest.mark.parametrize("shift", [np.log(2), -np.log(2)])
def test_twice_or_half_as_many_cancellations_call_for_recalibration(shift: float) -> None:
    found = judged(users(shift=shift), promise(0.6, 0.8))
    assert found.verdict == "recalibrate"
    (why,) = found.reasons
    assert why.startswith(f"{found.all_users.observed:,} cancellations came where ")
    low, high = found.kept_between
    assert not low <= found.all_users.observed <= high
    assert "cancelled by 2018-11-29" in found.came
    assert why in found.came


def test_probabilities_too_far_apart_call_for_recalibration() -> None:
    """Their sum is right all the same: the shift makes up for the slope."""
    for slope, which in ((0.4, "too far apart"), (2.2, "too close together")):
        found = judged(users(slope=slope, shift=offsetting(slope)))
        assert found.all_users.ratio == pytest.approx(1, abs=0.2)
        assert found.verdict == "recalibrate"
        (why,) = found.reasons
        assert which in why


def test_a_ranking_below_its_promise_calls_for_training() -> None:
    rows = users()
    low, high = judged(rows).ranking.auc_roc_interval or (0.0, 0.0)
    found = judged(rows, promise(high + 0.01, high + 0.05))
    assert found.verdict == "retrain"
    assert "ranked worse than promised" in found.reasons[0]
    assert judged(rows, promise(high - 0.01, high + 0.05)).verdict == "keep"
    assert judged(rows, promise(low - 0.1, low - 0.05)).verdict == "keep"


def test_small_differences_are_tolerated_however_certain() -> None:
    """A sixth more of 1,500 expected is no chance, and within the tolerance of a quarter."""
    rows = users(number=12_000, shift=0.18)
    assert judged(rows).verdict == "keep"
    assert judged(rows, tolerated_ratio=1.1).verdict == "recalibrate"


def test_figures_agree_with_scikit_learn_and_sums() -> None:
    rows = users()
    found = judged(rows)
    assert found.ranking.auc_roc == pytest.approx(roc_auc_score(rows["label"], rows["probability"]))
    assert found.all_users.expected == pytest.approx(rows["probability"].sum())
    assert sum(each.observed for each in found.deciles) == rows["label"].sum() == found.all_users.observed
    assert [each.users for each in found.deciles] == [USERS // 10] * 10
    paid = rows[rows["level"] == "paid"]
    segment = found.segments["level"]["paid"]
    assert segment.judged is not None
    assert (segment.users, segment.observed) == (len(paid), paid["label"].sum())
    assert segment.judged.expected == pytest.approx(paid["probability"].sum())
    assert segment.auc_roc == pytest.approx(roc_auc_score(paid["label"], paid["probability"]))


def test_a_segment_with_few_cancellations_says_nothing() -> None:
    found = judged(users())
    assert found.segments["device"]["linux"].judged is None
    assert found.segments["device"]["linux"].users == 5
    assert found.segments["device"]["mac"].judged is not None
    assert found.segments["gender"] == {}


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_outcomes_of_one_class_have_no_ranking_and_no_slope(label: float) -> None:
    found = judged(users(number=100).assign(label=label), promise(0.9, 0.95))
    assert found.slope is None
    assert found.ranking.auc_roc is None
    assert found.verdict == "recalibrate"


def test_nobody_cancels_where_few_were_expected() -> None:
    assert judged(users(number=30).assign(label=0.0)).verdict == "keep"


@given(st.integers(0, 200), st.floats(0.8, 0.999))
def test_the_interval_is_where_the_count_is_not_extreme(count: int, confidence: float) -> None:
    """By its definition: at either end, as few or as many events have half of what the confidence leaves."""
    low, high = poisson_interval(count, confidence)
    tail = (1 - confidence) / 2
    assert poisson.cdf(count, high) == pytest.approx(tail)
    if count:
        assert poisson.sf(count - 1, low) == pytest.approx(tail)
    else:
        assert low == 0


@given(st.lists(st.floats(0.001, 0.9), min_size=1, max_size=300), st.integers(0, 400))
def test_the_numbers_that_are_kept_are_those_that_raise_no_alarm(probabilities: list[float], came: int) -> None:
    number = len(probabilities)
    rows = pd.DataFrame({"probability": probabilities, "label": (np.arange(number) < came).astype(int)})
    counts = compare(rows, MONITORING)
    found = judged(
        rows.assign(user_id=np.arange(number).astype(str), decile=1, level="x", device="x", gender="x", region="x"),
        tolerated_slope=1e9,
    )
    low, high = found.kept_between
    assert counts.ratio is not None
    assert counts.interval is not None
    is_certain = not counts.interval[0] <= 1 <= counts.interval[1]
    is_large = not 1 / MONITORING.tolerated_ratio <= counts.ratio <= MONITORING.tolerated_ratio
    assert (low <= counts.observed <= high) is not (is_certain and is_large)
    assert (found.verdict == "keep") is (low <= counts.observed <= high)
