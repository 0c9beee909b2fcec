"""What the page says in words, and what its tables hold."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sparkify_kedro.framework.runs.summary import RunSoFar

# Reasons stand in columns of their own.
_REASON = "reason_"
_PROBABILITY = "probability_"


def in_one_sentence(scores: dict[str, Any]) -> str:
    """What acting on a model brings, and whether it can be believed.

    Args:
        scores: an algorithm's entry in a label's comparison.
    """
    judged, top = scores["test"], scores["top"][-1]
    if judged["auc_pr"] is None:
        return "The test rows hold no churner, or nobody else: there is nothing to judge this model by."
    found = round(top["precision"] * top["rows"])
    sentence = (
        f"Of the {top['rows']} test rows it ranks highest ({top['share']:.0%}), {found} churn: {top['lift']:.1f} times "
        "as many as among as many drawn at random."
    )
    # As it stands beside the sentence, in two digits.
    if round(judged["auc_roc_interval"][0], 2) <= 0.5:
        return f"{sentence} Its interval reaches down to chance, so these test rows do not show that it ranks at all."
    if judged["warning"]:
        return f"{sentence} It ranks better than chance, but how much better so few churners cannot tell."
    return f"{sentence} It ranks better than chance on users it has never seen."


def stages(run: RunSoFar) -> list[dict[str, Any]]:
    """Seconds per pipeline: of this run, and of the newest of the earlier runs whose results it read.

    Returns:
        One entry per pipeline with ``run_id``, ``pipeline``, ``nodes`` and ``seconds``, the oldest run's first.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in (run, *run.earlier):
        for name, spent in one.stages.items():
            found.setdefault(name, {"run_id": one.run_id, "pipeline": name, **spent.model_dump()})
    return sorted(found.values(), key=lambda line: line["run_id"])


def first_users(users_at_risk: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """The first users of the list, each with ``probabilities`` by label and ``reasons`` in order."""
    return [
        {
            "rank": row["rank"],
            "user_id": row["user_id"],
            "probabilities": {
                name.removeprefix(_PROBABILITY): value for name, value in row.items() if name.startswith(_PROBABILITY)
            },
            "reasons": [
                value for name, value in row.items() if name.startswith(_REASON) and isinstance(value, str) and value
            ],
        }
        for row in users_at_risk.head(most).to_dict("records")
    ]
