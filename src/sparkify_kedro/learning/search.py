"""Cross-validated grid search with few Spark jobs.

Spark's own ``CrossValidator`` scores each fitted model by itself, in four jobs, and keeps only the mean over the folds.
On the small training sets that down-sampling leaves, a job's fixed cost is all there is, so this search assembles the
features once, fits side by side, and scores the whole grid on all folds in one query.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

from pyspark import inheritable_thread_target
from pyspark.ml import Model, PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.framework.skipping import SkipError

from .algorithms import ALGORITHMS
from .calibration import Calibration, expose_margin, fit_calibration
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
    """All points in the grid's order, the best of them, a model fitted with it on all rows, and its model per fold.

    A fold's model has not seen the fold.
    """

    points: list[Point]
    best: Point
    model: Model
    fold_models: Mapping[int, Model]


class CalibratedModel(NamedTuple):
    """The search, the model with its calibration, and the scores behind the calibration.

    ``model`` takes the features by name and adds ``probability``, calibrated at natural prevalence. ``out_of_fold`` has
    the calibration rows' keys and ``label``, with ``score``: their calibrated probability by models that have not seen
    their fold.
    """

    found: SearchResult
    model: PipelineModel
    calibration: Calibration
    out_of_fold: DataFrame


def train_calibrated(
    train: DataFrame, development: DataFrame, features: Sequence[str], search: AlgorithmSearch, training: Training
) -> CalibratedModel:
    """Search an algorithm's settings on balanced rows, and calibrate out of fold on rows at natural prevalence.

    Args:
        train: one row per sampled (user_id, time_bin): the features, ``label`` and ``fold``.
        development: the same of all rows that are not held out.
        features: the columns to learn from, in the model's order.
        search: the algorithm and its grid.
        training: how to train.

    Returns:
        The calibrated model and how it was found. Collects one number per grid point and fold, and one row per fold.

    Raises:
        SkipError: where a fold lacks rows of one of the two classes.
    """
    sizes = fold_sizes(train)
    assembler = VectorAssembler(inputCols=list(features), outputCol="features")
    prepared = prepare(train, assembler, sum(rows for rows, _ in sizes.values()), training).cache()
    try:
        found = search_grid(prepared, sorted(sizes), search, training)
    finally:
        prepared.unpersist()
    margins = reduce(
        DataFrame.unionByName,
        [
            PipelineModel([assembler, *expose_margin(model)]).transform(development.where(F.col("fold") == fold))
            for fold, model in found.fold_models.items()
        ],
    ).select(*KEYS, "margin", F.col("label").cast("double").alias("label"))
    calibration = fit_calibration(margins)
    scored = calibration.model.transform(margins)
    out_of_fold = scored.select(*KEYS, F.col("label").cast("int").alias("label"), probability().alias("score"))
    model = PipelineModel([assembler, *expose_margin(found.model), calibration.model])
    return CalibratedModel(found, model, calibration, out_of_fold)


def fold_sizes(train: DataFrame) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold. Collects one row per fold.

    Raises:
        SkipError: where there are no rows, or fewer than two folds with rows of both classes.
    """
    counts = train.groupBy("fold").agg(F.count(F.lit(1)).alias("rows"), F.sum("label").alias("positives")).collect()
    sizes = {row.fold: (row.rows, row.positives) for row in counts}
    if not sizes:
        raise SkipError("there are no rows to learn from: use a longer log")
    one_sided = [fold for fold, (rows, positives) in sorted(sizes.items()) if positives in (0, rows)]
    if len(sizes) < 2 or one_sided:
        found = ", ".join(f"fold {fold}: {p} of {n} rows are positive" for fold, (n, p) in sorted(sizes.items()))
        raise SkipError(
            f"cross-validation needs rows of both classes in every fold, and found {found}: use a longer "
            "log, fewer folds (sampling.split.folds.number) or another seed"
        )
    return sizes


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
    number = max(range(len(points)), key=lambda place: points[place].score)
    best = points[number]
    fold_models = {fold: models[place * len(grid) + number] for place, fold in enumerate(folds)}
    return SearchResult(points, best, fit(prepared, best.settings, search, training), fold_models)


def probability(column: str = "probability") -> Column:
    """The probability of label 1, from a model's vector of probabilities."""
    return vector_to_array(F.col(column))[1]


def fit(rows: DataFrame, settings: Settings, search: AlgorithmSearch, training: Training) -> Model:
    """A model of the algorithm on rows that are prepared."""
    estimator = ALGORITHMS[search.algorithm].estimator(**search.settings, **settings)
    if estimator.hasParam("seed"):
        estimator.setSeed(training.seed)
    return estimator.fit(rows)


def _fit_side_by_side(
    tasks: list[tuple[DataFrame, Settings]], search: AlgorithmSearch, training: Training
) -> list[Model]:
    """A model per task, in the tasks' order; the log tells how many are done."""
    # The threads' jobs count as this thread's, with its job group and local properties.
    fit_one = inheritable_thread_target(tasks[0][0].sparkSession)(fit)
    last_report = time.monotonic()
    with ThreadPoolExecutor(training.parallel_fits) as pool:
        futures = [pool.submit(fit_one, rows, settings, search, training) for rows, settings in tasks]
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
