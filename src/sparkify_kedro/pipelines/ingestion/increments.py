"""Read the files that were added to a log, and keep the lines of those that an earlier run has parsed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.framework.files import FILE

from .nodes import parse_lines, parser_of
from .parameters import Ingestion

logger = logging.getLogger(__name__)

_LISTED = 3


class LogFile(NamedTuple):
    """A file of the log, as ``FILE_COLUMNS`` declares it."""

    path: str
    bytes: int
    modified: int


def parse_log(
    raw_events: DataFrame, raw_files: DataFrame, earlier_lines: DataFrame | None, parameters: Ingestion
) -> DataFrame:
    """Parse the lines of the log: of all files, or in an increment of those that were added.

    Args:
        raw_events: one row per line of the log: ``value``, and the ``file`` that it is from.
        raw_files: one row per file of the log.
        earlier_lines: the lines that an earlier run has parsed; None where there are none.
        parameters: the contract, and which files to read.

    Returns:
        The same rows either way, as made by ``parse_lines``. An increment collects one row per file.

    Raises:
        InputDataError: where a file that was read before has changed or is gone and ``ingestion.if_changed`` is
            ``stop``.
    """
    if parameters.mode == "increment" and earlier_lines is not None:
        known = _known_files(raw_files, earlier_lines, parameters)
        if known:
            new = raw_events.where(~F.col(f"{FILE}.path").isin([file.path for file in known]))
            return earlier_lines.unionByName(parse_lines(new, parameters))
    return parse_lines(raw_events, parameters)


def _known_files(raw_files: DataFrame, earlier_lines: DataFrame, parameters: Ingestion) -> set[LogFile]:
    """The files whose lines are kept; none where all are to be read again, and then the log says why."""
    if parameters.source.derive:
        logger.warning(
            "All files are read again: what ingestion.source.derive adds to a line depends on the lines of all files"
        )
        return set()
    if "parser" not in earlier_lines.columns:
        logger.warning("All files are read again: the earlier lines do not say which files they are from")
        return set()
    earlier = earlier_lines.select(f"{FILE}.*", "parser").distinct().collect()
    if {row.parser for row in earlier} != {parser_of(parameters)}:
        logger.warning("All files are read again: the earlier lines were parsed with another contract or other code")
        return set()
    known = {LogFile(row.path, row.bytes, row.modified) for row in earlier}
    present = {LogFile(*row) for row in raw_files.collect()}
    lost = known - present
    if lost:
        _say_what_is_lost(lost, {file.path for file in present}, parameters)
        return set()
    logger.info("Increment: %d of %d files are new", len(present - known), len(present))
    return known


def _say_what_is_lost(lost: Iterable[LogFile], present: set[str], parameters: Ingestion) -> None:
    """Say which files have changed or are gone, or stop."""
    named = [f"{file.path} {'has changed' if file.path in present else 'is gone'}" for file in sorted(lost)]
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    message = f"{', '.join(named[:_LISTED])}{more} since an earlier run read the log"
    if parameters.if_changed == "stop":
        raise InputDataError(f"{message}: read all files again, with ingestion.mode=full")
    logger.warning("All files are read again: %s", message)
