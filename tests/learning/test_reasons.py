"""Reasons for the risk of a user, for every algorithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from optional_algorithms import EVERY_ALGORITHM
from partial_reports import report
from sparkify_kedro.churn.feature_registry import Feature, FeatureRegistry
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.reasons import in_words, strongest_reasons

FEATURES = ["adverts", "songs", "friends"]
REGISTRY = FeatureRegistry.model_validate(
    {name: {"sets": ["toy"], "unit": "visits", "definition": name, "labels": "all"} for name in FEATURES}
)
SETTINGS = {
    "logistic_regression": {"regParam": 0.01},
    "random_forest": {"numTrees": 5, "maxDepth": 3, "seed": 1, "featureSubsetStrategy": "all"},
    "gradient_boosted_trees": {"maxIter": 3, "maxDepth": 2, "seed": 1},
    "neural_network": {"learningRate": 0.01, "seed": 1},
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Many adverts make a user leave; songs and friends say nothing."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({name: random.integers(0, 20, 200) for name in FEATURES})
    frame["label"] = (frame["adverts"] + random.normal(0, 2, 200) > 10).astype(float)
    return frame


@pytest.fixture(scope="module")
def assembled(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    return VectorAssembler(inputCols=FEATURES, outputCol="features").transform(spark.createDataFrame(rows)).cache()


def champion(algorithm: str, assembled: DataFrame, rows: pd.DataFrame) -> tuple[PipelineModel, ChampionMetadata]:
    model = ALGORITHMS[algorithm].estimator(**SETTINGS[algorithm]).fit(assembled)
    card: dict[str, Any] = {
        "label": "churn",
        "feature_engineering": {"labels": {"churn": {"event": "cancellation"}}},
        "algorithm": algorithm,
        "features": FEATURES,
        "profile": {name: {"mean": rows[name].mean()} for name in FEATURES},
    }
    stages = [VectorAssembler(inputCols=FEATURES, outputCol="features"), model]
    return PipelineModel(stages), report(ChampionMetadata, card)


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_the_decisive_feature_is_named_with_its_direction(
    assembled: DataFrame, rows: pd.DataFrame, algorithm: str
) -> None:
    users = pd.DataFrame({"adverts": [19, 1], "songs": [9, 9], "friends": [9, 9]}, index=[7, 3])
    reasons = strongest_reasons(users, *champion(algorithm, assembled, rows), REGISTRY, 2)
    assert list(reasons.columns) == ["reason_1", "reason_2"]
    # As the list is put beside the scores: by the rows' own index.
    assert reasons["reason_1"].to_dict() == {7: "adverts: 19 (raises the risk)", 3: "adverts: 1 (lowers the risk)"}


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_no_rows(assembled: DataFrame, rows: pd.DataFrame, algorithm: str) -> None:
    reasons = strongest_reasons(rows.head(0), *champion(algorithm, assembled, rows), REGISTRY, 3)
    assert reasons.empty
    assert list(reasons.columns) == ["reason_1", "reason_2", "reason_3"]


def test_a_feature_without_effect_is_not_a_reason(spark: SparkSession, rows: pd.DataFrame) -> None:
    """A stump on adverts: what the others are does not matter to it."""
    lone = rows.assign(songs=5, friends=5)
    lone_rows = VectorAssembler(inputCols=FEATURES, outputCol="features").transform(spark.createDataFrame(lone))
    reasons = strongest_reasons(lone.head(2), *champion("random_forest", lone_rows, lone), REGISTRY, 3)
    assert (reasons["reason_1"] != "").all()
    assert (reasons[["reason_2", "reason_3"]] == "").all(axis=None)


def feature(**changes: object) -> Feature:
    return Feature.model_validate(
        {"sets": ["toy"], "unit": "visits", "definition": "songs heard", "labels": "all"} | changes
    )


@pytest.mark.parametrize(
    ("line", "value", "contribution", "expected"),
    [
        (feature(), 27.0, 0.3, "songs heard: 27 (raises the risk)"),
        (feature(), 0.0, -0.3, "songs heard: 0 (lowers the risk)"),
        (feature(), 21.349, 0.3, "songs heard: 21.3 (raises the risk)"),
        (feature(), 0.01234, 0.3, "songs heard: 0.0123 (raises the risk)"),
        (feature(), 999.4, 0.3, "songs heard: 999 (raises the risk)"),
        (feature(), 999.5, 0.3, "songs heard: 1,000 (raises the risk)"),
        (feature(), 1234.0, 0.3, "songs heard: 1,234 (raises the risk)"),
        (feature(), -2.5, 0.3, "songs heard: -2.5 (raises the risk)"),
        (feature(unit="0 or 1"), 1.0, 0.3, "songs heard: yes (raises the risk)"),
        (feature(unit="0 or 1"), 0.0, -0.3, "songs heard: no (lowers the risk)"),
        (feature(scale="log"), math.log(48), -0.3, "songs heard: 48 (lowers the risk)"),
        (feature(scale="log"), math.log(2000), -0.3, "songs heard: 2,000 (lowers the risk)"),
        (feature(scale="log"), 0.0, -0.3, "songs heard: 1 (lowers the risk)"),
        (feature(), 27.0, 0.0, ""),
    ],
)
def test_in_words(line: Feature, value: float, contribution: float, expected: str) -> None:
    assert in_words(line, value, contribution, "risk") == expected


def test_an_upgrade_is_no_risk() -> None:
    assert in_words(feature(), 27.0, -0.3, "chance") == "songs heard: 27 (lowers the chance)"
