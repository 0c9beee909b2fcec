"""Parameters of scoring: accepted, or refused in one sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.scoring.parameters import Scoring

RULE = {"rank_by": "will_churn_in_next_bin", "top": 50, "probability": None, "most": 100, "reasons": 3}
GOOD: dict[str, Any] = {"as_of": None, "users_at_risk": RULE, "drift": {"warn_above": 0.25}}


def with_rule(**changes: object) -> dict[str, Any]:
    return GOOD | {"users_at_risk": RULE | changes}


@pytest.mark.parametrize("as_of", ["2018-11-20", date(2018, 11, 20)])
def test_a_day_is_its_midnight_in_utc(as_of: str | date) -> None:
    scoring = Scoring.model_validate(GOOD | {"as_of": as_of})
    assert scoring.as_of == date(2018, 11, 20)
    assert scoring.as_of_ts == datetime(2018, 11, 20, tzinfo=UTC).timestamp() * 1_000


def test_no_date_is_none() -> None:
    assert Scoring.model_validate(GOOD).as_of_ts is None


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
        (GOOD | {"as_of": "2018-13-01"}, r"^as_of should be a valid date.*\(it is '2018-13-01'\)$"),
        (GOOD | {"as_of": "2018-02-30"}, r"^as_of should be a valid date.*\(it is '2018-02-30'\)$"),
        (GOOD | {"as_of": "20 November"}, r"^as_of should be a valid date.*\(it is '20 November'\)$"),
        (GOOD | {"as_of": "2018-11-20T12:00:00"}, r"^as_of .*\(it is '2018-11-20T12:00:00'\)$"),
        (GOOD | {"asof": "2018-11-20"}, r"^asof is not a known parameter \(did you mean 'as_of'\?\)$"),
    ],
)
def test_invalid_values_are_named(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        Scoring.model_validate(values)
