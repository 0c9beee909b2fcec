"""The README's commands are commands: their pipelines, namespaces, tags, nodes and parameters exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from sparkify_kedro.cli import cli

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
RUNS = re.findall(r"^ *\.venv/bin/kedro run(?!s) ?(.*?)(?: *#.*)?$", README, flags=re.MULTILINE)
OF_RUNS = re.findall(r"^ *\.venv/bin/kedro runs (.*?)(?: *#.*)?$", README, flags=re.MULTILINE)
# Options that stand for values only the catalog knows, not for parameters.
PATHS = {"raw_events", "simulated_events", "scoring_events"}


def test_the_two_commands_are_make_targets() -> None:
    targets = re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"`?make ([\w-]+)`?", README)
    assert {"run", "test"} <= set(named) <= set(targets)


def parsed(words: str) -> click.Context:
    return cli.commands["run"].make_context("run", shlex.split(words.replace("VERSION", "2026-01-31T12.00.00.000Z")))


def asked_for(context: click.Context) -> Pipeline:
    given = context.params
    chosen = sum((pipelines[name] for name in given["pipelines"] or ["__default__"]), Pipeline([]))
    return chosen.filter(
        tags=given["tags"] or None,
        from_nodes=given["from_nodes"] or None,
        to_nodes=given["to_nodes"] or None,
        node_names=given["node_names"] or None,
        node_namespaces=given["namespaces"] or None,
    )


def known_parameter(path: str) -> bool:
    block = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
    for key in path.split("."):
        if not isinstance(block, dict) or key not in block:
            return False
        block = block[key]
    return True


def leaves(block: dict, path: str = "") -> list[str]:
    found = []
    for key, value in block.items():
        found += leaves(value, f"{path}{key}.") if isinstance(value, dict) else [path + key]
    return found


@pytest.mark.parametrize("words", RUNS)
def test_a_run_of_the_readme_selects_nodes_and_names_parameters(words: str) -> None:
    context = parsed(words)
    assert asked_for(context).nodes
    unknown = [path for path in leaves(context.params["params"]) if path not in PATHS and not known_parameter(path)]
    assert not unknown
    assert set(context.params["load_versions"] or ()) <= pipelines["__default__"].datasets()


def test_a_run_that_does_not_exist_would_be_found() -> None:
    assert len(RUNS) >= 17
    with pytest.raises(KeyError):
        asked_for(parsed("--pipelines=no_such_pipeline"))
    with pytest.raises(ValueError, match="no_such_node"):
        asked_for(parsed("--from-nodes=no_such_node"))
    assert not known_parameter("feature_engineering.no_such_parameter")


@pytest.mark.parametrize("words", OF_RUNS)
def test_a_command_on_runs_takes_what_the_readme_gives_it(words: str) -> None:
    name, *arguments = shlex.split(words)
    assert cli.commands["runs"].commands[name].make_context(name, arguments)


def test_every_command_on_runs_is_in_the_readme() -> None:
    assert {words.split()[0] for words in OF_RUNS} == set(cli.commands["runs"].commands)


def test_every_single_parameter_named_in_the_prose_exists() -> None:
    named = [
        path
        for words in re.findall(r"`--params=([^`]+)`", README)
        for path in leaves(parsed(f"--params={words}").params["params"])
    ]
    assert named
    assert all(known_parameter(path) or path in PATHS for path in named)


def test_every_file_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    files = re.findall(r"`((?:conf|docs|src|tests|benchmarks|notebooks)/[\w./-]*)`", README)
    assert links and files
    missing = [name for name in {*links, *files} if not (PROJECT / name).exists()]
    assert not missing
