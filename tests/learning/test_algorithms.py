"""Contributions and feature effects of fitted models, against the models' own outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import Model, PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from shap import TreeExplainer

from optional_algorithms import EVERY_ALGORITHM
from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.learning.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS, check_installed
from sparkify_kedro.learning.calibration import expose_margin
from sparkify_kedro.learning.parameters import AlgorithmSearch
from sparkify_kedro.learning.saved_trees import saved_trees
from sparkify_kedro.learning.search import estimator

FEATURES = ["songs", "adverts", "noise"]
SETTINGS = {
    "logistic_regression": {"maxIter": 20},
    "random_forest": {"numTrees": 5, "maxDepth": 3, "seed": 1},
    "gradient_boosted_trees": {"maxIter": 5, "maxDepth": 2, "seed": 1},
    "neural_network": {"hiddenUnits": 4, "maxEpochs": 30, "learningRate": 0.01, "seed": 1},
}
# What they add up to is the margin minus the margin of a row with the means.
FROM_MEANS = {"logistic_regression", "neural_network"}


def assembler() -> VectorAssembler:
    return VectorAssembler(inputCols=FEATURES, outputCol="features")


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    """Adverts raise the risk, songs lower it, and both together do a little more."""
    draw = np.random.default_rng(2)
    rows = pd.DataFrame(
        {"songs": draw.poisson(30, 300), "adverts": draw.poisson(4, 300), "noise": draw.normal(size=300)}
    ).astype(float)
    log_odds = (rows["adverts"] - 4) - (rows["songs"] - 30) / 5 + 0.1 * (rows["adverts"] - 4) * (rows["songs"] > 30)
    return rows.assign(label=(draw.random(300) < 1 / (1 + np.exp(-log_odds))).astype(float))


@pytest.fixture(scope="module")
def table(spark: SparkSession, values: pd.DataFrame) -> DataFrame:
    return assembler().transform(spark.createDataFrame(values).coalesce(1)).cache()


@pytest.fixture(scope="module", params=EVERY_ALGORITHM)
def fitted(request: pytest.FixtureRequest, table: DataFrame) -> tuple[str, Model]:
    return request.param, ALGORITHMS[request.param].estimator(**SETTINGS[request.param]).fit(table)


def outputs(algorithm: str, model: Model, table: DataFrame) -> np.ndarray:
    """The raw score of label 1; a forest's is the sum of its trees' shares, its contributions are to their mean."""
    rows = PipelineModel(expose_margin(model)).transform(table).select("margin").collect()
    raw = np.array([row.margin[0] for row in rows])
    return raw / model.getNumTrees if algorithm == "random_forest" else raw


def test_contributions_add_up_to_the_models_output(
    fitted: tuple[str, Model], table: DataFrame, values: pd.DataFrame
) -> None:
    """Up to one constant, the output of an average row: so their signs say which way a row's score goes."""
    algorithm, model = fitted
    rows = values[FEATURES].to_numpy()
    contributions = ALGORITHMS[algorithm].contributions(model, rows, rows.mean(axis=0))
    assert contributions.shape == rows.shape
    constant = outputs(algorithm, model, table) - contributions.sum(axis=1)
    # Networks calculate with single precision, and their integral is numerical.
    assert np.ptp(constant) == pytest.approx(0, abs=0.02 if algorithm == "neural_network" else 1e-6)
    if algorithm in FROM_MEANS:
        means = table.sparkSession.createDataFrame([rows.mean(axis=0).tolist()], FEATURES)
        assert constant[0] == pytest.approx(outputs(algorithm, model, assembler().transform(means))[0], abs=0.01)
    else:
        # A boosted tree's own leaves are weighted by gradients, so its mean is near that of the rows, not equal.
        assert constant[0] == pytest.approx(outputs(algorithm, model, table).mean(), abs=0.05)


def test_signs_agree_with_the_wording(fitted: tuple[str, Model], values: pd.DataFrame) -> None:
    """Many adverts raise the risk and few lower it; songs the other way round; noise matters least."""
    algorithm, model = fitted
    rows = values[FEATURES].to_numpy()
    found = ALGORITHMS[algorithm].contributions(model, rows, rows.mean(axis=0))
    assert (found[rows[:, 1] >= 8, 1] > 0).all()
    assert (found[rows[:, 1] <= 1, 1] < 0).all()
    assert (found[rows[:, 0] >= 40, 0] < 0).all()
    assert (found[rows[:, 0] <= 20, 0] > 0).all()
    assert np.abs(found).mean(axis=0).argmin() == 2


def test_a_single_row_is_explained(fitted: tuple[str, Model], values: pd.DataFrame) -> None:
    algorithm, model = fitted
    rows = values[FEATURES].to_numpy()
    whole = ALGORITHMS[algorithm].contributions(model, rows, rows.mean(axis=0))
    single = ALGORITHMS[algorithm].contributions(model, rows[7:8], rows.mean(axis=0))
    assert single == pytest.approx(whole[7:8])


def test_a_reloaded_model_gives_the_same_reasons(
    fitted: tuple[str, Model], values: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Scoring explains a champion that was saved in an earlier run."""
    algorithm, model = fitted
    rows = values[FEATURES].to_numpy()
    folder = str(tmp_path_factory.mktemp("models") / algorithm)
    PipelineModel([assembler(), *expose_margin(model)]).write().save(folder)
    reloaded = PipelineModel.load(folder).stages[1]
    ours, theirs = (
        ALGORITHMS[algorithm].contributions(found, rows[:20], rows.mean(axis=0)) for found in (reloaded, model)
    )
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("fitted", ["random_forest", "gradient_boosted_trees"], indirect=True)
def test_trees_of_saved_files_explain_like_those_of_java(
    fitted: tuple[str, Model], values: pd.DataFrame, tmp_path: Path
) -> None:
    """A client of Spark Connect has the files alone."""
    algorithm, model = fitted
    rows = values[FEATURES].to_numpy()[:20]
    dataset = SparkMLDataset(filepath=str(tmp_path / "model"))
    with pytest.raises(ValueError, match="this one is not saved"):
        saved_trees(model.copy())
    # Before it is saved, there is only the Java object.
    expected = ALGORITHMS[algorithm].contributions(model.copy(), rows, rows.mean(axis=0))
    dataset.save(PipelineModel([assembler(), model]))
    for known in (model, dataset.load().stages[1]):
        explainer = TreeExplainer(saved_trees(known), feature_perturbation="tree_path_dependent")
        found = explainer.shap_values(rows, check_additivity=False)
        assert (found[..., 1] if found.ndim == 3 else found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", EVERY_ALGORITHM)
def test_a_model_without_splits_has_no_contributions(spark: SparkSession, name: str) -> None:
    """Constant features leave nothing to learn from; the reasons are then none."""
    table = assembler().transform(
        spark.createDataFrame([(1.0, 2.0, 3.0, float(place % 2)) for place in range(10)], [*FEATURES, "label"])
    )
    rows = np.array([[1.0, 2.0, 3.0]])
    model = ALGORITHMS[name].estimator(**SETTINGS[name]).fit(table)
    assert ALGORITHMS[name].contributions(model, rows, rows[0]) == pytest.approx(np.zeros((1, 3)), abs=1e-6)


def test_feature_effects_are_named(fitted: tuple[str, Model]) -> None:
    algorithm, model = fitted
    weights = ALGORITHMS[algorithm].explain(model, FEATURES)._asdict()
    if algorithm == "logistic_regression":
        assert list(weights["coefficients"]) == FEATURES
        assert weights["coefficients"]["songs"] < 0 < weights["coefficients"]["adverts"]
    else:
        assert list(weights["importances"]) == FEATURES
        assert sum(weights["importances"].values()) == pytest.approx(1, abs=1e-5)
        assert min(weights["importances"], key=weights["importances"].get) == "noise"


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is first needed: everything else works without."""
    monkeypatch.setitem(ALGORITHMS, "neural_network", replace(ALGORITHMS["neural_network"], package="no_such_package"))
    search = AlgorithmSearch(algorithm="neural_network", settings={}, grid={"hiddenUnits": [4]})
    with pytest.raises(ModuleNotFoundError, match=r"neural_network needs the package no_such_package.*: make no_such"):
        estimator({"hiddenUnits": 4}, search, None, "features")
    check_installed("logistic_regression")


def test_only_algorithms_that_need_no_extra_are_trained_by_default() -> None:
    assert DEFAULT_ALGORITHMS == ("logistic_regression", "random_forest", "gradient_boosted_trees")
