"""Sentences and tables of the report."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pydantic import BaseModel

from sparkify_kedro.churn.reports import AlgorithmScores
from sparkify_kedro.framework.runs.summary import RunSoFar

# Reasons and probabilities are in columns with these prefixes.
_REASON = "reason_"
# What a verdict on the champion means.
VERDICTS = {
    "keep": "The forecast holds: keep the champion.",
    "recalibrate": "The ranking holds, but the probabilities do not: kedro run --pipelines=recalibrate corrects them.",
    "retrain": "The users are no longer ranked as promised: train again, with kedro run.",
}


class StageLine(BaseModel):
    """Nodes and seconds of a pipeline in the run that executed it."""

    run_id: str
    pipeline: str
    nodes: int
    seconds: float


def in_one_sentence(scores: AlgorithmScores, found: str) -> str:
    """What acting on a model brings, and whether the test rows support it."""
    test, top = scores.test, scores.top[-1]
    if test.auc_roc_interval is None or top.precision is None or top.lift is None:
        return "The test rows lack one of the two classes, so this model cannot be evaluated."
    sentence = (
        f"The {top.rows} test rows with the highest scores ({top.share:.0%}) include {round(top.precision * top.rows)} "
        f"{found}: {top.lift:.1f} times the rate of random rows."
    )
    if test.chance_verdict:
        return f"{sentence} The ranking is {test.chance_verdict}."
    if test.warning:
        return f"{sentence} The ranking is better than chance; with so few {found} it is uncertain by how much."
    return f"{sentence} The ranking of held-out users is better than chance."


def stages(run: RunSoFar) -> list[StageLine]:
    """Seconds per pipeline: of this run, and of the newest earlier run whose results it read; oldest run first."""
    lines: dict[str, StageLine] = {}
    for one in (run, *run.earlier):
        for name, stage in one.stages.items():
            line = StageLine(run_id=one.run_id, pipeline=name, nodes=stage.nodes, seconds=stage.seconds)
            lines.setdefault(name, line)
    return sorted(lines.values(), key=lambda line: line.run_id)


def first_users(users_at_risk: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """The first users of the list, each with ``probability`` and ``reasons`` in order."""
    return [
        {
            "rank": row["rank"],
            "user_id": row["user_id"],
            "probability": row["probability"],
            "reasons": [
                value
                for name, value in row.items()
                if str(name).startswith(_REASON) and isinstance(value, str) and value
            ],
        }
        for row in users_at_risk.head(most).to_dict("records")
    ]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a small table, with None for what is missing."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
