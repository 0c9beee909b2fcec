"""The project's command line: ``kedro run``, ``kedro runs``, ``kedro logs`` and ``kedro serve``."""

from __future__ import annotations

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

from sparkify_kedro.framework.commands import ListsInParams, RunCommand
from sparkify_kedro.framework.runs.cli import runs
from sparkify_kedro.pipelines.ingestion.cli import logs
from sparkify_kedro.serving.cli import serve

# Kedro's entry points and the packaged command look the command up under this name.
run = RunCommand(
    name="run", callback=kedro_run.callback, params=ListsInParams.of(kedro_run.params), help=kedro_run.help
)


_commands = {"run": run, "runs": runs, "logs": logs, "serve": serve}


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands=_commands)
def cli() -> None:
    """Command line tools of the project."""
