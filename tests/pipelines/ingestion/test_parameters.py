"""Invalid or insufficient contracts are reported in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.pipelines.ingestion.parameters import DECIMAL_USER_ID, MALFORMED, Ingestion

PROJECT = Path(__file__).parents[3]
CONFIGURED = yaml.safe_load((PROJECT / "conf/base/parameters_ingestion.yml").read_text(encoding="utf-8"))["ingestion"]


def contract(column: str | None = None, without: str | None = None, **rules: Any) -> Ingestion:
    """The project's contract with another rule for a column, or without one."""
    columns = {name: declared for name, declared in CONFIGURED["columns"].items() if name != without}
    if column is None:
        return Ingestion.model_validate(CONFIGURED | {"columns": columns} | rules)
    return Ingestion.model_validate(CONFIGURED | {"columns": columns | {column: columns.get(column, {}) | rules}})


def test_rules_are_in_column_order_with_their_actions() -> None:
    actions = contract().actions
    assert list(actions)[:7] == [
        MALFORMED,
        *(f"{name} is not a whole number" for name in ("ts", "sessionId", "status", "itemInSession", "registration")),
        "length is not a number",
    ]
    assert list(actions)[7:10] == ["ts is missing", "ts is out of range", "userId is missing"]
    assert {name for name, action in actions.items() if action == "warn"} == {
        "page is unknown", "auth is unknown", "method is unknown", "status is out of range", "gender is unknown",
        DECIMAL_USER_ID,
    }  # fmt: skip
    assert "fail" not in actions.values()
    assert set(contract(if_broken="fail", if_malformed="fail").actions.values()) == {"warn", "fail"}


def test_an_additional_column_may_be_required() -> None:
    more = contract("device", type="string", one_of=["phone"], if_unknown="warn")
    assert more.actions["device is unknown"] == "warn"
    assert contract("location", required="logged_in").actions["location is missing"] == "reject"


@pytest.mark.parametrize(
    ("column", "rules", "expected"),
    [
        ("page", {"if_unknown": "ignore"}, "columns.page.if_unknown should be 'warn', 'reject' or 'fail'"),
        ("page", {"type": "text"}, "columns.page.type should be 'string', 'long' or 'double'"),
        ("page", {"between": [1, 2]}, "columns.page between does not apply to a string"),
        ("page", {"oneof": ["A"]}, "columns.page.oneof is not a known parameter"),
        ("page", {"one_of": []}, "columns.page.one_of should have at least 1 item"),
        ("page", {"matches": "("}, "columns.page.matches should be a regular expression"),
        ("status", {"one_of": ["200"]}, "columns.status one_of does not apply to a long"),
        ("status", {"between": [599, 100]}, "columns.status between must be in increasing order"),
        ("status", {"between_days": ["2018-01-01", "2019-01-01"]}, "columns.status takes only one of between and"),
        ("length", {"between": None, "between_days": ["2018-01-01", "2019-01-01"], "if_out_of_range": None},
         "columns.length between_days does not apply to a double"),
        ("ts", {"between_days": ["2019-01-01", "2018-01-01"]}, "columns.ts between_days must be in increasing order"),
        ("ts", {"between_days": ["today", "2018-01-01"]}, "columns.ts.between_days.0 should be a valid date"),
        ("artist", {"if_missing": "warn"}, "columns.artist if_missing is an action without its rule"),
        ("ts", {"required": "logged_in"}, "columns.ts must be required (always)"),
        ("ts", {"if_missing": "warn"}, "columns.ts must be required (always)"),
        ("registration", {"required": "never"}, "columns.registration must be required (logged_in)"),
        ("registration", {"between_days": None, "between": [0, 1]}, "columns.registration must have between_days"),
        ("registration", {"if_out_of_range": "warn"}, "columns.registration must have between_days"),
        ("sessionId", {"type": "string"}, "columns.sessionId.type must be bigint"),
        ("song", {"personal": True}, "columns must declare song, and not as personal"),
    ],
)  # fmt: skip
def test_an_invalid_rule_is_reported(column: str, rules: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError) as caught:
        contract(column, **rules)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"without": "userAgent"}, "columns must declare user_agent"),
        ({"max_rejected_share": 1.5}, "max_rejected_share should be less than or equal to 1"),
        ({"if_malformed": "warn"}, "if_malformed should be 'reject' or 'fail'"),
    ],
)
def test_an_insufficient_contract_is_reported(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError, match=expected):
        contract(**changes)
