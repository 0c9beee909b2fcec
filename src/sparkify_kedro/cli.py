"""``kedro run`` that ends a failed run with one sentence instead of a stack trace."""

from __future__ import annotations

import logging
import os
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

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


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__, commands={"run": run})
def cli() -> None:
    """Command line tools of the project."""
