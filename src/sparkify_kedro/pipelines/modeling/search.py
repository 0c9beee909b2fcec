"""Cross-validated grid search with few Spark jobs.

Spark's own ``CrossValidator`` scores each fitted model by itself, in four jobs, and keeps only the mean over the folds.
On the small training sets that down-sampling leaves, a job's fixed cost is all there is, so this search assembles the
features once, fits side by side, and scores the whole grid on all folds in one query.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

from pyspark import inheritable_thread_target
from pyspark.ml import Model
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .algorithms import ALGORITHMS
from .parameters import AlgorithmSearch, Training
from .ranking import ranking_scores

logger = logging.getLogger(__name__)

KEYS = ("user_id", "time_bin")
SECONDS_BETWEEN_REPORTS = 5

Settings = dict[str, Any]


class Point(NamedTuple):
    """A point of the grid, with its area under the precision-recall curve in every fold."""

    settings: Settings
    fold_scores: list[float]

    @property
    def score(self) -> float:
        """The mean over the folds."""
        return math.fsum(self.fold_scores) / len(self.fold_scores)


class SearchResult(NamedTuple):
    """All points in the grid's order, the best of them, and a model fitted with it on all rows."""

    points: list[Point]
    best: Point
    model: Model


def prepare(train: DataFrame, assembler: VectorAssembler, rows: int, training: Training) -> DataFrame:
    """The training rows as estimators take them: ``features``, ``label`` and ``fold``, laid out by key.

    Random forests draw their bootstrap samples by a row's place, so places follow from the keys and the number of
    rows, not from files or cores: small sets make one partition, large ones as many as they need.
    """
    partitions = math.ceil(rows / training.rows_per_partition)
    return (
        assembler.transform(train)
        .repartition(partitions, *KEYS)
        .sortWithinPartitions(*KEYS)
        .select("features", F.col("label").cast("double").alias("label"), "fold")
    )


def search_grid(prepared: DataFrame, folds: Sequence[int], search: AlgorithmSearch, training: Training) -> SearchResult:
    """Score every grid point on every fold, trained on the other folds, and fit the best on all rows.

    Args:
        prepared: ``features`` (vector), ``label`` and ``fold``, cached.
        folds: the folds there are.
        search: the algorithm, its settings and its grid.
        training: the seed, and how many models to fit at the same time.

    Returns:
        The points, the best one (the first in the grid's order where several are) and its model. Collects one number
        per point and fold.
    """
    grid = [dict(zip(search.grid, values, strict=True)) for values in product(*search.grid.values())]
    trained_on = {fold: prepared.where(F.col("fold") != fold).cache() for fold in folds}
    try:
        tasks = [(trained_on[fold], settings) for fold in folds for settings in grid]
        models = _fit_side_by_side(tasks, search, training)
    finally:
        for rows in trained_on.values():
            rows.unpersist()
    scored = [
        _score(prepared.where(F.col("fold") == fold), models[place * len(grid) : (place + 1) * len(grid)])
        for place, fold in enumerate(folds)
    ]
    table = ranking_scores(reduce(DataFrame.unionByName, scored), ["fold", "point"])
    score = {(row.fold, row.point): row.auc_pr for row in table.collect()}
    points = [Point(settings, [score[fold, number] for fold in folds]) for number, settings in enumerate(grid)]
    best = max(points, key=lambda point: point.score)
    return SearchResult(points, best, _fit(prepared, best.settings, search, training))


def probability(column: str = "probability") -> Column:
    """The probability of label 1, from a model's vector of probabilities."""
    return vector_to_array(F.col(column))[1]


def _fit(rows: DataFrame, settings: Settings, search: AlgorithmSearch, training: Training) -> Model:
    estimator = ALGORITHMS[search.algorithm].estimator(**search.settings, **settings)
    if estimator.hasParam("seed"):
        estimator.setSeed(training.seed)
    return estimator.fit(rows)


def _fit_side_by_side(
    tasks: list[tuple[DataFrame, Settings]], search: AlgorithmSearch, training: Training
) -> list[Model]:
    """A model per task, in the tasks' order; the log tells how many are done."""
    # The threads' jobs count as this thread's, with its job group and local properties.
    fit = inheritable_thread_target(tasks[0][0].sparkSession)(_fit)
    last_report = time.monotonic()
    with ThreadPoolExecutor(training.parallel_fits) as pool:
        futures = [pool.submit(fit, rows, settings, search, training) for rows, settings in tasks]
        for done, future in enumerate(as_completed(futures), start=1):
            if future.exception() is not None:
                # Nobody needs the fits that have not begun.
                pool.shutdown(cancel_futures=True)
                break
            if done == len(futures) or time.monotonic() - last_report > SECONDS_BETWEEN_REPORTS:
                logger.info("%s: %d of %d fits", search.algorithm, done, len(futures))
                last_report = time.monotonic()
    return [future.result() for future in futures]


def _score(rows: DataFrame, models: list[Model]) -> DataFrame:
    """One row per row and model: ``fold``, ``point`` (the model's place), ``score`` and ``label``."""
    names = [f"probability_{place}" for place in range(len(models))]
    for name, model in zip(names, models, strict=True):
        rows = model.setProbabilityCol(name).setRawPredictionCol("").setPredictionCol("").transform(rows)
    scores = F.array(*(probability(name) for name in names))
    return rows.select("fold", "label", F.posexplode(scores).alias("point", "score"))
