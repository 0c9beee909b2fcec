"""Lists among the parameters of a command line."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run

from sparkify_kedro.framework.commands import ListsInParams


def parse(text: str) -> Any:
    found: list[Any] = []

    @click.command()
    def command(**options: Any) -> None:
        found.append(options["params"])

    command.params = ListsInParams.of([each for each in kedro_run.params if each.name == "params"])
    done = CliRunner().invoke(command, [f"--params={text}"])
    return found[0] if found else done.output


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("a.b=1,c=x", {"a": {"b": 1}, "c": "x"}),
        ("a.b=[x,y]", {"a": {"b": ["x", "y"]}}),
        ("a.b=[x, y],a.c=2", {"a": {"b": ["x", "y"], "c": 2}}),
        ("c=1,a.b=[1],d=[]", {"c": 1, "a": {"b": [1]}, "d": []}),
        ("raw_events=data/log[12].json,c=1", {"raw_events": "data/log[12].json", "c": 1}),
    ],
)
def test_values_may_be_lists(text: str, parameters: dict[str, Any]) -> None:
    assert parse(text) == parameters


def test_what_is_no_parameter_is_refused_as_kedro_does() -> None:
    assert "must contain a key and a value" in parse("a.b=[x,y],c")
