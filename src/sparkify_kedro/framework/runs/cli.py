"""``kedro runs``: list, compare and repeat runs, and clean up after killed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import CONTEXT_SETTINGS, _split_params, env_option
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession

from ..commands import OneSentenceCommand
from .versions import catalog_of, versioned

# Most commands of Kedro need no datasets, which are slow to import: what needs them is imported inside the commands.


@click.group(context_settings=CONTEXT_SETTINGS)
def runs() -> None:
    """List, compare and repeat runs, and clean up after killed ones."""


@runs.command(name="list", cls=OneSentenceCommand)
@env_option
def list_runs(env: str | None) -> None:
    """List the runs that have left a summary, the newest first."""
    from .repeat import load_summary  # noqa: PLC0415
    from .retention import RUN_SUMMARY  # noqa: PLC0415

    catalog = catalog_of(_context(env))
    for run_id in versioned(catalog, [RUN_SUMMARY])[RUN_SUMMARY].list_versions(full_path=False):
        summary = load_summary(run_id, catalog)
        options = ", ".join(f"{key}={value}" for key, value in summary.asked_for.items()) or "everything"
        status = "succeeded" if summary.succeeded else "failed"
        click.echo(f"{run_id}  {status} after {summary.seconds:.0f} s  {options}")


@runs.command(name="compare", cls=OneSentenceCommand)
@click.argument("one")
@click.argument("other")
@env_option
def compare_runs(one: str, other: str, env: str | None) -> None:
    """Show where the runs ONE and OTHER differ: parameters, inputs, software and results."""
    from .compare import compare, format_comparison  # noqa: PLC0415
    from .repeat import load_summary  # noqa: PLC0415

    catalog = catalog_of(_context(env))
    for line in format_comparison(compare(load_summary(one, catalog), load_summary(other, catalog), catalog)):
        click.echo(line)


@runs.command(name="repeat", cls=OneSentenceCommand)
@click.argument("run_id")
@env_option
def repeat_run(run_id: str, env: str | None) -> None:
    """Run RUN_ID, or the run of a manifest (a .json file), again on the same inputs and compare the results.

    The command fails where the results differ.
    """
    from .compare import compare, format_comparison  # noqa: PLC0415
    from .repeat import load_summary, repeat  # noqa: PLC0415

    context = _context(env)
    catalog = catalog_of(context)
    before = load_summary(run_id, catalog)
    after = repeat(before, context)
    comparison = compare(before, load_summary(after, catalog), catalog)
    for line in format_comparison(comparison):
        click.echo(line)
    if comparison.results:
        raise click.ClickException(f"the results of the run {after} differ from those of {run_id}")


@runs.command(cls=OneSentenceCommand)
@env_option
@click.option("--params", type=str, default="", callback=_split_params, help="As for kedro run, to reach other paths.")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
def clean(env: str | None, params: dict[str, Any], dry_run: bool) -> None:
    """Remove files that killed runs have left; never a complete version, nor files of an active run."""
    from .cleanup import find_leftovers  # noqa: PLC0415
    from .locks import RunLocks  # noqa: PLC0415

    context = _context(env, params)
    locks = RunLocks(context.project_path)
    with locks.exclusive():
        for run in locks.active():
            click.echo(f"skipped: files of the active run {run.run_id} (process {run.pid})")
        leftovers = find_leftovers(catalog_of(context), locks)
        size = sum(leftover.size() for leftover in leftovers)
        for leftover in leftovers:
            click.echo(f"{_within(leftover.path, context.project_path)}: {leftover.kind}")
            if not dry_run:
                leftover.clear()
    done = "would be removed" if dry_run else "removed"
    click.echo(f"{len(leftovers)} leftover file{'' if len(leftovers) == 1 else 's'} {done}, {size / 1e6:.1f} MB.")


def _context(env: str | None, params: dict[str, Any] | None = None) -> KedroContext:
    session = KedroSession.create(env=env, runtime_params=params)
    with session:
        return session.load_context()


def _within(path: Path, project: Path) -> Path:
    """The path relative to the project's folder, if it lies in there."""
    return path.relative_to(project) if path.is_relative_to(project) else path
