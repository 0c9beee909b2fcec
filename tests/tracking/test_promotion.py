"""Who is promoted, from scores whose order is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader

from partial_reports import report
from sparkify_kedro.churn.reports import Comparison
from sparkify_kedro.learning.evaluation import paired_difference
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.tracking.promotion import decide

CONF = Path(__file__).parents[2] / "conf"
PARAMETERS = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 100})


def comparison(average_precision: float = 0.4) -> Comparison:
    """Random scores reach 0.2 and AUC-ROC 0.6 once in twenty."""
    chance = {"average_precision_mean": 0.1, "average_precision_95th": 0.2, "auc_pr_mean": 0.1}
    chance |= {"auc_roc_mean": 0.5, "auc_roc_95th": 0.6}
    judged: dict[str, Any] = {
        "rows": 600, "positives": 60, "prevalence": 0.1, "average_precision": average_precision,
        "auc_roc": 0.5 + average_precision / 2, "chance": chance, "warning": None,
        "average_precision_interval": [0.0, 1.0], "auc_roc_interval": [0.0, 1.0],
    }  # fmt: skip
    return report(Comparison, {"champion": "toy", "algorithms": {"toy": {"out_of_fold": judged}}})


def scores(signal: float, seed: int = 1, users: int = 600) -> pd.DataFrame:
    """Scores that say as much about the label as the signal is strong."""
    label = np.random.default_rng(0).random(users) < 0.15
    noise = np.random.default_rng(seed).normal(size=users)
    return pd.DataFrame(
        {
            "user_id": [f"u{n:03}" for n in range(users)],
            "bin_end": 0,
            "label": label.astype(int),
            "score": signal * label + noise,
        }
    )


def test_what_chance_reaches_is_not_promoted() -> None:
    decision = decide(comparison(0.15), scores(2), None, EVALUATION)
    assert not decision.is_promoted
    assert "not distinguishable from chance" in decision.reason


def test_the_first_that_is_better_than_chance_is_promoted() -> None:
    assert decide(comparison(), scores(2), None, EVALUATION).is_promoted


def test_one_that_is_worse_than_the_present_is_not_promoted() -> None:
    better, worse = scores(2), scores(0.7, seed=2)
    expected = paired_difference(worse, better, EVALUATION)
    assert expected.interval is not None and expected.interval[1] < 0

    decision = decide(comparison(), worse, better.sample(frac=1, random_state=1), EVALUATION)
    assert not decision.is_promoted
    low, high = expected.interval
    assert f"{expected.average_precision:+.3f} ({low:+.3f} to {high:+.3f}) on 600 rows" in decision.reason
    assert decide(comparison(), better, worse, EVALUATION).is_promoted
    assert decide(comparison(), better, better, EVALUATION).is_promoted


def test_only_rows_that_both_have_scored_count() -> None:
    """Of the others the present champion knows nothing."""
    new, present = scores(2), scores(0.7, seed=2, users=600).head(400)
    assert "on 400 rows" in decide(comparison(), new, present, EVALUATION).reason
    elsewhere = present.assign(user_id="x" + present["user_id"])
    decision = decide(comparison(), new, elsewhere, EVALUATION)
    assert decision.is_promoted
    assert "trained on other rows" in decision.reason
