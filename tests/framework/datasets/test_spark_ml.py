"""A fitted Spark ML pipeline is loaded unchanged, and a model exists when it is complete."""

from __future__ import annotations

import doctest
import json
import re
import shutil
from pathlib import Path

import pytest
from kedro.io.core import DatasetError, Version
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import DecisionTreeClassifier, LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, Row, SparkSession

from sparkify_kedro.framework.datasets import SparkMLDataset, spark_ml

SOURCE = Path(__file__).parents[3] / "src"
FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def versioned(folder: Path, load: str | None = None, save: str | None = None) -> SparkMLDataset:
    """A new dataset without memory of what was looked up before."""
    return SparkMLDataset(filepath=f"{folder}/model", version=Version(load, save))


def scores(model: PipelineModel, rows: DataFrame) -> list[Row]:
    return model.transform(rows).select("x", "y", "probability", "prediction").orderBy("x", "y").collect()


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    points = [(float(i % 7), float(i % 5), float(i % 7 + i % 5 > 5)) for i in range(35)]
    return spark.createDataFrame(points, "x double, y double, label double").coalesce(1).cache()


@pytest.fixture(scope="module")
def model(rows: DataFrame) -> PipelineModel:
    return Pipeline(
        stages=[VectorAssembler(inputCols=["x", "y"], outputCol="features"), LogisticRegression(maxIter=3)]
    ).fit(rows)


@pytest.fixture(scope="module")
def other_model(rows: DataFrame) -> PipelineModel:
    tree = DecisionTreeClassifier(maxDepth=2, seed=1)
    return Pipeline(stages=[VectorAssembler(inputCols=["x", "y"], outputCol="features"), tree]).fit(rows)


@pytest.fixture(scope="module")
def saved(model: PipelineModel, other_model: PipelineModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the dataset's versions FIRST (``model``) and SECOND (``other_model``), not to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    versioned(folder, save=FIRST).save(model)
    versioned(folder, save=SECOND).save(other_model)
    return folder


@pytest.fixture
def two_versions(saved: Path, tmp_path: Path) -> Path:
    """The same versions, for one test to change."""
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return tmp_path


def cut_off(folder: Path, version: str) -> None:
    """A copy of the complete version SECOND, as it lies there before the last file is written."""
    shutil.copytree(folder / "model" / SECOND, folder / "model" / version)
    (folder / "model" / version / "model" / "_SUCCESS").unlink()


def test_a_loaded_model_predicts_the_same(
    model: PipelineModel, other_model: PipelineModel, rows: DataFrame, tmp_path: Path
) -> None:
    """The latest is the second; the first can be asked for."""
    assert not versioned(tmp_path).exists()

    versioned(tmp_path, save=FIRST).save(model)
    assert versioned(tmp_path).exists()
    assert scores(versioned(tmp_path).load(), rows) == scores(model, rows)

    versioned(tmp_path, save=SECOND).save(other_model)
    assert scores(model, rows) != scores(other_model, rows)
    assert scores(versioned(tmp_path).load(), rows) == scores(other_model, rows)
    assert scores(versioned(tmp_path, load=FIRST).load(), rows) == scores(model, rows)
    assert versioned(tmp_path).list_versions(full_path=False) == [SECOND, FIRST]


def test_an_incomplete_model_does_not_exist(two_versions: Path, other_model: PipelineModel) -> None:
    """Neither for latest, nor for exists(), nor in the list, nor when it is asked for by name."""
    cut_off(two_versions, THIRD)
    # Each part of the model has a marker of its own, so it is the model's that counts.
    assert list((two_versions / "model" / THIRD).rglob("_SUCCESS"))

    assert versioned(two_versions).resolve_load_version() == SECOND
    assert versioned(two_versions).load().uid == other_model.uid
    assert versioned(two_versions).list_versions(full_path=False) == [SECOND, FIRST]
    assert versioned(two_versions, load=SECOND).exists()
    assert not versioned(two_versions, load=THIRD).exists()
    with pytest.raises(DatasetError, match=f"no complete model at {two_versions}/model/{THIRD}/model"):
        versioned(two_versions, load=THIRD).load()


def test_a_model_is_cached_until_release(two_versions: Path, model: PipelineModel, rows: DataFrame) -> None:
    dataset = versioned(two_versions)
    first = dataset.load()
    assert dataset.load() is first

    versioned(two_versions, save=THIRD).save(model)
    dataset.release()

    assert scores(dataset.load(), rows) == scores(model, rows)
    shutil.rmtree(two_versions / "model" / THIRD)
    with pytest.raises(DatasetError, match="no complete model"):
        dataset.load()


def test_the_dataset_that_saved_a_model_returns_it_until_release(tmp_path: Path, model: PipelineModel) -> None:
    """As the nodes of one run load what another one has saved."""
    dataset = versioned(tmp_path, load=FIRST, save=FIRST)
    dataset.save(model)
    assert dataset.load() is model
    dataset.release()
    assert dataset.load() is not model
    assert dataset.load().uid == model.uid


def test_a_version_is_not_overwritten(two_versions: Path, model: PipelineModel, other_model: PipelineModel) -> None:
    with pytest.raises(DatasetError, match=f"{two_versions}/model/{FIRST}/model.* must not exist"):
        versioned(two_versions, save=FIRST).save(other_model)

    assert versioned(two_versions, load=FIRST).load().uid == model.uid


def test_a_model_without_versions_is_not_overwritten(
    model: PipelineModel, other_model: PipelineModel, tmp_path: Path
) -> None:
    dataset = SparkMLDataset(filepath=f"{tmp_path}/model")
    assert not dataset.exists()

    dataset.save(model)

    assert dataset.exists()
    with pytest.raises(DatasetError, match=f"There is a model at {tmp_path}/model already"):
        dataset.save(other_model)
    assert dataset.load().uid == model.uid


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    missing = {
        versioned(tmp_path, load=FIRST): f"no complete model at {tmp_path}/model/{FIRST}/model",
        versioned(tmp_path): f"{tmp_path}/model",
        SparkMLDataset(filepath=f"{tmp_path}/nowhere"): f"no complete model at {tmp_path}/nowhere",
    }
    for dataset, message in missing.items():
        assert not dataset.exists()
        with pytest.raises(DatasetError) as caught:
            dataset.load()
        assert message in str(caught.value)


def test_a_file_url_works_like_the_path(two_versions: Path, model: PipelineModel) -> None:
    by_url = SparkMLDataset(filepath=f"file://{two_versions}/model", version=Version(None, THIRD))
    assert by_url.list_versions(full_path=False) == [SECOND, FIRST]

    by_url.save(model)

    assert by_url.load().uid == versioned(two_versions).load().uid == model.uid
    assert versioned(two_versions).list_versions(full_path=False) == [THIRD, SECOND, FIRST]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('{"class":"os.path"}', "its stage 'os.path'"),
        ('{"class":"pyspark.ml.util.DefaultParamsReader"}', "its stage 'pyspark.ml.util.DefaultParamsReader'"),
        ('{"class":"org.apache.spark.ml.feature.SQLTransformer"}', "its stage 'org.apache.spark.ml.feature.SQL"),
        ('{"class":"org.apache.spark.ml.feature.VectorAssembler"}\n{"class":"os.path"}', "its stage 'os.path'"),
        ("{}", "does not name a class"),
        ("[]", "does not name a class"),
        ("no JSON", "does not name a class"),
    ],
)
def test_a_model_with_foreign_classes_is_refused(
    two_versions: Path, model: PipelineModel, written: str, message: str
) -> None:
    """Whichever of its stages does; a file that Spark does not read may say what it likes."""
    folder = two_versions / "model" / FIRST / "model"
    (file,) = (folder / "stages").glob("0_*/metadata/part-*")
    (file.parent / f".{file.name}.crc").unlink()
    untouched = file.read_text()
    file.with_name("_note").write_text(written)
    assert versioned(two_versions, load=FIRST).load().stages[0].getInputCols() == ["x", "y"]
    file.write_text(written)
    with pytest.raises(DatasetError, match=re.escape(message)):
        versioned(two_versions, load=FIRST).load()
    file.write_text(untouched)
    versioned(two_versions, load=FIRST).load()


def test_nothing_is_pickled(saved: Path) -> None:
    """A model is parquet, and JSON that describes it."""
    data = [path for path in saved.rglob("*") if path.is_file() and not path.name.startswith(("_SUCCESS", "."))]
    texts = {path.parent.name for path in data if path.suffix != ".parquet"}
    assert any(path.suffix == ".parquet" for path in data)
    assert texts == {"metadata"}
    for path in data:
        if path.parent.name == "metadata":
            assert json.loads(path.read_text())["sparkVersion"]


def test_the_docstring_examples_run(spark: SparkSession) -> None:
    outcome = doctest.testmod(spark_ml)
    assert outcome.attempted > 0
    assert outcome.failed == 0
