"""Models, their scores on unseen rows, and the champion."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.pipelines.modeling.nodes import (
    compare_algorithms,
    evaluate,
    keep_champion,
    predict,
    search_model,
)
from sparkify_kedro.pipelines.modeling.parameters import AlgorithmSearch, Comparison, Training

TRAINING = Training(seed=1, features=["songs", "adverts"], parallel_fits=2, rows_per_partition=1_000)
SEARCH = AlgorithmSearch(
    algorithm="logistic_regression", settings={"maxIter": 20}, grid={"regParam": [0.01, 10.0], "elasticNetParam": [0.0]}
)
TREES = AlgorithmSearch(algorithm="random_forest", settings={"numTrees": 3}, grid={"maxDepth": [2]})


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> DataFrame:
    """Users with many adverts leave; every fold holds some who leave and some who stay."""
    rows = [(str(u), 0, u % 7, u % 5 * 2 + (u % 3 == 0), int(u % 5 > 2), u % 2) for u in range(60)]
    schema = "user_id string, time_bin int, songs bigint, adverts bigint, label int, fold int"
    return spark.createDataFrame(rows, schema).cache()


@pytest.fixture(scope="module")
def found(train: DataFrame) -> tuple[PipelineModel, dict[str, Any]]:
    return search_model(train, TRAINING, SEARCH)


def test_the_search_tells_every_point_fold_by_fold(found: tuple[PipelineModel, dict[str, Any]]) -> None:
    _, report = found
    assert [point["settings"] for point in report["points"]] == [
        {"regParam": 0.01, "elasticNetParam": 0.0},
        {"regParam": 10.0, "elasticNetParam": 0.0},
    ]
    assert all(len(point["fold_scores"]) == 2 for point in report["points"])
    assert all(point["score"] == pytest.approx(sum(point["fold_scores"]) / 2) for point in report["points"])
    assert report["best"]["score"] == max(point["score"] for point in report["points"])
    assert report["train"] == {"rows": 60, "positives": 24}


def test_coefficients_and_intercept_are_named_and_reproduce_the_model(
    found: tuple[PipelineModel, dict[str, Any]], train: DataFrame
) -> None:
    model, report = found
    row = train.first()
    log_odds = report["intercept"] + sum(report["coefficients"][name] * row[name] for name in TRAINING.features)
    scored = predict(model, train.where(f"user_id = '{row.user_id}'")).collect()[0]
    assert scored.score == pytest.approx(1 / (1 + math.exp(-log_odds)))
    assert report["coefficients"]["adverts"] > 0


def test_importances_are_named_and_sum_to_one(train: DataFrame) -> None:
    _, report = search_model(train, TRAINING, TREES)
    assert report["importances"].keys() == set(TRAINING.features)
    assert sum(report["importances"].values()) == pytest.approx(1)


def test_the_model_takes_columns_by_name(found: tuple[PipelineModel, dict[str, Any]], train: DataFrame) -> None:
    model, _ = found
    shuffled = train.select("adverts", "label", "time_bin", "songs", "user_id")
    ours, theirs = (sorted(predict(model, rows).collect()) for rows in (train, shuffled))
    assert ours == theirs


def test_a_feature_that_is_missing_is_named(train: DataFrame) -> None:
    with pytest.raises(ValueError, match="names adverts, which the training rows lack"):
        search_model(train.drop("adverts"), TRAINING, SEARCH)


@pytest.mark.parametrize("only", ["label = 0", "fold = 0", "fold = 0 or label = 1", "false"])
def test_a_fold_without_both_classes_is_told_in_a_sentence(train: DataFrame, only: str) -> None:
    with pytest.raises(ValueError, match="rows of both classes in every fold"):
        search_model(train.where(only), TRAINING, SEARCH)


def test_both_test_sets_are_judged_and_the_balanced_one_is_part_of_the_other(spark: SparkSession) -> None:
    schema = "user_id string, time_bin int, label int, score double"
    rows = [("a", 0, 1, 0.9), ("b", 0, 0, 0.8), ("c", 0, 0, 0.3), ("d", 0, 1, 0.2), ("e", 0, 0, 0.1)]
    predictions = spark.createDataFrame(rows, schema)
    balanced = predictions.where("user_id in ('a', 'd', 'e')").select("user_id", "time_bin", "label")
    metrics = evaluate(predictions, balanced)
    assert metrics["test"] == {
        "rows": 5,
        "positives": 2,
        "prevalence": 0.4,
        # Recall 1/2 at precision 1; recall 1 at precision 1/2, reached from precision 1/3.
        "auc_pr": pytest.approx(0.5 + 0.5 * (1 / 3 + 1 / 2) / 2),
        # Of six pairs of a positive and a negative four are in order.
        "auc_roc": pytest.approx(4 / 6),
    }
    assert metrics["test_balanced"]["rows"] == 3
    assert metrics["test_balanced"]["auc_pr"] == metrics["test_balanced"]["auc_roc"] == pytest.approx(1.0)


def test_an_empty_test_set_has_no_scores(spark: SparkSession) -> None:
    nothing = spark.createDataFrame([], "user_id string, time_bin int, label int, score double")
    metrics = evaluate(nothing, nothing)
    assert metrics["test"] == {"rows": 0, "positives": 0, "prevalence": None, "auc_pr": None, "auc_roc": None}


def test_the_champion_wins_by_cross_validation_not_by_the_test_set() -> None:
    def of(name: str, cross_validated: float, tested: float) -> list[dict[str, Any]]:
        search = {"algorithm": name, "best": {"settings": {"a": 1}, "score": cross_validated}}
        return [search, {"test": {"auc_pr": tested}, "test_balanced": {"auc_pr": tested}}]

    compared = compare_algorithms(Comparison(judged_on="test"), *of("forest", 0.4, 0.9), *of("regression", 0.5, 0.1))
    assert compared["champion"] == "regression"
    assert compared["algorithms"]["forest"]["test"] == {"auc_pr": 0.9}


def test_the_champions_model_is_kept(found: tuple[PipelineModel, dict[str, Any]], train: DataFrame) -> None:
    regression, (forest, _) = found[0], search_model(train, TRAINING, TREES)
    comparison = {"champion": "random_forest", "algorithms": {"logistic_regression": {}, "random_forest": {}}}
    assert keep_champion(comparison, regression, forest) is forest
