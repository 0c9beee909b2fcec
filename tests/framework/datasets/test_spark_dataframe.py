"""A version of a Spark dataframe exists when it is complete, and is never written twice."""

from __future__ import annotations

import doctest
import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io.core import DatasetError, Version
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from spark_work import BringsItsCode
from sparkify_kedro.framework.datasets import SparkDataFrameDataset, spark_dataframe

SOURCE = Path(__file__).parents[3] / "src"
FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def versioned(folder: Path, load: str | None = None, save: str | None = None, **options: Any) -> SparkDataFrameDataset:
    """A new dataset without memory of what was looked up before."""
    return SparkDataFrameDataset(filepath=f"{folder}/people", version=Version(load, save), **options)


def names(data: DataFrame) -> list[str]:
    return sorted(row.name for row in data.collect())


@pytest.fixture
def people(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([("Ada", 36), ("Bob", 12), ("Cleo", 65)], "name string, age int")


@pytest.fixture
def two_versions(people: DataFrame, tmp_path: Path) -> Path:
    """A folder with the dataset's versions FIRST (one row) and SECOND (three rows)."""
    versioned(tmp_path, save=FIRST).save(people.where(F.col("name") == "Ada"))
    versioned(tmp_path, save=SECOND).save(people)
    return tmp_path


def cut_off(folder: Path, version: str) -> None:
    """A copy of the complete version SECOND, as it lies there before Spark has written the last file."""
    shutil.copytree(folder / "people" / SECOND, folder / "people" / version)
    (folder / "people" / version / "people" / "_SUCCESS").unlink()


def test_a_saved_dataframe_loads_unchanged(people: DataFrame, tmp_path: Path) -> None:
    dataset = versioned(tmp_path)
    assert not dataset.exists()

    dataset.save(people)

    assert dataset.exists()
    assert versioned(tmp_path).exists()
    reloaded = versioned(tmp_path).load()
    assert reloaded.schema.simpleString() == people.schema.simpleString()
    assert sorted(reloaded.collect()) == sorted(people.collect())


def test_a_saved_dataframe_without_versions_loads_unchanged(people: DataFrame, tmp_path: Path) -> None:
    dataset = SparkDataFrameDataset(filepath=f"{tmp_path}/people")
    assert not dataset.exists()

    dataset.save(people)

    assert dataset.exists()
    assert names(SparkDataFrameDataset(filepath=f"{tmp_path}/people").load()) == ["Ada", "Bob", "Cleo"]


def test_the_latest_version_is_loaded_unless_another_is_requested(two_versions: Path) -> None:
    assert names(versioned(two_versions).load()) == ["Ada", "Bob", "Cleo"]
    assert names(versioned(two_versions, load=FIRST).load()) == ["Ada"]
    assert versioned(two_versions).list_versions(full_path=False) == [SECOND, FIRST]


def test_an_incomplete_version_does_not_exist(two_versions: Path) -> None:
    """Neither for latest, nor for exists(), nor in the list, nor when it is asked for by name."""
    cut_off(two_versions, THIRD)

    assert versioned(two_versions).resolve_load_version() == SECOND
    assert names(versioned(two_versions).load()) == ["Ada", "Bob", "Cleo"]
    assert versioned(two_versions).list_versions(full_path=False) == [SECOND, FIRST]
    assert versioned(two_versions, load=SECOND).exists()
    assert not versioned(two_versions, load=THIRD).exists()
    with pytest.raises(DatasetError, match=f"no complete version '{THIRD}' at {two_versions}/people"):
        versioned(two_versions, load=THIRD).load()


def test_the_latest_version_is_cached_until_release(people: DataFrame, two_versions: Path) -> None:
    dataset = versioned(two_versions)
    first = dataset.load()
    assert dataset.load() is first

    versioned(two_versions, save=THIRD).save(people.where(F.col("name") == "Cleo"))
    dataset.release()

    assert names(dataset.load()) == ["Cleo"]
    shutil.rmtree(two_versions / "people" / THIRD)
    with pytest.raises(DatasetError, match=f"no complete version '{THIRD}'"):
        dataset.load()


def test_a_file_without_versions_is_not_cached(people: DataFrame, tmp_path: Path) -> None:
    dataset = SparkDataFrameDataset(filepath=f"{tmp_path}/people")
    dataset.save(people)
    assert names(dataset.load()) == ["Ada", "Bob", "Cleo"]

    shutil.rmtree(tmp_path / "people")
    dataset.save(people.where(F.col("name") == "Ada"))

    assert names(dataset.load()) == ["Ada"]


def test_only_incomplete_versions_count_as_missing(two_versions: Path) -> None:
    cut_off(two_versions, THIRD)
    for version in (FIRST, SECOND):
        shutil.rmtree(two_versions / "people" / version)

    assert not versioned(two_versions).exists()
    assert versioned(two_versions).list_versions() == []
    with pytest.raises(DatasetError, match=f"{two_versions}/people"):
        versioned(two_versions).load()


def test_after_a_failed_write_the_previous_version_is_the_latest(spark: SparkSession, two_versions: Path) -> None:
    """One of two tasks writes its rows, the other one fails: what Spark leaves behind is no version."""
    breaks = F.when(F.col("id") == 1, F.raise_error(F.lit("the disk is full"))).otherwise(F.lit("Dora"))
    half = spark.range(2, numPartitions=2).select(breaks.cast("string").alias("name"))

    with pytest.raises(DatasetError, match="the disk is full"):
        versioned(two_versions, save=THIRD).save(half)

    assert versioned(two_versions).list_versions(full_path=False) == [SECOND, FIRST]
    assert names(versioned(two_versions).load()) == ["Ada", "Bob", "Cleo"]


def test_unsafe_table_formats_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    """To read its schema would unpickle the code."""
    schema = StructType([StructField("name", StringType()), StructField("inner", ArrayType(BringsItsCode()))])
    table = spark.createDataFrame([], schema)
    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        versioned(tmp_path, save=version).save(table.select("name") if version < "2026-01-02" else table)
    assert versioned(tmp_path, load="2026-01-01T00.00.00.000Z").load().columns == ["name"]
    with pytest.raises(DatasetError, match="a column has a user-defined type"):
        versioned(tmp_path).load()


@pytest.mark.parametrize("options", [{}, {"save_args": {"mode": "overwrite"}}], ids=["default", "mode overwrite"])
def test_a_version_is_not_overwritten(people: DataFrame, two_versions: Path, options: dict[str, Any]) -> None:
    """Whatever the catalog entry says of the writer's mode."""
    with pytest.raises(DatasetError, match=f"{two_versions}/people/{FIRST}/people.* must not exist"):
        versioned(two_versions, save=FIRST, **options).save(people)

    assert names(versioned(two_versions, load=FIRST).load()) == ["Ada"]


def test_a_missing_path_is_named(spark: SparkSession, tmp_path: Path) -> None:
    """For a version, the latest version, a plain path and a glob."""
    missing = {
        versioned(tmp_path, load=FIRST): f"'{FIRST}' at {tmp_path}/people",
        versioned(tmp_path): f"{tmp_path}/people",
        SparkDataFrameDataset(filepath=f"{tmp_path}/nowhere"): f"no file or folder at '{tmp_path}/nowhere'",
        SparkDataFrameDataset(filepath=f"{tmp_path}/*.gone"): f"no file or folder at '{tmp_path}/*.gone'",
    }
    for dataset, message in missing.items():
        assert not dataset.exists()
        with pytest.raises(DatasetError) as caught:
            dataset.load()
        assert message in str(caught.value)


def test_an_optional_table_may_be_missing_or_unreadable(
    people: DataFrame, two_versions: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It loads as None; what cannot be read is named."""
    optional: dict[str, Any] = {"metadata": {"optional": True}}
    assert versioned(two_versions, **optional).load().count() == people.count()
    assert versioned(two_versions / "nowhere", **optional).load() is None
    assert not caplog.records
    for part in two_versions.rglob("*.parquet"):
        part.write_bytes(b"PAR1, and nothing else PAR1")
        part.with_name(f".{part.name}.crc").unlink()
    assert versioned(two_versions, **optional).load() is None
    (record,) = caplog.records
    assert re.search("people is left out: it cannot be read", record.getMessage())
    with pytest.raises(DatasetError):
        versioned(two_versions).load()


def test_a_file_url_works_like_the_path(people: DataFrame, two_versions: Path) -> None:
    by_url = SparkDataFrameDataset(filepath=f"file://{two_versions}/people", version=Version(None, THIRD))
    assert by_url.list_versions(full_path=False) == [SECOND, FIRST]

    by_url.save(people.where(F.col("name") == "Cleo"))

    assert names(by_url.load()) == names(versioned(two_versions).load()) == ["Cleo"]
    assert versioned(two_versions).list_versions(full_path=False) == [THIRD, SECOND, FIRST]
    with pytest.raises(DatasetError, match="must not exist"):
        SparkDataFrameDataset(filepath=f"file://{two_versions}/people", version=Version(None, FIRST)).save(people)


def test_a_path_relative_to_the_working_folder_works(
    people: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = SparkDataFrameDataset(filepath="data/people", version=Version(None, FIRST))

    dataset.save(people)

    assert (tmp_path / "data" / "people" / FIRST / "people" / "_SUCCESS").exists()
    assert names(dataset.load()) == ["Ada", "Bob", "Cleo"]


def test_rows_written_is_the_number_of_rows_of_each_save(people: DataFrame, tmp_path: Path) -> None:
    dataset = versioned(tmp_path)
    assert dataset.rows_written is None

    counted = []
    for rows in (people, people.where(F.col("age") > 12), people.where(F.col("age") > 100), people.limit(0)):
        dataset.save(rows)
        counted.append(dataset.rows_written)

    assert counted == [3, 2, 0, 0]


def test_rows_written_counts_rows_behind_a_shuffle_and_in_partitioned_folders(
    spark: SparkSession, tmp_path: Path
) -> None:
    dataset = versioned(tmp_path, save_args={"partitionBy": ["age"]})

    dataset.save(spark.range(100).groupBy((F.col("id") % 7).alias("age")).agg(F.max("id").alias("most")))

    assert dataset.rows_written == dataset.load().count() == 7
    assert len(list(tmp_path.glob("people/*/people/age=*"))) == 7


@pytest.mark.parametrize("options", [{}, {"save_args": {"partitionBy": ["age"]}}], ids=["plain", "partitioned"])
def test_a_dataframe_without_rows_comes_back_with_its_columns(
    people: DataFrame, tmp_path: Path, options: dict[str, Any]
) -> None:
    """A log may have no rejected lines, or no valid events at all, and the next node still reads the table."""
    dataset = versioned(tmp_path, **options)

    dataset.save(people.limit(0))

    assert dataset.exists()
    assert dataset.load().schema.simpleString() == people.schema.simpleString()
    assert dataset.load().count() == 0


def test_a_pandas_dataframe_is_saved_as_a_spark_dataframe(spark: SparkSession, tmp_path: Path) -> None:
    dataset = versioned(tmp_path)

    dataset.save(pd.DataFrame({"name": ["Ada", "Bob"]}))

    assert dataset.rows_written == 2
    assert names(dataset.load()) == ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("a.json", ["a1", "a2"]),
        ("b.json.gz", ["b1"]),
        ("*.json*", ["a1", "a2", "b1"]),
        ("", ["a1", "a2", "b1", "c1"]),
    ],
    ids=["a file", "a compressed file", "a glob", "a folder"],
)
def test_text_is_read_from_a_file_a_glob_or_a_folder(
    spark: SparkSession, tmp_path: Path, place: str, expected: list[str]
) -> None:
    """One row per line; ``place`` is below a folder of three logs."""
    (tmp_path / "a.json").write_text("a1\na2\n")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"b1\n"))
    (tmp_path / "c.txt").write_text("c1\n")
    dataset = SparkDataFrameDataset(filepath=str(tmp_path / place), file_format="text")

    assert dataset.exists()
    assert sorted(row.value for row in dataset.load().collect()) == expected


def test_the_docstring_examples_run(spark: SparkSession) -> None:
    outcome = doctest.testmod(spark_dataframe)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_running_jvm_is_detected(spark: SparkSession) -> None:
    """What the test above looks for is there once Spark runs."""
    assert SparkContext._gateway is not None
    assert SparkContext._active_spark_context is not None


def test_a_preview_shows_the_first_rows_of_the_latest_version(two_versions: Path) -> None:
    shown = versioned(two_versions).preview(nrows=2)
    assert shown["columns"] == ["name", "age"]
    assert len(shown["data"]) == 2
    assert {tuple(row) for row in versioned(two_versions).preview()["data"]} == {("Ada", 36), ("Bob", 12), ("Cleo", 65)}


def test_a_preview_of_a_partitioned_table_can_be_written_as_json(spark: SparkSession, tmp_path: Path) -> None:
    """Days, missing values and the column that is only in the folders' names."""
    rows = spark.sql("select date'2018-10-01' as day, 'a' as kind, cast(null as double) as length")
    versioned(tmp_path, save_args={"partitionBy": ["kind"]}).save(rows)
    ((day, length, *_),) = versioned(tmp_path).preview()["data"]
    assert day.startswith("2018-10-01")
    assert length is None


def test_an_impossible_preview_gives_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Only parquet has a preview"):
        SparkDataFrameDataset(filepath=f"{tmp_path}/log.json", file_format="text").preview()
    with pytest.raises(DatasetError, match="There is no version yet"):
        versioned(tmp_path).preview()
