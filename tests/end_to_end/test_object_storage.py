"""Files in object storage, of a server on loopback: complete versions, locks and cleanup are as on a disk.

Spark reads S3 with a library that is on no package index, so its own tables lie on a disk here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
import pytest
from fsspec import AbstractFileSystem
from kedro.io.core import DatasetError, Version
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import SparkSession

import servers
from sparkify_kedro.framework.datasets import (
    AtomicCSVDataset,
    AtomicJSONDataset,
    AtomicPlotlyDataset,
    AtomicTextDataset,
    SparkDataFrameDataset,
    SparkMLDataset,
)
from sparkify_kedro.framework.files import content_of, data_files
from sparkify_kedro.framework.runs.fingerprint import content_fingerprint
from sparkify_kedro.serving.settings import Serving
from sparkify_kedro.serving.stored_forecasts import StoredForecasts
from sparkify_kedro.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS
from stored_run import USERS, StoredRun
from thin_log import thin_lines, write_lines

if TYPE_CHECKING:
    from conftest import Project

BUCKET = "sparkify"
FIRST, SECOND = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2))
LOG = "data/01_raw/log"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AbstractFileSystem]:
    """The file system of a server, to which the environment leads; it has an empty bucket."""
    s3fs = pytest.importorskip("s3fs")
    with (
        servers.s3_server(tmp_path_factory.mktemp("s3")) as environment,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        filesystem = s3fs.S3FileSystem()
        filesystem.mkdir(BUCKET)
        yield filesystem


@pytest.mark.parametrize(
    ("kind", "name", "one", "other", "wrong"),
    [
        (AtomicJSONDataset, "one.json", {"auc": 0.5}, {"auc": 0.7}, {"first": 1, "then": object()}),
        (AtomicCSVDataset, "one.csv", pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]}), 1),
        (AtomicTextDataset, "one.html", "<p>1", "<p>2", 1),
        (AtomicPlotlyDataset, "figure.json", go.Figure(), go.Figure(layout={"title": "2"}), 1),
    ],
)
def test_a_file_is_complete_or_does_not_exist(
    storage: AbstractFileSystem, kind: type, name: str, one: object, other: object, wrong: object
) -> None:
    path = f"s3://{BUCKET}/{kind.__name__}/{name}"
    for version, data in ((FIRST, one), (SECOND, other)):
        kind(filepath=path, version=Version(None, version)).save(data)
    known = kind(filepath=path, version=Version(None, None))
    assert sorted(known.list_versions(full_path=False)) == [FIRST, SECOND]
    for version, data in ((FIRST, one), (None, other)):
        loaded = kind(filepath=path, version=Version(version, None)).load()
        assert loaded.equals(data) if isinstance(data, pd.DataFrame) else loaded == data
    with pytest.raises(DatasetError, match="must not exist"):
        kind(filepath=path, version=Version(None, FIRST)).save(one)
    with pytest.raises(DatasetError):
        kind(filepath=path, version=Version(None, "2026-01-03T00.00.00.000Z")).save(wrong)
    storage.invalidate_cache()
    left = sorted(PurePosixPath(file).parts[-2:] for file in storage.find(f"{BUCKET}/{kind.__name__}"))
    assert left == [(FIRST, name), (SECOND, name)]


def test_an_optional_file_that_is_missing_is_none(storage: AbstractFileSystem) -> None:
    path = f"s3://{BUCKET}/missing.json"
    assert AtomicJSONDataset(filepath=path, metadata={"optional": True}).load() is None
    with pytest.raises(DatasetError):
        AtomicJSONDataset(filepath=path).load()


def test_a_table_is_found_when_it_is_complete(storage: AbstractFileSystem, spark: SparkSession, tmp_path: Path) -> None:
    """What the project itself does with Spark's files: it looks for the marker, and previews."""
    written = SparkDataFrameDataset(filepath=str(tmp_path / "table"), version=Version(None, FIRST))
    written.save(spark.createDataFrame([(1, "a"), (2, "b")], "number int, letter string").coalesce(1))
    storage.put(str(tmp_path / "table"), f"{BUCKET}/table", recursive=True)
    storage.put(str(tmp_path / "table" / FIRST), f"{BUCKET}/table/{SECOND}", recursive=True)
    storage.rm(f"{BUCKET}/table/{SECOND}/table/_SUCCESS")
    table = SparkDataFrameDataset(filepath=f"s3a://{BUCKET}/table", version=Version(None, None))
    assert table.exists()
    assert table.list_versions(full_path=False) == [FIRST]
    assert table.preview()["data"] == [[1, "a"], [2, "b"]]


def test_a_model_is_checked_before_spark_reads_it(
    storage: AbstractFileSystem, spark: SparkSession, tmp_path: Path
) -> None:
    rows = spark.createDataFrame([(0.0, 0.0), (1.0, 1.0)], "x double, label double")
    assembler = VectorAssembler(inputCols=["x"], outputCol="features")
    fitted = LogisticRegression(maxIter=1).fit(assembler.transform(rows))
    sql = SQLTransformer(statement="SELECT * FROM __THIS__")
    SparkMLDataset(filepath=str(tmp_path / "model")).save(PipelineModel([assembler, fitted, sql]))
    model = SparkMLDataset(filepath=f"s3a://{BUCKET}/model")
    assert not model.exists()
    with pytest.raises(DatasetError, match="no complete model"):
        model.load()
    storage.put(str(tmp_path / "model"), f"{BUCKET}/model", recursive=True)
    model.release()
    assert model.exists()
    with pytest.raises(DatasetError, match=r"its stage 'org\.apache\.spark\.ml\.feature\.SQLTransformer' could run"):
        model.load()


def test_a_log_is_looked_at_and_recognized(storage: AbstractFileSystem, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for number, lines in enumerate((thin_lines()[:50], thin_lines()[50:100])):
        write_lines(tmp_path / "log" / f"part-{number}.json.gz", lines)
    storage.put(str(tmp_path / "log"), f"{BUCKET}/log", recursive=True)
    files = data_files(storage, f"s3://{BUCKET}/log")
    assert files == [f"{BUCKET}/log/part-0.json.gz", f"{BUCKET}/log/part-1.json.gz"]
    assert content_of(storage, files[0])[:3] == ("JSON lines", "gzip", True)
    before = content_fingerprint(storage, f"{BUCKET}/log")
    assert content_fingerprint(storage, f"{BUCKET}/log") == before
    write_lines(tmp_path / "changed.json.gz", thin_lines()[100:150])
    storage.put(str(tmp_path / "changed.json.gz"), files[1])
    assert content_fingerprint(storage, f"{BUCKET}/log") != before


def move_files(project: Path, prefix: str) -> None:
    """Name a place in the bucket for all datasets of a single file; tables and models stay where they are."""
    for catalog in (project / "conf/base").glob("catalog_*.yml"):
        text = catalog.read_text()
        moved = re.sub(r"\$\{globals:storage\}(\S+\.(?:json|csv|html|md)\b)", rf"s3://{BUCKET}/{prefix}\1", text)
        catalog.write_text(moved)


def test_cleanup_leaves_what_other_machines_may_write(
    storage: AbstractFileSystem, tmp_path: Path, new_project: Callable[[Path], Project]
) -> None:
    """Locks are of one machine: neither drafts nor versions in the bucket are removed from it."""
    project = new_project(tmp_path / "project")
    move_files(project.folder, "cleaned")
    draft = f"{BUCKET}/cleaned/08_reporting/backtest.json/{FIRST}/.writing.{'0' * 32}.backtest.json"
    storage.pipe(draft, b"{")
    local = project.folder / f"data/04_feature/user_time_bins/{FIRST}/user_time_bins"
    local.mkdir(parents=True)
    output = project.kedro("runs", "clean")
    assert "incomplete version" in output
    assert not local.exists()
    storage.invalidate_cache()
    assert storage.exists(draft)


@pytest.mark.faults
def test_a_whole_run_with_its_files_in_a_bucket_finds_the_same(
    storage: AbstractFileSystem, small_project: Project
) -> None:
    """Every report, figure and page; a later run reads them there, and retention removes versions on the disk alone."""
    expected, scored = small_project.scores(), small_project.table("07_model_output", "churn_scores")
    move_files(small_project.folder, "project")
    small_project.kedro("run", f"--params=raw_events={LOG}")
    copy = small_project._replace(folder=small_project.folder / "copy")
    storage.invalidate_cache()
    storage.get(f"{BUCKET}/project", str(copy.folder / "data"), recursive=True)
    assert copy.scores() == expected
    newest = copy.versions("08_reporting", "run_summary.json")[-1]
    assert f"{newest}  succeeded" in small_project.kedro("runs", "list")
    small_project.kedro("run", "--pipelines=scoring", "--params=runs.keep_versions=1")
    pd.testing.assert_frame_equal(small_project.table("07_model_output", "churn_scores"), scored)
    assert len(small_project.versions("07_model_output", "churn_scores")) == 1
    storage.invalidate_cache()
    assert len(storage.ls(f"{BUCKET}/project/07_model_output/users_at_risk.csv")) == 2
    # Locks were held where the runs were.
    assert (small_project.folder / "data/.running").is_dir()
    assert not storage.exists(f"{BUCKET}/project/.running")


@pytest.mark.parametrize("protocol", ["s3a", pytest.param("s3", marks=pytest.mark.faults)])
def test_stored_scores_are_served_from_there(storage: AbstractFileSystem, project: Path, protocol: str) -> None:
    """Also those of a run that lands later."""
    folder = project / "conf" / "local"
    folder.mkdir(exist_ok=True)
    (folder / "globals.yml").write_text(f"storage: {protocol}://{BUCKET}/served_{protocol}\n")
    configuration = CONFIG_LOADER_CLASS(str(project / "conf"), **CONFIG_LOADER_ARGS)
    stored = StoredForecasts(Serving.configured(configuration, project))
    assert stored.newest() is None
    for version in (FIRST, SECOND):
        StoredRun(project, version).write()
        storage.put(f"{project}/data/", f"{BUCKET}/served_{protocol}/", recursive=True)
        assert stored.newest() == version
        forecast = stored.load(version)
        assert forecast.scores["user_id"] == [user for user, _, _ in USERS]
        assert forecast.metadata.model == f"model of {version}"
