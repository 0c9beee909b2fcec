"""``kedro run`` that ends a failed run with one sentence instead of a stack trace."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog

from sparkify_kedro.failures import sentence_of, unknown_tags
from sparkify_kedro.runs.compare import compare, tell
from sparkify_kedro.runs.repeat import RUN_SUMMARY, repeat, summary_of

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
            raise click.ClickException(unknown_tags(ctx.params["tags"]) or sentence_of(error)) from error


def _write_stack(error: Exception) -> None:
    """Write the whole stack to the log file, and there alone."""
    about = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "The run failed.", (), about)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


# Kedro's entry points, and the packaged command, find the command under this name.
run = OneSentenceCommand(name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)


@click.group()
def runs() -> None:
    """Look at the runs there were, and repeat one."""


_env = click.option("--env", "-e", help="The environment that the runs were made in.")


@runs.command(name="list", cls=OneSentenceCommand)
@_env
def list_runs(env: str | None) -> None:
    """The runs that have left a summary, the newest first."""
    catalog = _catalog(env)
    for run_id in catalog[RUN_SUMMARY].list_versions(full_path=False):
        summary = summary_of(run_id, catalog)
        asked = ", ".join(f"{key}={value}" for key, value in summary["asked_for"].items()) or "everything"
        how = "succeeded" if summary["succeeded"] else "failed"
        click.echo(f"{run_id}  {how} after {summary['seconds']:.0f} s  {asked}")


@runs.command(name="compare", cls=OneSentenceCommand)
@click.argument("one")
@click.argument("other")
@_env
def compare_runs(one: str, other: str, env: str | None) -> None:
    """Where the runs ONE and OTHER differ: parameters, inputs, software and findings."""
    catalog = _catalog(env)
    for line in tell(compare(summary_of(one, catalog), summary_of(other, catalog), catalog)):
        click.echo(line)


@runs.command(name="repeat", cls=OneSentenceCommand)
@click.argument("run_id")
@_env
def repeat_run(run_id: str, env: str | None) -> None:
    """Run the run RUN_ID again, on what it has read, and compare what comes out.

    The command fails where the findings differ.
    """
    catalog = _catalog(env)
    before = summary_of(run_id, catalog)
    after = repeat(before, Path.cwd(), env, catalog)
    comparison = compare(before, summary_of(after, catalog), catalog)
    for line in tell(comparison):
        click.echo(line)
    if comparison.findings:
        raise click.ClickException(f"the run {after} has not found what {run_id} found")


def _catalog(env: str | None) -> DataCatalog:
    with KedroSession.create(project_path=Path.cwd(), env=env) as session:
        return session.load_context().catalog


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands={"run": run, "runs": runs})
def cli() -> None:
    """Command line tools of the project."""
