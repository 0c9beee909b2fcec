"""Commands that end a failure with one sentence instead of a stack trace."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import click
from omegaconf import OmegaConf

from .errors import error_message
from .registry import check_selection

logger = logging.getLogger(__name__)

TRACEBACK_VARIABLE = "SPARKIFY_TRACEBACK"


class OneSentenceCommand(click.Command):
    """A command whose failures are one sentence; the stack trace goes to the log file.

    With ``SPARKIFY_TRACEBACK=1`` in the environment the stack trace is printed.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.ClickException: with one sentence, so that the exit code is 1 and no stack trace is printed.
        """
        with_traceback = bool(os.environ.get(TRACEBACK_VARIABLE))
        # Where the log file cannot be written, the run's own error says more than a stack trace per message.
        logging.raiseExceptions = with_traceback
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if with_traceback:
                raise
            _log_traceback(error)
            message = error_message(error)
            if env := ctx.params.get("env"):
                # What is advised is meant for the same environment.
                message = message.replace("kedro run ", f"kedro run --env={env} ")
            raise click.ClickException(message) from error


class RunCommand(OneSentenceCommand):
    """``kedro run``: names of nodes, tags and so on are checked before anything is loaded."""

    def invoke(self, ctx: click.Context) -> Any:
        """Check the selection, then run.

        Raises:
            click.ClickException: naming an unknown name, with the closest known one.
        """
        if ctx.params.get("runner") == "ParallelRunner":
            raise click.ClickException(
                "ParallelRunner starts processes, which cannot share Spark: use --runner=ThreadRunner or leave it out."
            )
        try:
            check_selection(ctx.params)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        return super().invoke(ctx)


class ListsInParams(click.Option):
    """``--params`` of Kedro's commands, in which a value may also be a list: ``a.b=[x,y],c=1``.

    Kedro itself splits the text at every comma.
    """

    _LIST = re.compile(r"(?:^|,)\s*([^=,\s]+\s*=\s*\[[^\[\]]*\])\s*(?=,|$)")

    @classmethod
    def of(cls, options: list[click.Parameter]) -> list[click.Parameter]:
        """The same options, with this one in place of Kedro's ``--params``."""
        return [
            cls(each.opts, type=each.type, default=each.default, help=each.help, callback=each.callback)
            if isinstance(each, click.Option) and "--params" in each.opts
            else each
            for each in options
        ]

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Kedro's parameters, and the lists."""
        lists = self._LIST.findall(value) if isinstance(value, str) else []
        without_lists = self._LIST.sub("", value).strip(",") if lists else value
        parameters = super().process_value(ctx, without_lists)
        if not lists:
            return parameters
        return OmegaConf.to_container(OmegaConf.merge(parameters or {}, OmegaConf.from_dotlist(lists)))


def _log_traceback(error: Exception) -> None:
    """Write the stack trace to the log file only."""
    exception = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "The run failed.", (), exception)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
