"""Latent features, against scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.learning.latent import contributions, explain, fit_components
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, LatentSet, Segments, Smote, Training
from sparkify_kedro.learning.search import CalibratedModel, train_calibrated

FEATURES = ["songs", "adverts", "noise", "constant"]
TRAINING = Training(
    seed=7, feature_sets=["latent"], latent_sets={"latent": LatentSet(of="all", components=2)}, parallel_fits=2,
    rows_per_partition=100_000, use_features=["*"], leave_out_features=[], smote=Smote(most_rows=10_000, neighbors=5),
)  # fmt: skip
EVALUATION = Evaluation(
    seed=7, max_rows=100_000, replicates=20, cost_ratio=5, top_shares=[0.1], few_positives=0,
    segments=Segments(tenure_days=[30], history_days=[14]),
)  # fmt: skip
SEARCHES = {
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.001, 0.1]}
    ),
    "gradient_boosted_trees": AlgorithmSearch(
        algorithm="gradient_boosted_trees", settings={"maxIter": 4}, grid={"maxDepth": [2]}
    ),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The first two features move together, on different scales; their common part decides."""
    random = np.random.default_rng(1)
    common = random.normal(size=2_000)
    return pd.DataFrame(
        {
            "user_id": [str(place) for place in range(2_000)], "bin_end": 0,
            "songs": 100 * (common + 0.3 * random.normal(size=2_000)),
            "adverts": common + 0.3 * random.normal(size=2_000),
            "noise": random.normal(size=2_000), "constant": 3.0,
            "label": (random.random(2_000) < 1 / (1 + np.exp(1.5 - 2 * common))).astype(int),
            "fold": random.integers(0, 2, size=2_000),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(spark: SparkSession, table: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(table).coalesce(1).cache()


@pytest.fixture(
    scope="module", params=[pytest.param("logistic_regression", marks=pytest.mark.faults), "gradient_boosted_trees"]
)
def trained(request: pytest.FixtureRequest, rows: DataFrame) -> CalibratedModel:
    return train_calibrated(rows, rows, {"latent": FEATURES}, SEARCHES[request.param], TRAINING, EVALUATION)


def algorithm_of(trained: CalibratedModel) -> str:
    return "logistic_regression" if hasattr(trained.fitted.classifier, "coefficients") else "gradient_boosted_trees"


def margins(model: Any, rows: DataFrame) -> np.ndarray:
    found = model.transform(rows).select(vector_to_array(F.col("margin"))[0].alias("margin"))
    return found.toPandas()["margin"].to_numpy()


def test_components_are_those_of_scikit_learn(trained: CalibratedModel, table: pd.DataFrame) -> None:
    scaled = StandardScaler().fit_transform(table[FEATURES])
    reference = PCA(2).fit(scaled)
    latent = trained.fitted.map
    assert latent is not None
    assert latent.explained_variance == pytest.approx(reference.explained_variance_ratio_, abs=1e-6)
    # A component's sign has no meaning.
    assert np.abs(latent.loadings.T) == pytest.approx(np.abs(reference.components_), abs=1e-6)
    first, second = latent.components(FEATURES)
    assert set(first.loadings) == set(FEATURES)
    assert abs(first.loadings["songs"]) == pytest.approx(abs(first.loadings["adverts"]), abs=0.01)
    assert abs(second.loadings["noise"]) > 0.9
    assert first.loadings["constant"] == 0


def test_rows_out_of_fold_are_ranked_by_models_that_have_not_seen_them(
    trained: CalibratedModel, rows: DataFrame, table: pd.DataFrame
) -> None:
    assert len(trained.out_of_fold) == len(table)
    ranked = trained.out_of_fold.merge(table, on=["user_id", "bin_end"])
    assert ranked["score"].corr(ranked["songs"], method="spearman") > 0.8
    found = trained.model.transform(rows).select(vector_to_array("probability")[1].alias("score")).toPandas()["score"]
    assert found.mean() == pytest.approx(table["label"].mean(), abs=0.02)
    assert not np.allclose(found, trained.out_of_fold["score"])


def test_weights_are_those_of_the_features(trained: CalibratedModel, rows: DataFrame, table: pd.DataFrame) -> None:
    found = explain(trained.fitted, algorithm_of(trained), FEATURES)
    if found.coefficients is not None and found.intercept is not None:
        expected = table[FEATURES].to_numpy() @ np.array(list(found.coefficients.values())) + found.intercept
        assert margins(trained.model, rows) == pytest.approx(expected)
    else:
        assert found.importances is not None
        assert sum(found.importances.values()) == pytest.approx(1)
        assert found.importances["constant"] == 0
        assert min(found.importances["songs"], found.importances["adverts"]) > 2 * found.importances["noise"]


def test_contributions_add_up_to_the_margin_of_a_stored_model(
    trained: CalibratedModel, rows: DataFrame, table: pd.DataFrame, tmp_path: Path
) -> None:
    stored = SparkMLDataset(filepath=str(tmp_path / "model"))
    stored.save(trained.model)
    model = stored.load()
    assert isinstance(model, PipelineModel)
    few, means = rows.limit(50), table[FEATURES].mean().to_numpy()
    values = few.select(*FEATURES).toPandas().to_numpy()
    added = contributions(model, algorithm_of(trained), values, means)
    assert added.shape == (50, 4)
    assert np.all(added[:, 3] == 0)
    beyond = margins(model, few) - added.sum(axis=1)
    # Beyond their contributions all rows have the same margin; that of boosted trees is another multiple of them.
    if algorithm_of(trained) == "logistic_regression":
        assert np.ptp(beyond) == pytest.approx(0, abs=1e-9)
    else:
        assert np.corrcoef(margins(model, few), added.sum(axis=1))[0, 1] == pytest.approx(1)


def test_the_search_chooses_between_a_set_and_its_components(rows: DataFrame) -> None:
    sets = {"plain": ["noise"], "latent": FEATURES}
    found = train_calibrated(rows, rows, sets, SEARCHES["logistic_regression"], TRAINING, EVALUATION)
    assert found.search.best.settings["feature_set"] == "latent"
    assert [point.settings["feature_set"] for point in found.search.points] == ["plain", "latent", "latent"]
    assert found.search.points[0].score < found.search.points[1].score


def test_fewer_features_than_components_are_as_many(rows: DataFrame) -> None:
    assembled = VectorAssembler(inputCols=FEATURES, outputCol="features").transform(rows)
    *_, components = fit_components(assembled, "features", 50)
    assert components.pc.toArray().shape == (4, 4)
