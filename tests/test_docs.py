"""The commands, parameters, files and links in the README and the pages under docs/ exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from sparkify_kedro.cli import cli

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PATHS_OF_PAGES = [*(PROJECT / f"{name}.md" for name in ("README", "CONTRIBUTING")), *sorted(DOCS.glob("*.md"))]
PAGES = {path: path.read_text() for path in (*PATHS_OF_PAGES, *sorted(DOCS.glob("deployment/*.md")))}
TEXT = "\n".join(PAGES.values())
RUNS = re.findall(r"^ *(?:[A-Z_]+=\S+ )*\.venv/bin/kedro run(?!s) ?(.*?)(?: *#.*)?$", TEXT, flags=re.MULTILINE)
RUNS_COMMANDS = re.findall(r"^ *\.venv/bin/kedro runs (.*?)(?: *#.*)?$", TEXT, flags=re.MULTILINE)
# Runtime parameters that only the catalog knows.
PATHS = {"raw_events", "simulated_events", "scoring_events"}


def test_make_commands_are_targets() -> None:
    targets = re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"`make ([\w-]+)`|^make ([\w-]+)", TEXT, flags=re.MULTILINE)
    assert {"run", "test", "check"} <= {quoted or alone for quoted, alone in named} <= set(targets)


def leaf_paths(block: Mapping[str, Any], path: str = "") -> list[str]:
    """The paths of all values in nested parameters."""
    paths: list[str] = []
    for key, value in block.items():
        paths += leaf_paths(value, f"{path}{key}.") if isinstance(value, Mapping) else [f"{path}{key}"]
    return paths


def parsed(words: str) -> click.Context:
    return cli.commands["run"].make_context("run", shlex.split(words.replace("VERSION", "2026-01-31T12.00.00.000Z")))


def selected(context: click.Context) -> Pipeline:
    options = context.params
    chosen = sum((pipelines[name] for name in options["pipelines"] or ["__default__"]), Pipeline([]))
    return chosen.filter(
        tags=options["tags"] or None,
        from_nodes=options["from_nodes"] or None,
        to_nodes=options["to_nodes"] or None,
        node_names=options["node_names"] or None,
        node_namespaces=options["namespaces"] or None,
    )


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The paths of all parameters and blocks."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    leaves = leaf_paths(loader["parameters"])
    return {".".join(path.split(".")[:depth]) for path in leaves for depth in range(1, path.count(".") + 2)}


def unknown_parameters(context: click.Context, known: set[str]) -> list[str]:
    given: dict[str, Any] = context.params["params"]
    return [path for path in leaf_paths(given) if path not in PATHS and path not in known]


@pytest.mark.parametrize("words", RUNS)
def test_a_run_selects_nodes_and_names_known_parameters(words: str, known: set[str]) -> None:
    context = parsed(words)
    assert selected(context).nodes
    assert unknown_parameters(context, known) == []
    assert set(context.params["load_versions"] or ()) <= pipelines["__default__"].datasets()


def test_unknown_names_are_detected(known: set[str]) -> None:
    assert len(RUNS) >= 17
    with pytest.raises(KeyError):
        selected(parsed("--pipelines=no_such_pipeline"))
    with pytest.raises(ValueError, match="no_such_node"):
        selected(parsed("--from-nodes=no_such_node"))
    assert unknown_parameters(parsed("--params=feature_engineering.no_such=1"), known)


@pytest.mark.parametrize("words", RUNS_COMMANDS)
def test_kedro_runs_accepts_the_arguments(words: str) -> None:
    name, *arguments = shlex.split(words)
    assert cli.commands["runs"].commands[name].make_context(name, arguments)


def test_every_command_of_kedro_runs_is_documented() -> None:
    assert {words.split()[0] for words in RUNS_COMMANDS} == set(cli.commands["runs"].commands)


def test_parameters_in_the_prose_exist(known: set[str]) -> None:
    quoted = re.findall(r"`--params=([^`]+)`", "\n".join(t for p, t in PAGES.items() if p.name != "bad-input.md"))
    assert quoted
    for words in quoted:
        assert unknown_parameters(parsed(f"--params={words}"), known) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_files_exist(page: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page])]
    assert [link for link in links if not (page.parent / link).exists()] == []
    files = re.findall(r"`((?:conf|docs|src|tests|benchmarks|notebooks)/[\w./-]*)`", PAGES[page])
    assert [name for name in files if not (PROJECT / name).exists()] == []
