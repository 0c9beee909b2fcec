"""Any exception becomes one sentence that names the file, dataset or option and what to do."""

from __future__ import annotations

import errno
import gzip
from pathlib import Path

import pytest
from kedro.io.core import DatasetError
from kedro.validation.exceptions import DataValidationError, ParameterValidationError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkify_kedro.framework.errors import error_message, java_cause

SAVING = (
    "events: Failed while saving data to dataset sparkify_kedro.framework.datasets.SparkDataFrameDataset("
    "filepath='file:///data/02_intermediate/events', file_format='parquet', version=Version(load=None, save='now')).\n"
)
JAVA = "\n\tat java.base/java.lang.Thread.run(Thread.java:840)\nCaused by: "


def caused(message: str, cause: BaseException) -> Exception:
    """An error that wraps another one."""
    try:
        raise DatasetError(message) from cause
    except DatasetError as error:
        return error


def unreadable(cause: str) -> PySparkException:
    return PySparkException(
        message=f"Encountered error while reading file file:///logs/a.json.gz.{JAVA}{cause}",
        errorClass="FAILED_READ_FILE.NO_HINT",
        messageParameters={"path": "file:///logs/a.json.gz"},
    )


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("java.io.IOException: not a gzip file", "not a gzip file"),
        ("org.apache.hadoop.fs.ChecksumException: Checksum error: a.json.gz at 0", "Checksum error: a.json.gz at 0"),
        ("java.io.EOFException: Unexpected end of input stream", "Unexpected end of input stream"),
    ],
)
def test_a_file_that_spark_cannot_read_is_named_with_javas_cause(cause: str, expected: str) -> None:
    message = error_message(caused(SAVING, unreadable(cause)))
    assert message.startswith(f"/logs/a.json.gz cannot be read ({expected}): check that the file is complete")
    assert "\n" not in message


def test_a_file_that_ends_early_is_named_in_the_error_of_a_write(spark: SparkSession, tmp_path: Path) -> None:
    """The exception of a write stays in Java, with Spark's error condition."""
    (tmp_path / "log.json.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 1_000)[:30])
    with pytest.raises(Py4JJavaError) as caught:
        spark.read.text(str(tmp_path)).write.parquet(str(tmp_path / "table"))
    message = error_message(caught.value)
    assert message.startswith(f"{tmp_path}/log.json.gz cannot be read (Unexpected end of input stream): check that")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x.json"),
            "/data/x.json cannot be used (No space left on device): check permissions and free space",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/data/x.json"),
            "/data/x.json cannot be used (Read-only file system):",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x.json"),
            "/data/x.json cannot be used (Permission denied):",
        ),
    ],
)
def test_a_path_that_cannot_be_used_is_named_with_the_systems_reason(error: Exception, expected: str) -> None:
    assert expected in error_message(caused(SAVING, error))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"An error occurred{JAVA}java.io.IOException: No space left on device{JAVA}x.y.ZException: disk", "disk"),
        (
            f"An error occurred{JAVA}java.io.IOException: No space left on device",
            "No space left on device, there or in the temporary folder (spark.local.dir in spark.yml)",
        ),
        (
            f"An error{JAVA}java.lang.UnsatisfiedLinkError: /tmp/snappy.so: failed to map segment{JAVA}x.y.ZError: z",
            "the temporary folder allows no programs, and libraries of Spark are such: name another one with "
            "-Djava.io.tmpdir in spark.driver.extraJavaOptions (spark.yml)",
        ),
        (
            f"An error{JAVA}java.lang.UnsatisfiedLinkError: no snappyjava in java.library.path: /{JAVA}x.ZError: z",
            "a library of Spark cannot be unpacked into the temporary folder: free space in it, or name another one "
            "with -Djava.io.tmpdir in spark.driver.extraJavaOptions (spark.yml)",
        ),
        ("An error occurred while calling None.X.\n: java.lang.ExampleException: why\n\tat Y", "why"),
        ("Mkdirs failed to create file:/data/y (exists=false)", "Mkdirs failed to create file:/data/y (exists=false)"),
        ("", "RuntimeError"),
    ],
)
def test_the_root_cause_in_java_is_quoted_without_its_class(text: str, expected: str) -> None:
    assert java_cause(RuntimeError(text)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            DatasetError("There is no file or folder at 'nowhere.json'."),
            "There is no file or folder at 'nowhere.json'.",
        ),
        (
            DatasetError(SAVING + "[CANNOT_PARSE] bad\n\tat org.apache.spark.X(Y.scala:1)"),
            "events: Failed while saving data to /data/02_intermediate/events: [CANNOT_PARSE] bad",
        ),
        (DataValidationError("the columns differ", dataset_name="events"), "events: the columns differ"),
        (
            ParameterValidationError("Parameter validation failed:\n- a is wrong\n- b is missing"),
            "a is wrong; b is missing",
        ),
        (ValueError(""), "ValueError"),
    ],
)
def test_other_errors_keep_their_own_message_without_stack(error: Exception, expected: str) -> None:
    assert error_message(error) == expected


def test_a_long_message_is_cut() -> None:
    message = error_message(ValueError("x" * 5_000))
    assert len(message) < 700
    assert message.endswith("...")


def test_notes_follow_in_parentheses() -> None:
    error = ValueError("the log has no line")
    error.add_note("read from log.json")
    assert error_message(error) == "the log has no line (read from log.json)."
