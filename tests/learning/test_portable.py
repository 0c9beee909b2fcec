"""Champions as plain JSON give Spark's probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from partial_reports import report
from sparkify_kedro.churn.contributions import explainer_of
from sparkify_kedro.churn.portable_model import PortableModel, in_order, margins, probabilities
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.framework.datasets import SparkMLDataset
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.calibration import expose_margin, fit_calibration
from sparkify_kedro.learning.latent import Fitted, contributions, fit_components
from sparkify_kedro.learning.portable import to_portable
from sparkify_kedro.learning.search import probability

FEATURES = ["songs", "adverts", "tenure", "constant"]
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"regParam": 0.01},
    "random_forest": {"numTrees": 7, "maxDepth": 5, "seed": 1},
    "gradient_boosted_trees": {"maxIter": 6, "maxDepth": 3, "seed": 1, "stepSize": 0.2},
}
KINDS = [
    ("logistic_regression", False),
    ("random_forest", False),
    ("gradient_boosted_trees", True),
    pytest.param("gradient_boosted_trees", False, marks=pytest.mark.faults),
]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({name: draw.normal(size=600) for name in FEATURES}).assign(constant=2.0)
    chance = 1 / (1 + np.exp(-(frame["songs"] * 2 - frame["adverts"] ** 2)))
    return frame.assign(label=(draw.random(600) < chance).astype(float))


@pytest.fixture(scope="module")
def rows(spark: SparkSession, table: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(table).cache()


def stored(rows: DataFrame, algorithm: str, is_latent: bool, folder: Path) -> PipelineModel:
    """A calibrated model as a run stores and loads it."""
    assembler = VectorAssembler(inputCols=FEATURES, outputCol="features")
    assembled = assembler.transform(rows)
    before = fit_components(assembled, "features", 3) if is_latent else []
    vector = "components" if is_latent else "features"
    known = PipelineModel(before).transform(assembled) if before else assembled
    classifier = ALGORITHMS[algorithm].estimator(featuresCol=vector, **SETTINGS[algorithm]).fit(known)
    *first, last = Fitted(before, classifier).on("features")
    stages = [assembler, *first, *expose_margin(last)]
    margin = PipelineModel(stages).transform(rows).select("margin", "label")
    dataset = SparkMLDataset(filepath=str(folder / "model"))
    dataset.save(PipelineModel([*stages, fit_calibration(margin).model]))
    return dataset.load()


def metadata(table: pd.DataFrame, algorithm: str) -> ChampionMetadata:
    label = "will_churn_in_next_bin"
    return report(
        ChampionMetadata,
        {
            "label": label, "algorithm": algorithm, "features": FEATURES,
            "feature_engineering": {"labels": {label: {"event": "cancellation", "horizon_days": 14}}},
            "profile": {name: {"mean": table[name].mean()} for name in FEATURES},
        },
    )  # fmt: skip


@pytest.mark.parametrize(("algorithm", "is_latent"), KINDS)
def test_probabilities_are_those_of_spark(
    rows: DataFrame, table: pd.DataFrame, algorithm: str, is_latent: bool, tmp_path: Path
) -> None:
    champion = stored(rows, algorithm, is_latent, tmp_path)
    portable = to_portable(champion, metadata(table, algorithm))
    again = PortableModel.model_validate_json(portable.model_dump_json())
    assert again == portable
    scored = champion.transform(rows).select(*FEATURES, probability().alias("p")).toPandas()
    found = probabilities(again, in_order(again, scored[FEATURES].to_dict("records")))
    assert np.abs(found - scored["p"].to_numpy()).max() < 1e-12
    assert scored["p"].nunique() > 3
    assert (portable.model, portable.horizon_days) == (champion.uid, 14)
    # What each feature adds is the same, too; that of a forest is to its trees' mean in one, and to their sum here.
    values = scored[FEATURES].to_numpy()[:40]
    added = contributions(champion, algorithm, values, table[FEATURES].mean().to_numpy())
    trees = len(again.trees or []) if algorithm == "random_forest" else 1
    assert explainer_of(again)(values) == pytest.approx(added * trees, abs=1e-6)


def test_the_fingerprint_is_of_the_content(rows: DataFrame, table: pd.DataFrame, tmp_path: Path) -> None:
    one = to_portable(stored(rows, "logistic_regression", False, tmp_path), metadata(table, "logistic_regression"))
    assert len(one.fingerprint) == 64
    assert one.signed() == one
    assert one.model_copy(update={"intercept": 0.0}).signed().fingerprint != one.fingerprint


def test_a_network_is_left_to_spark(rows: DataFrame, table: pd.DataFrame, tmp_path: Path) -> None:
    champion = stored(rows, "logistic_regression", False, tmp_path)
    stages = [champion.stages[0], champion.stages[2], champion.stages[-1]]
    portable = to_portable(PipelineModel(stages), metadata(table, "neural_network"))
    with pytest.raises(ValueError, match="will_churn_in_next_bin is a neural_network, which only Spark scores"):
        probabilities(portable, np.zeros((1, 4)))
    with pytest.raises(ValueError, match="is a neural_network, which only Spark explains"):
        explainer_of(portable)


TREE = {"rows": [3.0, 2.0, 1.0], "feature": [1, -1, -1], "left": [1, -1, -1], "right": [2, -1, -1]}


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_row_at_the_threshold_goes_left(values: list[float]) -> None:
    tree = {**TREE, "threshold": [values[0], -1.0, -1.0], "value": [0.0, -1.0, 5.0]}
    model = report(PortableModel, {"features": ["a", "b"], "trees": [tree, tree]})
    rows = np.array([[0.0, value] for value in values])
    assert margins(model, rows).tolist() == [-2.0 if value <= values[0] else 10.0 for value in values]


def test_no_rows() -> None:
    model = report(PortableModel, {"features": ["a", "b"], "coefficients": [1.0, 2.0], "intercept": 0.5})
    assert probabilities(model, in_order(model, [])).tolist() == []


def test_a_missing_feature_is_named() -> None:
    model = report(PortableModel, {"features": ["a", "b"], "coefficients": [1.0, 2.0], "intercept": 0.5})
    with pytest.raises(KeyError, match="b"):
        in_order(model, [{"a": 1.0}])
