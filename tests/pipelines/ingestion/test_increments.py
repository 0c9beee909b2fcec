"""An increment reads only the files that were added, and gives what one run over all files gives."""

from __future__ import annotations

import gzip
import json
import logging
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession

from spark_examples import spark_examples
from sparkify_kedro.framework.datasets import FileListDataset, JSONRecordsDataset
from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.pipelines.ingestion.increments import parse_log
from sparkify_kedro.pipelines.ingestion.nodes import check_lines, report_ingestion, select_events, select_rejected
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion
from sparkify_kedro.pipelines.ingestion.schemas import parsed_lines

PROJECT = Path(__file__).parents[3]
LOADER = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
CONFIGURED = LOADER["parameters"]["ingestion"] | {"max_rejected_share": 1.0}
FULL = Ingestion(**CONFIGURED)
INCREMENT = Ingestion(**CONFIGURED | {"mode": "increment"})
STOP = Ingestion(**CONFIGURED | {"mode": "increment", "if_changed": "stop"})
START = 1_538_352_000_000
EVENT = {
    "ts": START, "userId": "1", "sessionId": 1, "itemInSession": 0, "page": "Home", "level": "paid",
    "registration": START - 1_000,
}  # fmt: skip


def line(user: int, item: int = 0, **changes: Any) -> str:
    return json.dumps(EVENT | {"userId": str(user), "itemInSession": item, "ts": START + item * 60_000} | changes)


def read(folder: Path, earlier: DataFrame | None, contract: Ingestion) -> DataFrame:
    """The lines as ``parsed_lines`` stores them, in the memory of Spark."""
    lines = parse_log(
        JSONRecordsDataset(filepath=str(folder)).load(), FileListDataset(filepath=str(folder)).load(), earlier, contract
    )
    return parsed_lines.validate(lines).localCheckpoint()


def rows_of(lines: DataFrame) -> Counter[str]:
    return Counter(map(str, lines.collect()))


def users(lines: DataFrame) -> list[str]:
    return sorted(row.user_id for row in lines.collect())


@pytest.fixture
def log(spark: SparkSession, tmp_path: Path) -> Path:
    """Two files with the events of users 1 to 3."""
    (tmp_path / "a.json").write_text(f"{line(1)}\n{line(2)}\n")
    (tmp_path / "b.json").write_text(f"{line(3)}\n")
    return tmp_path


@pytest.fixture
def earlier(log: Path) -> DataFrame:
    return read(log, None, INCREMENT)


# Few of each, so that lines repeat within a file and across files.
lines_of_files = st.lists(
    st.lists(
        st.one_of(
            st.builds(line, st.integers(1, 3), st.integers(0, 2)),
            st.builds(lambda user, song: line(user, song=song), st.integers(1, 2), st.sampled_from(["S", "T"])),
            st.sampled_from(["", "no event", line(1, page=None), line(2, level="gold"), line(3, userId="")]),
        ),
        max_size=6,
    ),
    min_size=2,
    max_size=5,
)


@spark_examples(2)
@given(files=lines_of_files, steps=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_increments_give_what_one_run_over_all_files_gives(
    spark: SparkSession, files: list[list[str]], steps: list[int]
) -> None:
    """Events, counts and rejected lines, with files that come late or repeat what an earlier one says."""
    files = [[line(9)], *files]
    with tempfile.TemporaryDirectory() as name:
        folder, found, written = Path(name), None, 0
        for step in [*steps, len(files)]:
            # The last files by name come first.
            for number in range(written, min(written + step, len(files))):
                (folder / f"{len(files) - number}.json").write_text("\n".join(files[number]))
            written += step
            found = read(folder, found, INCREMENT)
        assert found is not None
        at_once = read(folder, None, FULL)
        assert rows_of(found) == rows_of(at_once)
        made = []
        for lines in (found, at_once):
            rejected = select_rejected(lines)
            counts = check_lines(lines, rejected, FULL)
            events = select_events(lines, counts)
            made.append((rows_of(events), rows_of(rejected), counts, report_ingestion(counts, events)))
        assert made[0] == made[1]


def test_files_that_were_read_are_not_read_again(
    log: Path, earlier: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """Though one is damaged by now, it looks the same: nobody opens it."""
    packed = log / "packed.json.gz"
    packed.write_bytes(gzip.compress(line(4).encode()))
    known = read(log, earlier, INCREMENT)
    was = packed.stat()
    packed.write_bytes(packed.read_bytes()[:12] + b"x" * (was.st_size - 12))
    os.utime(packed, ns=(was.st_atime_ns, was.st_mtime_ns))
    (log / "c.json").write_text(line(5))
    with caplog.at_level(logging.INFO):
        assert users(read(log, known, INCREMENT)) == ["1", "2", "3", "4", "5"]
    assert "Increment: 1 of 4 files are new" in caplog.text
    with pytest.raises(Exception, match=r"packed\.json\.gz"):
        read(log, known, FULL)


def test_a_rejected_line_names_its_file(log: Path) -> None:
    (log / "d.json").write_text(f"{line(4)}\nno event\n")
    (row,) = select_rejected(read(log, None, FULL)).collect()
    assert (row.line, row.file.rpartition("/")[2]) == ("no event", "d.json")


def test_nothing_new_is_nothing_to_read(log: Path, earlier: DataFrame) -> None:
    assert rows_of(read(log, earlier, STOP)) == rows_of(earlier)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_has_changed_or_is_gone_is_named(
    log: Path, earlier: DataFrame, caplog: pytest.LogCaptureFixture, is_gone: bool
) -> None:
    """And all files are read again, or the run stops."""
    if is_gone:
        (log / "a.json").unlink()
    else:
        (log / "a.json").write_text(line(7))
    what = "is gone" if is_gone else "has changed"
    with pytest.raises(InputDataError, match=f"/a.json {what} since an earlier run read the log: read all files again"):
        read(log, earlier, STOP)
    assert users(read(log, earlier, INCREMENT)) == (["3"] if is_gone else ["3", "7"])
    assert f"/a.json {what}" in caplog.text


def test_lines_of_another_contract_are_read_again(
    log: Path, earlier: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless what differs is of no importance to a line."""
    columns = CONFIGURED["columns"] | {"level": CONFIGURED["columns"]["level"] | {"one_of": ["free"]}}
    stricter = Ingestion(**CONFIGURED | {"mode": "increment", "columns": columns})
    assert {row.outcome for row in read(log, earlier, stricter).collect()} == {"rejected"}
    assert "parsed with another contract" in caplog.text
    caplog.clear()
    other_share = Ingestion(**CONFIGURED | {"mode": "increment", "max_rejected_share": 0.01})
    read(log, earlier, other_share)
    assert "again" not in caplog.text


def test_what_depends_on_all_lines_reads_all(log: Path, earlier: DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    derived = Ingestion(**CONFIGURED | {"mode": "increment", "source": {"derive": ["registration"]}})
    once = read(log, None, derived)
    (log / "c.json").write_text(line(1, 1, ts=START - 5_000_000))
    found = read(log, once, derived)
    assert {row.registration for row in found.where("user_id = '1'").collect()} == {START - 5_000_000}
    assert "depends on the lines of all files" in caplog.text


def test_lines_of_before_there_were_increments_are_read_again(
    log: Path, earlier: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    assert rows_of(read(log, earlier.drop("file", "parser"), INCREMENT)) == rows_of(earlier)
    assert "do not say which files they are from" in caplog.text
