"""Parameters of scoring: accepted, or refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.scoring.parameters import Scoring

RULE = {"top": 50, "probability": None, "most": 100, "reasons": 3}
GOOD: dict[str, Any] = {"users_at_risk": RULE, "drift": {"warn_above": 0.25}}


def with_rule(**changes: object) -> dict[str, Any]:
    return GOOD | {"users_at_risk": RULE | changes}


@pytest.mark.parametrize("changes", [{"top": 1}, {"top": None, "probability": 0}, {"top": None, "probability": 1}])
def test_exactly_one_rule_is_required(changes: dict[str, object]) -> None:
    Scoring.model_validate(with_rule(**changes))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (with_rule(probability=0.5), r"^users_at_risk takes either top or probability: set the other one to null"),
        (with_rule(top=None), r"^users_at_risk takes either top or probability: set the other one to null"),
        (with_rule(top=0), r"^users_at_risk.top should be greater than or equal to 1 \(it is 0\)$"),
        (with_rule(top=-5), r"^users_at_risk.top should be greater than or equal to 1 \(it is -5\)$"),
        (with_rule(top=None, probability=-0.1), r"^users_at_risk.probability .* equal to 0 \(it is -0.1\)$"),
        (with_rule(top=None, probability=30), r"^users_at_risk.probability .* equal to 1 \(it is 30\)$"),
        (with_rule(most=0), r"^users_at_risk.most .* \(it is 0\)$"),
        (with_rule(reasons=0), r"^users_at_risk.reasons .* \(it is 0\)$"),
        (GOOD | {"drift": {"warn_above": 0}}, r"^drift.warn_above should be greater than 0 \(it is 0\)$"),
        (with_rule(tops=3), r"^users_at_risk.tops is not a known parameter \(did you mean 'top'\?\)$"),
    ],
)
def test_invalid_values_are_named(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        Scoring.model_validate(values)
