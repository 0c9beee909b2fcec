"""``kedro run`` that ends a failed run with one sentence instead of a stack trace, and ``kedro runs``."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS, _split_params, env_option
from kedro.framework.session import KedroSession

logger = logging.getLogger(__name__)

TRACEBACK_VARIABLE = "SPARKIFY_TRACEBACK"


class OneSentenceCommand(click.Command):
    """A command whose failures are told in one sentence; set ``SPARKIFY_TRACEBACK=1`` for the whole stack."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.ClickException: with the error's own words, so that the exit code is 1 and no stack is printed.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            logger.debug("The run failed.", exc_info=error)
            raise click.ClickException(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    words = str(error).removeprefix("Parameter validation failed:\n- ").strip()
    return words or type(error).__name__


# Kedro's entry points, and the packaged command, find the command under this name.
run = OneSentenceCommand(name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)


@click.group(context_settings=CONTEXT_SETTINGS)
def runs() -> None:
    """What runs have left."""


@runs.command(cls=OneSentenceCommand)
@env_option
@click.option(
    "--params", type=str, default="", callback=_split_params, help="As for kedro run, where they lead elsewhere."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
def clean(env: str | None, params: dict[str, Any], dry_run: bool) -> None:
    """Remove what killed runs have left, never a complete version, nor anything of a run that is running."""
    # What needs the datasets is slow to import, and most commands need none.
    from sparkify_kedro.runs.leftovers import find_left_overs  # noqa: PLC0415
    from sparkify_kedro.runs.running import RunningRuns  # noqa: PLC0415

    with KedroSession.create(env=env, runtime_params=params) as session:
        context = session.load_context()
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


def _within(path: Path, project: Path) -> Path:
    """The path as seen from the project's folder, if it lies in there."""
    return path.relative_to(project) if path.is_relative_to(project) else path


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands={"run": run, "runs": runs})
def cli() -> None:
    """Command line tools of the project."""
