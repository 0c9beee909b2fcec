"""Datasets are constructed, looked up and previewed without a JVM; only to load and to save needs Java."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

SOURCE = Path(__file__).parents[3] / "src"
LOOK_UP = """
from kedro.io.core import DatasetError, Version
from pyspark import SparkContext
from sparkify_kedro.framework.datasets import JSONLinesDataset, SparkDataFrameDataset, SparkMLDataset

newest = Version(None, None)
text = SparkDataFrameDataset(filepath="people.txt", file_format="text")
table = SparkDataFrameDataset(filepath="people", version=newest)
model = SparkMLDataset(filepath="model", version=newest)
log = JSONLinesDataset(filepath="log.json")
assert all(dataset.exists() for dataset in (text, table, model, log))
assert table.list_versions(full_path=False) == ["v1"]
assert model.list_versions(full_path=False) == ["v1"]
assert not any(kind(filepath="nowhere").exists() for kind in (SparkDataFrameDataset, SparkMLDataset, JSONLinesDataset))
assert table.preview()["data"] == [["Ada"], ["Grace"]]
assert SparkContext._gateway is None and SparkContext._active_spark_context is None
for dataset in (text, model, log):
    try:
        dataset.load()
    except DatasetError as error:
        print(error)
"""


def test_looking_up_starts_no_jvm_and_loading_asks_for_java(tmp_path: Path) -> None:
    """In a process of its own, without Java."""
    for name in ("people", "model"):
        folder = tmp_path / name / "v1" / name
        folder.mkdir(parents=True)
        (folder / "_SUCCESS").touch()
    pd.DataFrame({"name": ["Ada", "Grace"]}).to_parquet(tmp_path / "people/v1/people/part-00000.parquet")
    (tmp_path / "people.txt").write_text("Ada\n")
    (tmp_path / "log.json").write_text("{}\n")
    no_java = tmp_path / "no_java"
    no_java.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", LOOK_UP],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCE), "JAVA_HOME": str(no_java)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Spark needs Java") == 3
