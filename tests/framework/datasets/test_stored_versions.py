"""All complete versions of a dataset, each loaded when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io.core import DatasetError, Version
from pyspark.sql import SparkSession

from sparkify_kedro.framework.datasets import AtomicJSONDataset, SparkDataFrameDataset, StoredVersionsDataset

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def entry(kind: str, path: Path) -> dict[str, Any]:
    return {"type": f"sparkify_kedro.framework.datasets.{kind}", "filepath": str(path)}


def test_there_may_be_none(tmp_path: Path) -> None:
    assert StoredVersionsDataset(dataset=entry("AtomicJSONDataset", tmp_path / "counts.json")).load() == {}


def test_versions_come_newest_first_and_are_read_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    for version in (SECOND, FIRST, THIRD):
        AtomicJSONDataset(filepath=str(path), version=Version(None, version)).save({"version": version})
    stored = StoredVersionsDataset(dataset=entry("AtomicJSONDataset", path)).load()
    assert list(stored) == [THIRD, SECOND, FIRST]
    (path / SECOND / "counts.json").write_text("no JSON")
    assert stored[FIRST]() == {"version": FIRST}
    with pytest.raises(DatasetError):
        stored[SECOND]()


def test_an_incomplete_table_is_no_version(tmp_path: Path, spark: SparkSession) -> None:
    path = tmp_path / "people"
    for version in (FIRST, SECOND):
        people = spark.createDataFrame([(version,)], "version string")
        SparkDataFrameDataset(filepath=str(path), version=Version(None, version)).save(people)
    (path / SECOND / "people" / "_SUCCESS").unlink()
    stored = StoredVersionsDataset(dataset=entry("SparkDataFrameDataset", path)).load()
    assert list(stored) == [FIRST]
    assert stored[FIRST]().first().version == FIRST


def test_it_is_only_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="only read"):
        StoredVersionsDataset(dataset=entry("AtomicJSONDataset", tmp_path / "counts.json")).save({})


def test_a_dataset_without_versions_is_refused(tmp_path: Path) -> None:
    memory = {"type": "MemoryDataset"}
    with pytest.raises(DatasetError):
        StoredVersionsDataset(dataset=memory).load()
