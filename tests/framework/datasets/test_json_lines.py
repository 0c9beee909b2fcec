"""A log is one file or one folder; a reader sees the old log or the new one."""

from __future__ import annotations

import bz2
import doctest
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from kedro.io.core import DatasetError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.framework.datasets import JSONLinesDataset, SparkDataFrameDataset, json_lines

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def log(spark: SparkSession) -> DataFrame:
    """Four events in one partition, in order."""
    return spark.range(4, numPartitions=1).select(F.col("id").alias("ts"), F.lit("Home").alias("page"))


@pytest.fixture
def log_in_parts(spark: SparkSession) -> DataFrame:
    """Nine events in three partitions, in order."""
    return spark.range(9, numPartitions=3).select(F.col("id").alias("ts"))


def stamps(text: str) -> list[int]:
    """The events' time stamps, in the order of the lines."""
    return [json.loads(line)["ts"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("log.json", Path.read_text),
        ("log.json.gz", lambda path: gzip.decompress(path.read_bytes()).decode()),
        ("log.json.bz2", lambda path: bz2.decompress(path.read_bytes()).decode()),
        ("log.2018.json", Path.read_text),
    ],
)
def test_a_path_with_a_file_suffix_is_one_file(
    log: DataFrame, tmp_path: Path, name: str, read: Callable[[Path], str]
) -> None:
    """The file alone lies there: no draft, no marker, no checksum."""
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/raw/{name}")
    assert not dataset.exists()
    assert dataset.rows_written is None

    dataset.save(log)

    assert dataset.exists()
    assert dataset.rows_written == 4
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [name]
    assert stamps(read(tmp_path / "raw" / name)) == [0, 1, 2, 3]
    assert [json.loads(row.value)["page"] for row in dataset.load().collect()] == ["Home"] * 4


@pytest.mark.parametrize("name", ["log", "log.json.d"])
def test_every_other_path_is_a_folder_of_compressed_parts_in_order(
    log_in_parts: DataFrame, tmp_path: Path, name: str
) -> None:
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/{name}")
    assert not dataset.exists()

    dataset.save(log_in_parts)

    assert dataset.exists()
    assert dataset.rows_written == 9
    assert [path.name for path in tmp_path.iterdir()] == [name]
    parts = sorted((tmp_path / name).glob("*.json.gz"))
    assert [stamps(gzip.decompress(part.read_bytes()).decode()) for part in parts] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert dataset.load().columns == ["value"]
    assert dataset.load().count() == 9


def test_several_partitions_for_one_file_are_refused_and_the_old_log_stays(
    log: DataFrame, log_in_parts: DataFrame, tmp_path: Path
) -> None:
    """One sentence that names the file, what it was given and what to change."""
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/log.json")
    dataset.save(log)
    before = (tmp_path / "log.json").read_bytes()

    with pytest.raises(DatasetError) as caught:
        dataset.save(log_in_parts)

    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/log.json is one file, but the data has 3 partitions")
    assert "make one partition of them" in message
    assert "\n" not in message
    assert (tmp_path / "log.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["log.json"]


@pytest.mark.parametrize("name", ["log.json", "log"])
def test_a_write_that_fails_leaves_the_old_log_and_no_draft(
    spark: SparkSession, log: DataFrame, tmp_path: Path, name: str
) -> None:
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/{name}")
    dataset.save(log)
    breaks = F.when(F.col("id") == 3, F.raise_error(F.lit("the disk is full"))).otherwise(F.col("id"))

    with pytest.raises(DatasetError, match="the disk is full"):
        dataset.save(spark.range(4, numPartitions=1).select(breaks.cast("long").alias("ts")))

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stamps("\n".join(row.value for row in dataset.load().collect())) == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["log.json", "log"])
def test_a_log_is_replaced_when_it_is_written_again(log: DataFrame, tmp_path: Path, name: str) -> None:
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/{name}")
    dataset.save(log)

    dataset.save(log.where(F.col("ts") > 1))

    assert dataset.rows_written == 2
    assert stamps("\n".join(row.value for row in dataset.load().collect())) == [2, 3]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_log_is_written(log: DataFrame, tmp_path: Path) -> None:
    for name in ("log.json", "log"):
        dataset = JSONLinesDataset(filepath=f"{tmp_path}/{name}")

        dataset.save(log.limit(0))

        assert dataset.exists()
        assert dataset.rows_written == dataset.load().count() == 0


@pytest.fixture
def draft(spark: SparkSession, log: DataFrame, tmp_path: Path) -> Path:
    """The folder that Spark writes to while ``log.json`` is replaced, as seen by the task that writes; it is gone when
    the write is over, and ``log.json`` is ``log`` again.
    """
    dataset = JSONLinesDataset(filepath=f"{tmp_path}/log.json")
    dataset.save(log)
    folder = str(tmp_path)

    def look(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for _ in frames:
            place = next(place for place, folders, _ in os.walk(folder) if "_temporary" in folders)
            yield pd.DataFrame({"place": [place], "beside": [",".join(os.listdir(folder))]})

    dataset.save(spark.range(1, numPartitions=1).mapInPandas(look, "place string, beside string"))
    seen = json.loads((tmp_path / "log.json").read_text())
    assert "log.json" in seen["beside"].split(",")  # the old log stays until the new one is complete
    assert not Path(seen["place"]).exists()
    dataset.save(log)
    return Path(seen["place"])


@pytest.mark.parametrize("place", ["", "*.json", "*"], ids=["the folder", "a glob over logs", "a glob over all"])
def test_leftover_files_are_not_read(draft: Path, tmp_path: Path, place: str) -> None:
    """A write that is killed after Spark's part leaves its draft complete, and it is still no log."""
    draft.mkdir(parents=True)
    (draft / "part-00000.json").write_text('{"ts":99}\n')

    lines = SparkDataFrameDataset(filepath=str(tmp_path / place), file_format="text").load()

    assert stamps("\n".join(row.value for row in lines.collect())) == [0, 1, 2, 3]


def test_a_file_url_works_like_the_path(log: DataFrame, tmp_path: Path) -> None:
    JSONLinesDataset(filepath=f"file://{tmp_path}/log.json").save(log)

    assert stamps((tmp_path / "log.json").read_text()) == [0, 1, 2, 3]
    assert JSONLinesDataset(filepath=f"file://{tmp_path}/log.json").load().count() == 4


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"There is no file or folder at {tmp_path}/nowhere"):
        JSONLinesDataset(filepath=f"{tmp_path}/nowhere").load()


def test_the_docstring_examples_run(spark: SparkSession) -> None:
    outcome = doctest.testmod(json_lines)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_folder_with_other_files_is_not_replaced(spark: SparkSession, tmp_path: Path) -> None:
    """A slip such as ``simulated_events=data/01_raw`` must not cost the logs that lie there."""
    precious = tmp_path / "precious.json.gz"
    precious.write_bytes(b"a log")
    for target in (tmp_path, tmp_path / "parts"):
        (target / "precious.json.gz").parent.mkdir(exist_ok=True)
        (target / "precious.json.gz").write_bytes(b"a log")
        with pytest.raises(DatasetError, match=r"holds other files than parts of JSON lines \(p"):
            JSONLinesDataset(filepath=str(target)).save(spark.range(2).coalesce(1).toDF("ts"))
        assert (target / "precious.json.gz").read_bytes() == b"a log"


def test_a_folder_is_replaced_without_leftovers(log: DataFrame, tmp_path: Path) -> None:
    dataset = JSONLinesDataset(filepath=str(tmp_path / "log"))
    dataset.save(log)
    dataset.save(log.where("ts > 1"))

    assert sorted(stamps("\n".join(row.value for row in dataset.load().collect()))) == [2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
