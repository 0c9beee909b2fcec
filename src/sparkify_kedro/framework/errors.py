"""The exception for wrong input data, and the sentence that a failed command prints for any exception."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from kedro.validation.exceptions import DataValidationError
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

_LONGEST_MESSAGE = 600
# What Java says of a library that it has extracted to a file system that is mounted with noexec.
_NO_PROGRAMS = "failed to map segment"
_NO_LIBRARY = "UnsatisfiedLinkError"
_ANOTHER_FOLDER = "name another one with -Djava.io.tmpdir in spark.driver.extraJavaOptions (spark.yml)"
_NO_SPACE = "No space left on device"
_STORAGE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC}
# Kedro describes a dataset with all its options, where the path says more.
_DATASET = re.compile(r"dataset [\w.]+\(filepath=(?:\w+\()?'(?:file://)?(?P<path>[^']+)'.*?\)\.?(?=\n|$)", re.DOTALL)


class InputDataError(ValueError):
    """The content of an input file is wrong; hooks add which file was read."""


def error_message(error: BaseException) -> str:
    """One sentence on any exception: what its root cause says of a file, else its own message."""
    known = (_storage_error(cause) or _unreadable_file(cause, error) for cause in _causes(error))
    message = next((sentence for sentence in known if sentence), None) or _without_traces(error)
    notes = getattr(error, "__notes__", ())
    return f"{message.rstrip('.')} ({'; '.join(notes)})." if notes else message


def java_cause(error: BaseException) -> str:
    """What Java says of the root cause of an error, without its stack: the last ``Caused by``, else the first line."""
    text = "\n".join(str(cause) for cause in _causes(error))
    if _NO_PROGRAMS in text:
        return f"the temporary folder allows no programs, and libraries of Spark are such: {_ANOTHER_FOLDER}"
    if _NO_LIBRARY in text:
        return (
            f"a library of Spark cannot be unpacked into the temporary folder: free space in it, or {_ANOTHER_FOLDER}"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    # Py4J's own first line says only what was called; the exception follows.
    causes = causes or [line.removeprefix(": ") for line in lines if line.startswith(": ")] or lines[:1]
    # Class names of exceptions say little to a user.
    cause = re.sub(r"^(?:[\w$]+\.)+[\w$]+(?:Exception|Error): ", "", causes[-1]) if causes else type(error).__name__
    return f"{cause}, there or in the temporary folder (spark.local.dir in spark.yml)" if cause == _NO_SPACE else cause


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while isinstance(error, BaseException) and error not in seen:
        seen.append(error)
        yield error
        # PySpark keeps the exception that caused one in Java here, and has no public name for it.
        error = error.__cause__ or error.__context__ or getattr(error, "_cause", None)


def _storage_error(cause: BaseException) -> str | None:
    if not isinstance(cause, OSError) or cause.errno not in _STORAGE:
        return None
    return (
        f"{cause.filename or 'The storage'} cannot be used ({cause.strerror}): check permissions and free space, or "
        "change storage in globals.yml."
    )


def _unreadable_file(cause: BaseException, error: BaseException) -> str | None:
    for condition, parameters in _spark_conditions(cause):
        if condition.startswith("FAILED_READ_FILE"):
            return (
                f"{parameters.get('path', 'A file').removeprefix('file://')} cannot be read ({java_cause(error)}): "
                "check that the file is complete, unchanged and compressed as its name says."
            )
    return None


def _spark_conditions(error: BaseException) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Spark's error conditions and their parameters, also where PySpark leaves the exception in Java."""
    if isinstance(error, PySparkException):
        yield error.getCondition() or "", error.getMessageParameters() or {}
    java = error.java_exception if isinstance(error, Py4JJavaError) else None
    # Exceptions of Java itself have no condition, and after the end of the JVM nothing answers.
    with suppress(Py4JError):
        while java is not None:
            with suppress(Py4JError):
                yield java.getCondition() or "", dict(java.getMessageParameters())
            java = java.getCause()


def _without_traces(error: BaseException) -> str:
    """The error's own message, without stack traces and without the options of a dataset."""
    if isinstance(error, DataValidationError):
        return f"{error.dataset_name}: {error.message}"
    text = _DATASET.sub(r"\g<path>:", str(error)).removeprefix("Parameter validation failed:\n- ")
    text = re.split(r"^\s*(?:at |Traceback \(most)", text, maxsplit=1, flags=re.MULTILINE)[0].replace("\n- ", "; ")
    message = " ".join(text.split()) or type(error).__name__
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} ..."
