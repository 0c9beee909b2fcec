"""``kedro run`` that ends a failed run with one sentence instead of a stack trace."""

from __future__ import annotations

import logging
import os
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

from sparkify_kedro.failures import sentence_of, unknown_tags

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


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands={"run": run})
def cli() -> None:
    """Command line tools of the project."""
