"""Parameters of the backtest: accepted, or refused in one sentence."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.backtest.parameters import Backtest

GOOD: dict[str, Any] = {"cut_dates": ["2018-11-03"], "horizon_days": 14, "folds": 2}


def test_days_may_be_text_or_dates() -> None:
    replay = Backtest.model_validate(GOOD | {"cut_dates": ["2018-11-03", date(2018, 11, 10)]})
    assert replay.cut_dates == [date(2018, 11, 3), date(2018, 11, 10)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cut_dates": []}, r"^cut_dates .*should have at least 1 item"),
        ({"cut_dates": ["2018-11-31"]}, r"^cut_dates.0 should be a valid date.*\(it is '2018-11-31'\)$"),
        ({"cut_dates": "2018-11-03"}, r"^cut_dates should be a valid list \(it is '2018-11-03'\)$"),
        ({"horizon_days": 0}, r"^horizon_days should be greater than or equal to 1 \(it is 0\)$"),
        ({"horizon_days": -14}, r"^horizon_days .* \(it is -14\)$"),
        ({"folds": 1}, r"^folds should be greater than or equal to 2 \(it is 1\)$"),
        ({"cut_date": "2018-11-03"}, r"^cut_date is not a known parameter \(did you mean 'cut_dates'\?\)$"),
    ],
)
def test_invalid_values_are_named(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        Backtest.model_validate(GOOD | changes)
