"""Nested mappings: their differences, and parts of them."""

from __future__ import annotations

import doctest

from sparkify_kedro.framework import nested


def test_the_docstring_examples_run() -> None:
    outcome = doctest.testmod(nested)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_what_is_left_out_does_not_change_the_mapping() -> None:
    one = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}
    assert nested.without(one, ["a.b.c", "f", "a.e.x", "x.y"]) == {"a": {"b": {"d": 2}, "e": 3}}
    assert one == {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}
