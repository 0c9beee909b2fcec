"""Contradictory settings of a decision are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.decision.parameters import Decision

CONF = Path(__file__).parents[3] / "conf"
RAW = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]["decision"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 10.0, "cost_per_contact": 1.0}, "takes either contacts or budget"),
        ({"contacts": None, "budget": 10.0}, "a budget needs a cost_per_contact above 0"),
        ({"contacts": None}, "needs contacts, a budget, or both save_rate and value_of_a_customer"),
        ({"contacts": None, "save_rate": 0.1}, "needs contacts, a budget, or both save_rate and value_of_a_customer"),
        ({"hold_out_share": 1.0}, "hold_out_share"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelInstantiationError, match=message):
        Decision.model_validate(RAW | changes)


def test_the_value_of_a_churner_needs_both_assumptions() -> None:
    assert Decision.model_validate(RAW).value_of_a_churner is None
    known = {"save_rate": 0.1, "value_of_a_customer": 50.0}
    assert Decision.model_validate(RAW | known).value_of_a_churner == pytest.approx(5)
