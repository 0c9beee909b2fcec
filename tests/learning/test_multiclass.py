"""Models of several classes, against probabilities that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.multiclass import ClassModel, train_classes
from sparkify_kedro.learning.parameters import AlgorithmSearch, Smote, Training

FEATURES = ["up", "down", "noise"]
TRAINING = Training(
    seed=7, feature_sets=["all", "noise"], latent_sets={}, parallel_fits=2, rows_per_partition=100_000,
    use_features=["*"], leave_out_features=[], smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
SEARCHES = {
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 30}, grid={"regParam": [0.0]}
    ),
    "gradient_boosted_trees": AlgorithmSearch(
        algorithm="gradient_boosted_trees", settings={"maxIter": 5}, grid={"maxDepth": [2]}
    ),
}
SETS = {"noise": ["noise"], "all": FEATURES}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Three classes: one feature raises the odds of class 1, another those of class 2, both rarer than class 0."""
    random = np.random.default_rng(3)
    up, down, noise = random.normal(size=(3, 3_000))
    odds = np.exp(np.stack([np.zeros(3_000), 1.5 * up - 2, 1.5 * down - 2.5]))
    truth = odds / odds.sum(axis=0)
    label = (random.random(3_000) > truth.cumsum(axis=0)).sum(axis=0)
    return pd.DataFrame(
        {
            "user_id": [str(place) for place in range(3_000)], "bin_end": 0, "up": up, "down": down, "noise": noise,
            "label": label, "fold": random.integers(0, 2, size=3_000),
            **{f"truth_{number}": truth[number] for number in range(3)},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(spark: SparkSession, table: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(table.astype({"label": "int32", "fold": "int32"})).cache()


@pytest.fixture(
    scope="module",
    params=["logistic_regression", pytest.param("gradient_boosted_trees", marks=pytest.mark.faults)],
)
def trained(request: pytest.FixtureRequest, rows: DataFrame) -> ClassModel:
    return train_classes(rows, SETS, SEARCHES[request.param], TRAINING, 0.001)


def probabilities(scored: DataFrame) -> pd.DataFrame:
    by_class = vector_to_array(F.col("probability"))
    columns = (by_class[number].alias(f"class_{number}") for number in range(3))
    return scored.select("user_id", *columns).toPandas().set_index("user_id").sort_index()


def test_every_row_is_scored_out_of_fold_close_to_the_truth(trained: ClassModel, table: pd.DataFrame) -> None:
    found = probabilities(trained.out_of_fold)
    known = table.set_index("user_id").sort_index()
    assert len(found) == len(known)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for number in range(3):
        truth, score = known[f"truth_{number}"], found[f"class_{number}"]
        assert np.corrcoef(truth, score)[0, 1] > 0.9
        assert score.mean() == pytest.approx((known["label"] == number).mean(), abs=0.01)


def test_probabilities_are_calibrated_by_tenths(trained: ClassModel, table: pd.DataFrame) -> None:
    found = probabilities(trained.out_of_fold)
    label = table.set_index("user_id").sort_index()["label"]
    for number in (1, 2):
        score = found[f"class_{number}"]
        tenths = pd.qcut(score, 10, labels=False)
        observed = (label == number).groupby(tenths).mean()
        assert (observed - score.groupby(tenths).mean()).abs().mean() < 0.03


def test_the_set_with_signal_is_chosen(trained: ClassModel) -> None:
    assert trained.best.settings["feature_set"] == "all"
    assert trained.features == FEATURES


def test_a_stored_model_scores_the_same(trained: ClassModel, rows: DataFrame, tmp_path: Path) -> None:
    dataset = SparkMLDataset(filepath=str(tmp_path / "model"))
    dataset.save(trained.model)
    some = rows.limit(20).select("user_id", *FEATURES)
    before, after = (probabilities(model.transform(some)) for model in (trained.model, dataset.load()))
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize("kept", ["label < 2", "label < 2 or fold = 0"])
def test_a_class_with_too_few_rows_is_named(rows: DataFrame, kept: str) -> None:
    with pytest.raises(SkipError, match=r"^a model of several classes needs rows of three classes.*0: \d+, 1: \d+"):
        train_classes(rows.where(kept), SETS, SEARCHES["logistic_regression"], TRAINING, 0.001)
