"""Exceptions of the framework, and the sentence that a failed command prints for any exception."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from kedro.validation.exceptions import DataValidationError
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from .parameters import did_you_mean

_LONGEST_MESSAGE = 600
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
# How Kedro describes a dataset in its messages.
_DATASET = re.compile(r"dataset [\w.]+\(filepath=(?:\w+\()?'(?:file://)?(?P<path>[^']+)'.*?\)\.?(?=\n|$)", re.DOTALL)


class InputDataError(ValueError):
    """The content of an input file is wrong; hooks add which file was read."""


class MissingVersionsError(LookupError):
    """A run would read versions that do not exist.

    Args:
        datasets: the datasets without a complete version, or without the requested one.
        requested: the requested versions by dataset (``--load-versions``).
        makers: the registered pipelines that make the datasets.
    """

    def __init__(self, datasets: Iterable[str], requested: Mapping[str, str], makers: Iterable[str]) -> None:
        """Build the message, which names what to run first."""
        names = sorted(datasets)
        if named := [name for name in names if name in requested]:
            versions = ", ".join(f"'{requested[name]}' of {name}" for name in named)
            message = f"There is no complete version {versions}: check --load-versions."
        else:
            pipelines = ",".join(sorted(makers))
            run = f"with kedro run --pipelines={pipelines}" if pipelines else "with the node that makes it"
            message = f"There is no complete version of {', '.join(names)} yet: create it first, {run}."
        super().__init__(message)


class UnknownNameError(ValueError):
    """The command line names a pipeline, node, namespace, tag or dataset that does not exist.

    Args:
        kind: what the name should be.
        name: the unknown name.
        known: the names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Build the message, which suggests the closest known name."""
        super().__init__(f"There is no {kind} '{name}': {did_you_mean(name, known)}")


def error_message(error: BaseException) -> str:
    """One sentence on any exception: its own message where the project raised it, else what Kedro or Spark says.

    Causes are searched first, since they say more than what Kedro and Spark wrap around them.
    """
    message = _known_cause(error) or _first_lines(error)
    notes = getattr(error, "__notes__", ())
    return f"{message.rstrip('.')} ({'; '.join(notes)})." if notes else message


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while isinstance(error, BaseException) and error not in seen:
        seen.append(error)
        yield error
        # PySpark keeps the exception that caused one in Java here, and has no public name for it.
        error = error.__cause__ or error.__context__ or getattr(error, "_cause", None)


def java_cause(error: BaseException) -> str:
    """What Java says of the root cause of an error, without its stack: the last ``Caused by``, else the first line."""
    text = "\n".join(str(cause) for cause in _causes(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")] or lines[:1]
    # Class names of exceptions say little to a user.
    return re.sub(r"^(?:[\w$]+\.)+[\w$]+(?:Exception|Error): ", "", causes[-1]) if causes else type(error).__name__


def _known_cause(error: BaseException) -> str | None:
    """A sentence where a cause says by its type or error condition what is wrong."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            path = _path(cause, error)
            return f"No space is left on the device of {path}: free some, or change storage in globals.yml."
        if isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE:
            return f"{_path(cause, error)} cannot be written: it is read-only or belongs to another user."
        for condition, parameters in _spark_conditions(cause):
            if condition.startswith("FAILED_READ_FILE"):
                path = parameters.get("path", "a file").removeprefix("file://")
                return (
                    f"{path} cannot be read ({java_cause(error)}): check that the file is complete, unchanged and "
                    "compressed as its name says."
                )
    return None


def _spark_conditions(error: BaseException) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Spark's error conditions and their parameters, also where PySpark leaves the exception in Java."""
    if isinstance(error, PySparkException):
        yield error.getCondition() or "", error.getMessageParameters() or {}
    java = error.java_exception if isinstance(error, Py4JJavaError) else None
    while java is not None:
        # Exceptions of Java itself have no such method, and after the end of the JVM no exception has.
        with suppress(Py4JError):
            yield java.getCondition() or "", dict(java.getMessageParameters())
        try:
            java = java.getCause()
        except Py4JError:
            return


def _path(cause: OSError, error: BaseException) -> str:
    """The file of an operating-system error, or the path of the dataset that the error is about."""
    dataset = _DATASET.search(str(error))
    return str(cause.filename or (dataset and dataset["path"]) or "the storage")


def _first_lines(error: BaseException) -> str:
    """The error's own message, without stack traces and without the options of a dataset."""
    if isinstance(error, DataValidationError):
        return f"{error.dataset_name}: {error.message}"
    lines = [line.strip() for line in _DATASET.sub(r"\g<path>:", str(error)).splitlines()]
    if lines[:1] == ["Parameter validation failed:"]:
        return "; ".join(line.removeprefix("- ") for line in lines[1:])
    end = next((n for n, line in enumerate(lines) if line.startswith(("at ", "Traceback (most"))), len(lines))
    message = " ".join(line for line in lines[:end] if line)
    return (message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} ...") or type(
        error
    ).__name__
