"""An exception becomes one sentence that names the thing and says what to do."""

from __future__ import annotations

import errno

import pytest
from kedro.io.core import DatasetError
from kedro.validation.exceptions import DataValidationError, ParameterValidationError

from sparkify_kedro.framework.errors import MissingVersions, sentence_of, unknown_tags

READING = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///logs/a.json.gz.  SQLSTATE: KD001"
SAVING = (
    "events: Failed while saving data to dataset sparkify_kedro.framework.datasets.SparkDataFrameDataset("
    "filepath='file:///data/02_intermediate/events', file_format='parquet', version=Version(load=None, save='now')).\n"
)
JAVA = "\n\tat java.base/java.lang.Thread.run(Thread.java:840)\nCaused by: "


def caused(message: str, cause: BaseException) -> Exception:
    """An error as it comes around another one."""
    try:
        raise DatasetError(message) from cause
    except DatasetError as error:
        return error


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("java.io.IOException: not a gzip file", "is not compressed by gzip, as its name says"),
        ("org.apache.hadoop.fs.ChecksumException: Checksum error: file:/logs/a.json.gz", "is damaged or was changed"),
        ("java.io.EOFException: Unexpected end of input stream", "is cut off: copy or compress it again."),
        ("java.io.IOException: Stream is not BZip2 formatted", "is not compressed by bzip2"),
        ("java.io.IOException: something else", "cannot be read."),
    ],
)
def test_a_file_that_spark_cannot_read_is_named_with_what_is_wrong_with_it(cause: str, expected: str) -> None:
    told = sentence_of(caused(SAVING, RuntimeError(READING + JAVA + cause)))
    assert told.startswith(f"/logs/a.json.gz {expected}")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x.json"),
            "No space is left on the device of /data/x.json:",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/data/x.json"),
            "/data/x.json cannot be written: it is read-only",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x.json"), "/data/x.json cannot be written:"),
        (
            RuntimeError(f"java.io.IOException: No space left on device{JAVA}"),
            "the device of /data/02_intermediate/events:",
        ),
        (RuntimeError("Mkdirs failed to create file:/data/y (exists=false)"), "/data/02_intermediate/events cannot be"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(error: Exception, expected: str) -> None:
    assert expected in sentence_of(caused(SAVING, error))


def test_a_place_that_java_alone_knows_is_named() -> None:
    error = RuntimeError("java.io.FileNotFoundException: /tmp/blockmgr-1/x (No space left on device)")
    assert "the device of /tmp/blockmgr-1/x:" in sentence_of(error)


@pytest.mark.parametrize(
    ("datasets", "asked_for", "expected"),
    [
        (
            ["events", "log_span"],
            {},
            "of events and log_span yet: make it first, with kedro run --pipelines=ingestion.",
        ),
        (
            ["will_churn_soon.champion", "events"],
            {},
            "no champion of will_churn_soon yet: train first, with kedro run.",
        ),
        (["banana"], {}, "There is no complete version of banana yet: make it first."),
        (
            ["events", "log_span"],
            {"events": "v1"},
            "There is no complete version 'v1' of events: look at --load-versions",
        ),
    ],
)
def test_versions_that_are_not_there_come_with_what_makes_them(
    datasets: list[str], asked_for: dict[str, str], expected: str
) -> None:
    assert expected in sentence_of(MissingVersions(datasets, asked_for))


def test_a_version_that_was_lost_on_the_way_is_told_alike() -> None:
    error = DatasetError("user_time_bins: Did not find any versions for X(...)")
    assert sentence_of(error).endswith("with kedro run --pipelines=feature_engineering.")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Failed to find the pipeline named 'ingest'. It needs",
            "There is no pipeline 'ingest': did you mean 'ingestion'?",
        ),
        (
            "Pipeline does not contain nodes named ['parse_lnes'].",
            "There is no node 'parse_lnes': did you mean 'parse_lines'?",
        ),
        ("Pipeline does not contain datasets named ['evens']", "There is no dataset 'evens': did you mean 'events'?"),
        (
            "Pipeline does not contain nodes with the following namespaces: ['will_churn_soon.random']",
            "There is no namespace 'will_churn_soon.random': did you mean 'will_churn_soon.random_forest'?",
        ),
        (
            "KeyError: Environment variable 'SPARK_MASTER' not found\n  key",
            "The environment variable SPARK_MASTER, which",
        ),
    ],
)
def test_what_kedro_does_not_know_is_named_with_what_is_like_it(message: str, expected: str) -> None:
    told = sentence_of(ValueError(message))
    assert told.startswith(expected)
    assert "\n" not in told


def test_tags_that_nothing_has_are_named() -> None:
    assert unknown_tags(["will_churn_soon", "random_forest"]) is None
    assert unknown_tags(["will_churn_sooon"]) == "There is no tag 'will_churn_sooon': did you mean 'will_churn_soon'?"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("one\n\n two"), "one two"),
        (ValueError(), "ValueError"),
        (ParameterValidationError("Parameter validation failed:\n- a is wrong\n- b is too"), "a is wrong; b is too"),
        (
            DatasetError(f"{SAVING}something{JAVA}else"),
            "events: Failed while saving data to /data/02_intermediate/events: something",
        ),
        (
            RuntimeError("A worker failed:\nTraceback (most recent call last):\n  File x\nKeyError: 'y'\n"),
            "A worker failed: KeyError: 'y'",
        ),
        (
            DataValidationError("a is missing", dataset_name="events", mode="save", validator="v"),
            "events: a is missing",
        ),
        (RuntimeError("x" * 5_000), "x" * 600 + " …"),
    ],
)
def test_other_errors_keep_their_own_words_on_one_line(error: Exception, expected: str) -> None:
    assert sentence_of(error) == expected


def test_notes_belong_to_the_sentence() -> None:
    error = ValueError("There is no event.")
    error.add_note("the log is a.json")
    assert sentence_of(error) == "There is no event (the log is a.json)."
