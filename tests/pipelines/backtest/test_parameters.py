"""Parameters of the backtest: accepted, or refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.backtest.parameters import Backtest

GOOD: dict[str, Any] = {"landmarks": 3, "folds": 2}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"landmarks": 0}, r"^landmarks should be greater than or equal to 1 \(it is 0\)$"),
        ({"landmarks": "all"}, r"^landmarks should be a valid integer"),
        ({"folds": 1}, r"^folds should be greater than or equal to 2 \(it is 1\)$"),
        ({"landmark": 2}, r"^landmark is not a known parameter \(did you mean 'landmarks'\?\)$"),
    ],
)
def test_invalid_values_are_named(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        Backtest.model_validate(GOOD | changes)
