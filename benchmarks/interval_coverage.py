"""How often the 95 % intervals of a score contain it: ``make benchmark-intervals``.

Users with normal scores, those of churners moved up, are drawn again and again at a prevalence of one in twenty. The
truth is the score of a million users; the intervals should contain it in 95 of 100 draws.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader

from project_copy import PROJECT
from sparkify_kedro.churn.reports import RankingScores
from sparkify_kedro.learning.evaluation import areas, ranking_report
from sparkify_kedro.learning.parameters import Evaluation

POSITIVES = (6, 27, 110)
ROWS_PER_POSITIVE = 20
SHIFT = 1.2
SCORES = {"average precision": "average_precision", "AUC-ROC": "auc_roc"}


def draw(positives: int, random: np.random.Generator) -> pd.DataFrame:
    """Scored users, one row each."""
    label = np.repeat([1, 0], [positives, positives * (ROWS_PER_POSITIVE - 1)])
    score = random.normal(size=len(label)) + SHIFT * label
    return pd.DataFrame({"user_id": np.arange(len(label)), "label": label, "score": score})


def covers(found: RankingScores, truth: dict[str, float]) -> list[bool]:
    """Whether each interval contains the truth."""
    intervals = {score: getattr(found, f"{score}_interval") for score in SCORES.values()}
    return [low <= truth[score] <= high for score, (low, high) in intervals.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000)
    draws = parser.parse_args().draws
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    evaluation = Evaluation.model_validate(loader["parameters"]["modeling"]["evaluation"])
    random = np.random.default_rng(1)
    many = draw(50_000, random)
    whole = areas(many["label"].to_numpy(), many["score"].to_numpy(), np.ones((1, len(many))))
    truth = {score: float(getattr(whole, score)[0]) for score in SCORES.values()}
    print(", ".join(f"{name} {truth[score]:.3f}" for name, score in SCORES.items()))
    for positives in POSITIVES:
        covered = [covers(ranking_report(draw(positives, random), evaluation), truth) for _ in range(draws)]
        shares = np.mean(covered, axis=0)
        errors = np.sqrt(shares * (1 - shares) / draws)
        found = ", ".join(f"{n} {s:.3f} ± {1.96 * e:.3f}" for n, s, e in zip(SCORES, shares, errors, strict=True))
        print(f"{positives} positives of {positives * ROWS_PER_POSITIVE}: {found}", flush=True)


if __name__ == "__main__":
    main()
