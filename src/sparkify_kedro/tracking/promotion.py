"""Whether a new champion takes the place of the present one."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from sparkify_kedro.churn.reports import Comparison
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.learning.evaluation import paired_difference
from sparkify_kedro.learning.parameters import Evaluation


class Decision(NamedTuple):
    """Whether the new champion is promoted, and why, in words."""

    is_promoted: bool
    reason: str


def decide(
    comparison: Comparison, scores: pd.DataFrame, present: pd.DataFrame | None, evaluation: Evaluation
) -> Decision:
    """Compare a new champion with chance, and with the present champion on the rows that both have scored out of fold.

    Args:
        comparison: the label's algorithms.
        scores: of the new champion out of fold: keys, ``label`` and ``score``.
        present: the same of the present champion; None where there is none.
        evaluation: how to evaluate.

    Returns:
        Not promoted where the new champion is not distinguishable from chance out of fold, or where the whole 95 %
        interval of its paired difference from the present one is below zero.
    """
    verdict = comparison.champion_scores.out_of_fold.chance_verdict
    if verdict is not None:
        return Decision(False, f"out of fold it is {verdict}")
    if present is None:
        return Decision(True, "it is the first champion that is distinguishable from chance")
    both = scores.merge(present, on=[*KEYS, "label"], suffixes=("", "_of_present")).sort_values(
        list(KEYS), ignore_index=True
    )
    if both["label"].nunique() < 2:
        return Decision(True, "the present champion was trained on other rows, so both cannot be compared")
    of_present = both[[*KEYS, "label"]].assign(score=both["score_of_present"])
    difference = paired_difference(both[[*KEYS, "label", "score"]], of_present, evaluation)
    if difference.interval is None or difference.average_precision is None:
        return Decision(True, "both cannot be compared on the rows that they share")
    low, high = difference.interval
    measured = (
        f"its average precision differs from that of the present champion by {difference.average_precision:+.3f} "
        f"({low:+.3f} to {high:+.3f}) on {len(both)} rows"
    )
    return Decision(high >= 0, measured)
