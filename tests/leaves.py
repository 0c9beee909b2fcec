"""Results as JSON has them, to be compared up to rounding."""

from __future__ import annotations

from typing import Any

import pytest


def leaves(data: Any, path: str = "") -> dict[str, Any]:
    """The numbers and texts in nested lists and dictionaries, by their places."""
    if isinstance(data, dict):
        parts = {f"{path}.{key}": value for key, value in data.items()}
    elif isinstance(data, list):
        parts = {f"{path}[{number}]": value for number, value in enumerate(data)}
    else:
        return {path: data}
    return {place: leaf for name, value in parts.items() for place, leaf in leaves(value, name).items()}


def assert_nearly_equal(found: Any, expected: Any) -> None:
    """Equal but for rounding: sums of decimal numbers depend on the order in which machines add them."""
    ours, theirs = leaves(found), leaves(expected)
    decimal = {place for place, leaf in theirs.items() if isinstance(leaf, float)}
    assert {place: ours[place] for place in ours.keys() - decimal} == {
        place: theirs[place] for place in theirs.keys() - decimal
    }
    assert {place: ours[place] for place in decimal} == pytest.approx(
        {place: theirs[place] for place in decimal}, rel=1e-9, abs=1e-12
    )
