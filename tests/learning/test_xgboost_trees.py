"""XGBoost as the search takes it: directions, settings and stored models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io.core import DatasetError
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.learning.calibration import expose_margin
from sparkify_kedro.learning.parameters import AlgorithmSearch, Smote, Training
from sparkify_kedro.learning.search import fit

pytest.importorskip("xgboost")
FEATURES = ["bell", "noise"]
SEARCH = AlgorithmSearch(algorithm="xgboost", settings={"n_estimators": 20}, grid={"max_depth": [3]})
TRAINING = Training(
    seed=7, feature_sets=["all"], latent_sets={}, parallel_fits=2, rows_per_partition=100_000, use_features=["*"],
    leave_out_features=[], smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
POINT = {"feature_set": "all", "max_depth": 3}
TRUSTED = ["xgboost.spark.estimator.SparkXGBClassifierModel"]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """The risk rises with the first feature up to 0, and falls beyond."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"bell": random.uniform(-2, 2, 1_000), "noise": random.normal(size=1_000)})
    log_odds = 2 - 3 * np.abs(frame["bell"])
    frame["label"] = (random.random(1_000) < 1 / (1 + np.exp(-log_odds))).astype(float)
    assembler = VectorAssembler(inputCols=FEATURES, outputCol="features")
    return assembler.transform(spark.createDataFrame(frame).coalesce(1)).localCheckpoint()


def margins(rows: DataFrame, directions: dict[str, int] | None, places: list[float]) -> np.ndarray:
    """The margin along the first feature."""
    fitted = fit(rows, POINT, SEARCH, TRAINING, directions=directions)
    line = rows.sparkSession.createDataFrame([(place, 0.0) for place in places], FEATURES).coalesce(1)
    assembled = VectorAssembler(inputCols=FEATURES, outputCol="features").transform(line)
    scored = PipelineModel(expose_margin(fitted.classifier)).transform(assembled).orderBy("bell")
    return np.array([row.margin[0] for row in scored.select("margin").collect()])


@pytest.mark.parametrize(("directions", "sign"), [({"bell": 1}, 1), ({"bell": -1, "other": 1}, -1)])
def test_a_score_moves_in_the_stated_direction_alone(rows: DataFrame, directions: dict[str, int], sign: int) -> None:
    steps = np.diff(margins(rows, directions, np.linspace(-2, 2, 21).tolist()))
    assert (steps * sign >= 0).all()
    assert np.abs(steps).sum() > 0.5


def test_without_a_direction_it_moves_both_ways(rows: DataFrame) -> None:
    low, middle, high = margins(rows, None, [-1.9, 0.0, 1.9])
    assert middle - low > 2
    assert middle - high > 2


def test_settings_and_seed_reach_the_trees(rows: DataFrame) -> None:
    search = SEARCH.model_copy(update={"settings": {"n_estimators": 7, "subsample": 0.5, "learning_rate": 0.2}})
    boosters = [
        fit(rows, POINT, search, TRAINING.model_copy(update={"seed": seed})).classifier.get_booster()
        for seed in (1, 1, 2)
    ]
    one, same, other = (booster.get_dump() for booster in boosters)
    assert one == same != other
    assert len(one) == 7
    assert max(line.count("\t") for tree in one for line in tree.splitlines()) == 3
    config = json.loads(boosters[0].save_config())["learner"]["gradient_booster"]["tree_train_param"]
    assert float(config["eta"]) == pytest.approx(0.2)
    assert float(config["subsample"]) == pytest.approx(0.5)


def test_a_stored_model_is_loaded_where_it_is_trusted_and_holds_no_functions(rows: DataFrame, tmp_path: Path) -> None:
    fitted = fit(rows, POINT, SEARCH, TRAINING)
    assembler = VectorAssembler(inputCols=FEATURES, outputCol="vector")
    model = PipelineModel([assembler, *expose_margin(fitted.on("vector")[-1])])
    path = str(tmp_path / "model")
    trusting = SparkMLDataset(filepath=path, trusted_stages=TRUSTED)
    trusting.save(model)
    one, other = (
        [row.margin[0] for row in each.transform(rows.drop("features")).orderBy("bell").select("margin").collect()]
        for each in (model, trusting.load())
    )
    assert one == other
    with pytest.raises(DatasetError, match=r"its stage 'xgboost\.spark.*could run arbitrary code"):
        SparkMLDataset(filepath=path).load()
    # XGBoost would load it by pickle.
    (file,) = (tmp_path / "model/stages").glob("1_*/metadata/part-*")
    (file.parent / f".{file.name}.crc").unlink()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"serialized_callbacks": "gASVAAAAAAAAAA=="}))
    with pytest.raises(DatasetError, match="could run arbitrary code"):
        SparkMLDataset(filepath=path, trusted_stages=TRUSTED).load()


def test_rows_are_weighted(rows: DataFrame) -> None:
    """Rows of weight 0 do not count: those of the right half, with labels turned around."""
    turned = rows.withColumn("label", F.when(F.col("bell") > 0, 1 - F.col("label")).otherwise(F.col("label")))
    weighted = turned.withColumn("weight", (F.col("bell") <= 0).cast("double"))
    from sparkify_kedro.learning.xgboost_trees import xgboost_classifier

    model = xgboost_classifier(weightCol="weight", n_estimators=5).fit(weighted)
    alone = xgboost_classifier(n_estimators=5).fit(rows.where("bell <= 0"))
    one, other = (
        [row.margin[0] for row in PipelineModel(expose_margin(each)).transform(rows.where("bell < -0.5")).collect()]
        for each in (model, alone)
    )
    assert np.corrcoef(one, other)[0, 1] > 0.95
