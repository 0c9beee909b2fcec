"""The grid search, against Spark's own CrossValidator."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.learning.algorithms import ALGORITHMS
from sparkify_kedro.learning.parameters import AlgorithmSearch, Training
from sparkify_kedro.learning.search import prepare, search_grid

FEATURES = ["songs", "adverts", "friends"]
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
    values = {"seed": 7, "feature_set": "small", "parallel_fits": 2, "rows_per_partition": 1_000}
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


def prepared(rows: DataFrame, **changes: object) -> DataFrame:
    return prepare(rows, VectorAssembler(inputCols=FEATURES, outputCol="features"), 120, training(**changes)).cache()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_scores_are_those_of_sparks_cross_validator(rows: DataFrame, algorithm: str) -> None:
    search, data = GRIDS[algorithm], prepared(rows)
    found = search_grid(data, [0, 1], search, training())

    estimator = ALGORITHMS[algorithm].estimator(**search.settings)
    if estimator.hasParam("seed"):
        estimator.setSeed(7)
    grid = ParamGridBuilder()
    for name, values in search.grid.items():
        grid = grid.addGrid(estimator.getParam(name), values)
    # Ranked by the same probability, with every distinct score a point of the curve.
    evaluator = BinaryClassificationEvaluator(rawPredictionCol="probability", metricName="areaUnderPR", numBins=0)
    reference = CrossValidator(
        estimator=estimator, estimatorParamMaps=grid.build(), evaluator=evaluator, numFolds=2, foldCol="fold"
    ).fit(data)

    assert [point.score for point in found.points] == pytest.approx(reference.avgMetrics)
    assert found.best.score == max(point.score for point in found.points)
    ours, theirs = (
        model.transform(data).select("probability").collect() for model in (found.model, reference.bestModel)
    )
    assert ours == theirs


def test_partitions_depend_on_keys_not_on_files_or_cores(rows: DataFrame) -> None:
    """A forest's bootstrap goes by row position, so the layout must not depend on the order of the input rows."""
    laid_out = [frame.rdd.glom().collect() for frame in (prepared(rows), prepared(rows.repartition(3, "songs")))]
    assert laid_out[0] == laid_out[1]


def test_a_large_set_is_not_forced_into_one_partition(rows: DataFrame) -> None:
    assert prepared(rows).rdd.getNumPartitions() == 1
    assert prepared(rows, rows_per_partition=50).rdd.getNumPartitions() == 3


def test_more_fits_at_a_time_change_nothing(rows: DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    data, search = prepared(rows), GRIDS["random_forest"]
    with caplog.at_level(logging.INFO, logger="sparkify_kedro"):
        one, four = (search_grid(data, [0, 1], search, training(parallel_fits=fits)) for fits in (1, 4))
    assert one.points == four.points
    fits = 2 * len(one.points)
    assert [record.getMessage() for record in caplog.records][-1] == f"random_forest: {fits} of {fits} fits"


def test_a_fit_that_fails_ends_the_search_with_its_own_error(rows: DataFrame) -> None:
    broken = GRIDS["random_forest"].model_copy(update={"grid": {"maxBins": [-1]}})
    with pytest.raises(Exception, match="maxBins"):
        search_grid(prepared(rows), [0, 1], broken, training())
