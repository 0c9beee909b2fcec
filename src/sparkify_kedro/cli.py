"""``kedro run`` that ends a failed run with one sentence instead of a stack trace, and ``kedro runs``."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS, _split_params, env_option
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession

from sparkify_kedro.framework.errors import sentence_of, unknown_tags

logger = logging.getLogger(__name__)

TRACEBACK_VARIABLE = "SPARKIFY_TRACEBACK"


class OneSentenceCommand(click.Command):
    """A command whose failures are told in one sentence; set ``SPARKIFY_TRACEBACK=1`` for the whole stack."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.ClickException: with the error's own words, so that the exit code is 1 and no stack is printed.
        """
        wants_stack = bool(os.environ.get(TRACEBACK_VARIABLE))
        # Where the log file cannot be written, the run's own error says more than a stack for every line.
        logging.raiseExceptions = wants_stack
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if wants_stack:
                raise
            _write_stack(error)
            raise click.ClickException(unknown_tags(ctx.params.get("tags") or ()) or sentence_of(error)) from error


def _write_stack(error: Exception) -> None:
    """Write the whole stack to the log file, and there alone."""
    about = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "The run failed.", (), about)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


# Kedro's entry points, and the packaged command, find the command under this name.
run = OneSentenceCommand(name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)


# Of the commands below, what needs the datasets is slow to import, and most commands of Kedro need none.


@click.group(context_settings=CONTEXT_SETTINGS)
def runs() -> None:
    """Look at the runs there were, repeat one, and clear what killed ones have left."""


@runs.command(name="list", cls=OneSentenceCommand)
@env_option
def list_runs(env: str | None) -> None:
    """The runs that have left a summary, the newest first."""
    from sparkify_kedro.framework.runs.repeat import RUN_SUMMARY, summary_of  # noqa: PLC0415

    catalog = _context(env).catalog
    for run_id in catalog[RUN_SUMMARY].list_versions(full_path=False):
        summary = summary_of(run_id, catalog)
        asked = ", ".join(f"{key}={value}" for key, value in summary["asked_for"].items()) or "everything"
        how = "succeeded" if summary["succeeded"] else "failed"
        click.echo(f"{run_id}  {how} after {summary['seconds']:.0f} s  {asked}")


@runs.command(name="compare", cls=OneSentenceCommand)
@click.argument("one")
@click.argument("other")
@env_option
def compare_runs(one: str, other: str, env: str | None) -> None:
    """Where the runs ONE and OTHER differ: parameters, inputs, software and findings."""
    from sparkify_kedro.framework.runs.compare import compare, tell  # noqa: PLC0415
    from sparkify_kedro.framework.runs.repeat import summary_of  # noqa: PLC0415

    catalog = _context(env).catalog
    for line in tell(compare(summary_of(one, catalog), summary_of(other, catalog), catalog)):
        click.echo(line)


@runs.command(name="repeat", cls=OneSentenceCommand)
@click.argument("run_id")
@env_option
def repeat_run(run_id: str, env: str | None) -> None:
    """Run the run RUN_ID again, on what it has read, and compare what comes out.

    The command fails where the findings differ.
    """
    from sparkify_kedro.framework.runs.compare import compare, tell  # noqa: PLC0415
    from sparkify_kedro.framework.runs.repeat import repeat, summary_of  # noqa: PLC0415

    context = _context(env)
    before = summary_of(run_id, context.catalog)
    after = repeat(before, context)
    comparison = compare(before, summary_of(after, context.catalog), context.catalog)
    for line in tell(comparison):
        click.echo(line)
    if comparison.findings:
        raise click.ClickException(f"the run {after} has not found what {run_id} found")


@runs.command(cls=OneSentenceCommand)
@env_option
@click.option(
    "--params", type=str, default="", callback=_split_params, help="As for kedro run, where they lead elsewhere."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
def clean(env: str | None, params: dict[str, Any], dry_run: bool) -> None:
    """Remove what killed runs have left, never a complete version, nor anything of a run that is running."""
    from sparkify_kedro.framework.runs.cleanup import find_left_overs  # noqa: PLC0415
    from sparkify_kedro.framework.runs.locks import RunningRuns  # noqa: PLC0415

    context = _context(env, params)
    registry = RunningRuns(context.project_path)
    with registry.guarded():
        for run in registry.running():
            click.echo(f"left alone: what the run {run.run_id} (process {run.pid}) is writing")
        found = find_left_overs(context.catalog, registry)
        size = sum(each.size() for each in found)
        for each in found:
            click.echo(f"{_within(each.path, context.project_path)}: {each.what}")
            if not dry_run:
                each.clear()
    done = "would be cleared" if dry_run else "cleared"
    click.echo(f"{len(found)} left-over{'' if len(found) == 1 else 's'} {done}, {size / 1e6:.1f} MB.")


def _context(env: str | None, params: dict[str, Any] | None = None) -> KedroContext:
    with KedroSession.create(env=env, runtime_params=params) as session:
        return session.load_context()


def _within(path: Path, project: Path) -> Path:
    """The path as seen from the project's folder, if it lies in there."""
    return path.relative_to(project) if path.is_relative_to(project) else path


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands={"run": run, "runs": runs})
def cli() -> None:
    """Command line tools of the project."""
