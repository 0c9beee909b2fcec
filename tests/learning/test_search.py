"""The grid search, against Spark's own CrossValidator."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.evaluation import Evaluator
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score

from sparkify_kedro.churn.reports import GridPoint
from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.parameters import AlgorithmSearch, Training
from sparkify_kedro.learning.search import FeatureSets, assemble, fit, search_grid, two_classes
from sparkify_kedro.learning.user_types import TYPE_FEATURES, WITHOUT_FOLD

FEATURES = ["songs", "adverts", "friends"]
SETS: FeatureSets = {"small": FEATURES}
GRIDS = {
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression",
        settings={"maxIter": 5},
        grid={"regParam": [0.0, 0.3], "elasticNetParam": [0.5]},
    ),
    "random_forest": AlgorithmSearch(
        algorithm="random_forest", settings={"numTrees": 3}, grid={"maxDepth": [2, 3], "maxBins": [8]}
    ),
    "gradient_boosted_trees": AlgorithmSearch(
        algorithm="gradient_boosted_trees", settings={"maxIter": 2}, grid={"maxDepth": [1, 2], "maxBins": [8]}
    ),
}


def training(**changes: object) -> Training:
    values = {
        "seed": 7,
        "feature_sets": ["small"],
        "parallel_fits": 2,
        "rows_per_partition": 1_000,
        "use_features": ["*"],
        "leave_out_features": [],
        "latent_sets": {},
        "smote": {"most_rows": 10_000, "neighbors": 5},
    }
    return Training.model_validate(values | changes)


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """120 rows of 40 users whose label leans on the adverts."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "user_id": [str(place // 3) for place in range(120)],
            "bin_end": [place % 3 for place in range(120)],
            "songs": random.poisson(50, 120),
            "adverts": random.poisson(5, 120),
            "friends": random.poisson(2, 120),
        }
    )
    frame["label"] = (random.random(120) < frame["adverts"] / 10).astype(int)
    frame["fold"] = frame["user_id"].astype(int) % 2
    return spark.createDataFrame(frame).cache()


class AveragePrecision(Evaluator):
    """That of scikit-learn."""

    def _evaluate(self, dataset: DataFrame) -> float:
        scored = dataset.select("label", "probability").toPandas()
        return float(average_precision_score(scored["label"], [vector[1] for vector in scored["probability"]]))


def prepared(rows: DataFrame, sets: FeatureSets = SETS, **changes: object) -> DataFrame:
    return assemble(rows, [0, 1], sets, 120, training(**changes)).cache()


@pytest.mark.parametrize(
    "algorithm",
    [
        "logistic_regression",
        pytest.param("random_forest", marks=pytest.mark.faults),
        pytest.param("gradient_boosted_trees", marks=pytest.mark.faults),
    ],
)
def test_scores_are_those_of_sparks_cross_validator(rows: DataFrame, algorithm: str) -> None:
    search, data = GRIDS[algorithm], prepared(rows)
    found = search_grid(data, [0, 1], list(SETS), search, training(), two_classes(search, training()))
    data = data.withColumnRenamed("features_small", "features")

    estimator = ALGORITHMS[algorithm].estimator(**search.settings)
    if estimator.hasParam("seed"):
        estimator.setSeed(7)
    grid = ParamGridBuilder()
    for name, values in search.grid.items():
        grid = grid.addGrid(estimator.getParam(name), values)
    reference = CrossValidator(
        estimator=estimator, estimatorParamMaps=grid.build(), evaluator=AveragePrecision(), numFolds=2, foldCol="fold"
    ).fit(data)

    assert [point.score for point in found.points] == pytest.approx(reference.avgMetrics)
    assert found.best.score == max(point.score for point in found.points)
    best = fit(data, found.best.settings, search, training()).classifier
    ours, theirs = (model.transform(data).select("probability").collect() for model in (best, reference.bestModel))
    assert ours == theirs


def test_a_fold_without_positives_has_a_model_and_no_score(rows: DataFrame) -> None:
    """On few positives a fold may have none; the others are enough to choose by."""
    thirds = rows.withColumn("fold", (F.col("user_id") % 3).cast("int")).where("fold < 2 or label = 0")
    search = GRIDS["logistic_regression"]
    assembled = assemble(thirds, [0, 1, 2], SETS, 120, training()).cache()
    found = search_grid(assembled, [0, 1, 2], list(SETS), search, training(), two_classes(search, training()))

    def expected(fold: int, point: GridPoint) -> float:
        model = fit(assembled.where(f"fold != {fold}"), point.settings, search, training()).classifier
        scored = model.transform(assembled.where(f"fold = {fold}")).select("label", "probability").toPandas()
        return float(average_precision_score(scored["label"], [vector[1] for vector in scored["probability"]]))

    for point in found.points:
        assert point.fold_scores == pytest.approx([expected(0, point), expected(1, point)])
        assert point.score == pytest.approx(sum(point.fold_scores) / 2)
    assert sorted(found.fold_models) == [0, 1, 2]


def test_partitions_depend_on_keys_not_on_files_or_cores(rows: DataFrame) -> None:
    """A forest's bootstrap goes by row position, so the layout must not depend on the order of the input rows."""
    laid_out = [frame.rdd.glom().collect() for frame in (prepared(rows), prepared(rows.repartition(3, "songs")))]
    assert laid_out[0] == laid_out[1]


def test_a_large_set_is_not_forced_into_one_partition(rows: DataFrame) -> None:
    assert prepared(rows).rdd.getNumPartitions() == 1
    assert prepared(rows, rows_per_partition=50).rdd.getNumPartitions() == 3


@pytest.mark.faults
def test_more_fits_at_a_time_change_nothing(rows: DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    data, search = prepared(rows), GRIDS["random_forest"]
    with caplog.at_level(logging.INFO, logger="sparkify_kedro"):
        one, four = (
            search_grid(data, [0, 1], list(SETS), search, training(parallel_fits=fits), two_classes(search, training()))
            for fits in (1, 4)
        )
    assert one.points == four.points
    # The first point with the feature set, then the others.
    messages = [record.getMessage() for record in caplog.records]
    assert messages[-2:] == ["random_forest: 2 of 2 fits", "random_forest: 2 of 2 fits"]


def test_a_fit_that_fails_ends_the_search_with_its_own_error(rows: DataFrame) -> None:
    broken = GRIDS["random_forest"].model_copy(update={"grid": {"maxBins": [-1]}})
    with pytest.raises(Exception, match="maxBins"):
        search_grid(prepared(rows), [0, 1], list(SETS), broken, training(), two_classes(broken, training()))


def test_the_feature_set_is_chosen_first_and_then_the_settings(rows: DataFrame) -> None:
    """A set without the adverts, on which the label depends, loses."""
    sets = {"without": ["songs", "friends"], "all": FEATURES}
    found = search_grid(
        prepared(rows, sets),
        [0, 1],
        list(sets),
        GRIDS["logistic_regression"],
        training(),
        two_classes(GRIDS["logistic_regression"], training()),
    )
    settings = [(point.settings["feature_set"], point.settings["regParam"]) for point in found.points]
    assert settings == [("without", 0.0), ("all", 0.0), ("all", 0.3)]
    assert found.best.settings["feature_set"] == "all"
    assert all(model.classifier.numFeatures == 3 for model in found.fold_models.values())


def test_a_fold_is_scored_by_features_that_were_fitted_without_it(rows: DataFrame) -> None:
    """Features of user types that have seen the fold would rank perfectly here; those without it are noise."""
    number = F.xxhash64("user_id", "bin_end") % 1_000 / 1_000
    noise = F.array(*(number for _ in TYPE_FEATURES))
    leaked = rows.withColumns(
        {
            **{name: F.col("label").cast("double") for name in TYPE_FEATURES},
            WITHOUT_FOLD: F.array(noise, noise),
        }
    )
    assembled = prepared(leaked, {"types": [TYPE_FEATURES[0]]})
    found = search_grid(
        assembled,
        [0, 1],
        ["types"],
        GRIDS["logistic_regression"],
        training(),
        two_classes(GRIDS["logistic_regression"], training()),
    )
    assert found.best.score < 0.8
