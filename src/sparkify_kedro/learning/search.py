"""Cross-validated grid search with few Spark jobs.

Spark's own ``CrossValidator`` scores each fitted model separately, in four jobs, and keeps only the mean over folds. On
small training sets the fixed costs of a job and of its generated code dominate, so this search assembles the features
in one pass, fits models in parallel, and scores the whole grid on all folds in one query.

The feature set is searched first, with the first settings of the grid, then the grid with the best set. Features that
are fitted themselves (user types) are those of a fit without the fold's users.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import pandas as pd
from pyspark import StorageLevel, inheritable_thread_target
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.parameters import Strategy
from sparkify_kedro.churn.reports import ClassCounts, GridPoint, Setting
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.skipping import SkipError

from .algorithms import ALGORITHMS, check_installed
from .balancing import WEIGHT, balance
from .calibration import Calibration, expose_margin, fit_calibration, only_scores
from .evaluation import collect_scored
from .latent import Fitted, fit_components
from .parameters import AlgorithmSearch, Evaluation, Training
from .ranking import ranking_scores
from .user_types import EVERY_FOLD, TYPE_FEATURES, without_fold

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 5

Settings = dict[str, Setting]
FeatureSets = Mapping[str, Sequence[str]]
_TWO_COPIES = StorageLevel(useDisk=True, useMemory=True, useOffHeap=False, deserialized=True, replication=2)
# The setting that names a feature set; all others are the estimator's.
FEATURE_SET = "feature_set"


class SearchResult(NamedTuple):
    """The result of a grid search.

    Attributes:
        points: all points in the order of the search.
        best: the best point.
        fold_models: fitted with the best settings, by the fold that each has not seen.
    """

    points: list[GridPoint]
    best: GridPoint
    fold_models: Mapping[int, Fitted]


class Problem(NamedTuple):
    """What a search fits and how it scores: two classes, or several.

    Attributes:
        fit: from ordered rows and settings to a fitted model.
        score: from rows and models to one row per row and model: ``fold``, ``point`` (the model's position), ``score``
            and ``label`` (0 or 1); of several classes one for each, with a column ``class``.
    """

    fit: Callable[[DataFrame, Settings], Fitted]
    score: Callable[[DataFrame, Sequence[Fitted]], DataFrame]


def two_classes(search: AlgorithmSearch, training: Training, strategy: Strategy = "none") -> Problem:
    """Fit an algorithm on rows of two classes, and score by the probability of label 1."""

    def fit_binary(rows: DataFrame, settings: Settings) -> Fitted:
        return fit(rows, settings, search, training, strategy)

    return Problem(fit_binary, _score)


class CalibratedModel(NamedTuple):
    """A calibrated model, the search that found it, and its scores out of fold.

    Attributes:
        search: the result of the grid search.
        features: the columns that the model takes.
        fitted: fitted with the best settings on all training rows.
        train: the training rows, by class.
        model: takes the features by name and adds ``probability``, calibrated at natural prevalence.
        calibration: the sigmoid.
        out_of_fold: keys, ``label`` and ``score`` of the development rows, as ``collect_scored`` returns them: the
            calibrated probability by the model that has not seen the row's fold.
    """

    search: SearchResult
    features: Sequence[str]
    fitted: Fitted
    train: ClassCounts
    model: PipelineModel
    calibration: Calibration
    out_of_fold: pd.DataFrame


def train_calibrated(  # noqa: PLR0913, PLR0917 - everything that training takes
    train: DataFrame,
    development: DataFrame,
    feature_sets: FeatureSets,
    search: AlgorithmSearch,
    training: Training,
    evaluation: Evaluation,
    strategy: Strategy = "none",
) -> CalibratedModel:
    """Search an algorithm's settings on the training rows, and calibrate out of fold on all development rows.

    Args:
        train: one row per sampled (user_id, bin_end): the features, ``label`` and ``fold``.
        development: the same for all rows that are not held out.
        feature_sets: the feature sets to choose from: columns by name.
        search: the algorithm and its grid.
        training: how to train.
        evaluation: how many scores out of fold to collect at most.
        strategy: how the rows of each fit are balanced.

    Returns:
        The calibrated model and its search. Collects one number per grid point and fold, one row per fold, and the
        scores out of fold, up to ``evaluation.max_rows``.

    Raises:
        SkipError: where there are too few rows of one of the two classes.
    """
    sizes = fold_sizes(train)
    counts = ClassCounts(rows=sum(rows for rows, _ in sizes.values()), positives=sum(n for _, n in sizes.values()))
    assembled = materialize(assemble(train, sorted(sizes), feature_sets, counts.rows, training))
    problem = two_classes(search, training, strategy)
    result = search_grid(assembled, sorted(sizes), list(feature_sets), search, training, problem)
    columns = list(feature_sets[str(result.best.settings[FEATURE_SET])])
    assembler = VectorAssembler(inputCols=columns, outputCol="features")
    # Both are many small jobs, which one after the other would leave cores idle.
    with ThreadPoolExecutor(1) as pool:
        everything = seen(assembled, EVERY_FOLD)
        fit_one = inheritable_thread_target(train.sparkSession)(problem.fit)
        fitting = pool.submit(fit_one, everything, result.best.settings)
        calibration, out_of_fold = _calibrate(development, assembler, result.fold_models, evaluation)
        fitted = fitting.result()
    *before, classifier = fitted.on("features")
    model = PipelineModel([assembler, *before, *expose_margin(classifier), calibration.model])
    return CalibratedModel(result, columns, fitted, counts, model, calibration, out_of_fold)


def _calibrate(
    development: DataFrame,
    assembler: VectorAssembler,
    fold_models: Mapping[int, Fitted],
    evaluation: Evaluation,
) -> tuple[Calibration, pd.DataFrame]:
    """The sigmoid, fitted on margins out of fold, and the scores that it makes of them."""
    own = without_fold(development, F.col("fold"))
    label = F.col("label").cast("double").alias("label")
    assembled = assembler.transform(own).select(*KEYS, "fold", label, "features").cache()
    margins = reduce(
        DataFrame.unionByName,
        [_with_margin(assembled.where(F.col("fold") == fold), fitted) for fold, fitted in fold_models.items()],
    ).select(*KEYS, "margin", "label")
    # The fit of the sigmoid is dozens of jobs, and the plan holds every fold's model.
    try:
        margins = materialize(margins)
    finally:
        assembled.unpersist()
    calibration = fit_calibration(margins)
    scored = calibration.model.transform(margins)
    scores = scored.select(*KEYS, F.col("label").cast("int").alias("label"), probability().alias("score"))
    return calibration, collect_scored(scores, evaluation)


def materialize(rows: DataFrame) -> DataFrame:
    """The rows, computed now and without their plan, which each of a search's hundreds of tasks would carry.

    Another executor, where there is one, has a copy of each part: without its plan, a part that is lost with an
    executor cannot be computed again.
    """
    return rows.localCheckpoint(storageLevel=_TWO_COPIES)


def _with_margin(rows: DataFrame, fitted: Fitted) -> DataFrame:
    *before, classifier = fitted.on("features")
    return PipelineModel([*before, *expose_margin(classifier)]).transform(rows)


def fold_sizes(train: DataFrame) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold. Collects one row per fold.

    Raises:
        SkipError: where there are no rows, fewer rows of a class than folds, or fewer than two folds with both classes.
    """
    counts = train.groupBy("fold").agg(F.count(F.lit(1)).alias("rows"), F.sum("label").alias("positives")).collect()
    sizes = {row.fold: (row.rows, row.positives) for row in counts}
    if not sizes:
        raise SkipError("there are no rows to train on: use a longer log")
    of_class = sum(positives for _, positives in sizes.values()), sum(rows - n for rows, n in sizes.values())
    with_both = [fold for fold, (rows, positives) in sizes.items() if 0 < positives < rows]
    # A model for each fold is trained on the others, so these must have both classes whichever fold is left out.
    if len(with_both) < 2 or min(of_class) < len(sizes):
        counted = ", ".join(f"fold {fold}: {p} of {n}" for fold, (n, p) in sorted(sizes.items()))
        raise SkipError(
            "cross-validation needs as many rows of each class as there are folds, and both in at least two folds "
            f"(positive rows in {counted}): use a longer log, fewer folds (sampling.split.folds.number) or another seed"
        )
    return sizes


def in_order_of_keys(train: DataFrame, rows: int, training: Training) -> DataFrame:
    """The training rows as estimators take them: ``label`` as a double, partitioned and sorted by key.

    Random forests draw bootstrap samples by a row's position, so positions follow from the keys and the number of rows,
    not from files or cores.
    """
    partitions = math.ceil(rows / training.rows_per_partition)
    return (
        train.withColumn("label", F.col("label").cast("double"))
        .repartition(partitions, *KEYS)
        .sortWithinPartitions(*KEYS)
    )


def assemble(
    train: DataFrame, folds: Sequence[int], feature_sets: FeatureSets, rows: int, training: Training
) -> DataFrame:
    """The training rows as the search takes them, in the order of their keys.

    Args:
        train: the features, ``label`` and ``fold``.
        folds: the numbers of the folds.
        feature_sets: columns by the name of the set.
        rows: the number of rows.
        training: how many rows one task works on.

    Returns:
        ``label``, ``fold``, a vector for each feature set, and ``left_out``, the fold that the features were fitted
        without: a row has a copy for each fold and one for ``EVERY_FOLD``. Where no feature is fitted it is null, and
        there is one copy.
    """
    if set(TYPE_FEATURES).isdisjoint(name for columns in feature_sets.values() for name in columns):
        copies = train.withColumn("left_out", F.lit(None).cast("int"))
    else:
        left_out = F.explode(F.array(*map(F.lit, (EVERY_FOLD, *folds))))
        copies = without_fold(train.withColumn("left_out", left_out), F.col("left_out"))
    for name, columns in feature_sets.items():
        copies = VectorAssembler(inputCols=list(columns), outputCol=_vector(name)).transform(copies)
    kept = copies.select(*KEYS, "label", "fold", "left_out", *map(_vector, feature_sets))
    return in_order_of_keys(kept, rows, training).drop(*KEYS)


def _unseen(assembled: DataFrame, fold: int) -> DataFrame:
    """The rows of a fold, with features that were fitted without it."""
    return _left_out(assembled, fold).where(F.col("fold") == fold)


def seen(assembled: DataFrame, fold: int) -> DataFrame:
    """The rows of all other folds, with features that were fitted without it."""
    return _left_out(assembled, fold).where(F.col("fold") != fold)


def _left_out(assembled: DataFrame, fold: int) -> DataFrame:
    return assembled.where(F.col("left_out").isNull() | (F.col("left_out") == fold))


def search_grid(
    assembled: DataFrame,
    folds: Sequence[int],
    feature_sets: Sequence[str],
    search: AlgorithmSearch,
    training: Training,
    problem: Problem,
) -> SearchResult:
    """Score settings on every fold, trained on the other folds: first each feature set, then the grid with the best.

    Args:
        assembled: the rows as ``assemble`` returns them, materialized.
        folds: the numbers of the folds.
        feature_sets: the names of the sets.
        search: the algorithm, its settings and its grid.
        training: how many models to fit in parallel.
        problem: how to fit and score.

    Returns:
        The points, the best one (the first of several) and its models. Collects one number per point and fold.
    """
    grid = [dict(zip(search.grid, values, strict=True)) for values in product(*search.grid.values())]
    sets: list[Settings] = [{FEATURE_SET: name, **grid[0]} for name in feature_sets]

    def score(points: list[Settings]) -> list[_ScoredPoint]:
        """Each point, scored on every fold with both classes by a model that was trained on the others."""
        tasks = [(seen(assembled, fold), point) for fold in folds for point in points]
        models = _fit_in_parallel(tasks, problem, search.algorithm, training)
        return _score_points(assembled, folds, points, models, problem)

    chosen = score(sets)
    best_set = _best(chosen).point.settings[FEATURE_SET]
    others: list[Settings] = [{FEATURE_SET: best_set, **settings} for settings in grid[1:]]
    scored = chosen + (score(others) if others else [])
    best = _best(scored)
    return SearchResult([each.point for each in scored], best.point, best.fold_models)


class _ScoredPoint(NamedTuple):
    point: GridPoint
    fold_models: Mapping[int, Fitted]


def _best(scored: Sequence[_ScoredPoint]) -> _ScoredPoint:
    """The first of those with the best score."""
    return max(scored, key=lambda each: each.point.score)


def _score_points(
    assembled: DataFrame, folds: Sequence[int], points: list[Settings], models: Sequence[Fitted], problem: Problem
) -> list[_ScoredPoint]:
    """Each point, scored on every fold with both classes; of several classes, by the mean over those that occur.

    Args:
        assembled: the rows.
        folds: the numbers of the folds.
        points: the settings.
        models: fold by fold, for each point the model that was trained on the other folds.
        problem: how to score.
    """
    by_fold = {fold: models[n * len(points) : (n + 1) * len(points)] for n, fold in enumerate(folds)}
    scored = reduce(DataFrame.unionByName, [problem.score(_unseen(assembled, fold), by_fold[fold]) for fold in folds])
    table = ranking_scores(scored, [name for name in scored.columns if name not in ("score", "label")])
    of_classes: dict[tuple[int, int], list[float]] = {}
    for row in table.collect():
        # On few positives a fold may be without any: its model is used, but nothing can be ranked.
        if 0 < row.positives < row.rows:
            of_classes.setdefault((row.fold, row.point), []).append(row.average_precision)
    score = {key: math.fsum(values) / len(values) for key, values in of_classes.items()}
    return [
        _ScoredPoint(
            _point(settings, [score[fold, number] for fold in folds if (fold, number) in score]),
            {fold: by_fold[fold][number] for fold in folds},
        )
        for number, settings in enumerate(points)
    ]


def probability(column: str = "probability") -> Column:
    """The probability of label 1, from a model's vector of probabilities."""
    return vector_to_array(F.col(column))[1]


def _vector(feature_set: str) -> str:
    """The column with the features of a set."""
    return f"features_{feature_set}"


def _point(settings: Settings, fold_scores: list[float]) -> GridPoint:
    return GridPoint(settings=settings, fold_scores=fold_scores, score=math.fsum(fold_scores) / len(fold_scores))


def fit(
    rows: DataFrame, settings: Settings, search: AlgorithmSearch, training: Training, strategy: Strategy = "none"
) -> Fitted:
    """Fit the algorithm on ordered rows with the vector ``features``, or that of the settings' feature set."""
    before, rows, column = fit_features(rows, settings, training)
    balanced = balance(rows, strategy, column, training)
    more: dict[str, Any] = {"weightCol": WEIGHT} if balanced.is_weighted else {}
    if ALGORITHMS[search.algorithm].takes_names:
        more["names"] = _features_in(rows, column)
    return Fitted(before, estimator(settings, search, training, column, **more).fit(balanced.rows))


def _features_in(rows: DataFrame, column: str) -> list[str]:
    """The names of the features in a vector, which its assembler has noted; of components there are none."""
    groups = rows.schema[column].metadata.get("ml_attr", {}).get("attrs", {}).values()
    numbered = {each["idx"]: each["name"] for group in groups for each in group if "name" in each}
    return [name for _, name in sorted(numbered.items())]


def fit_features(rows: DataFrame, settings: Settings, training: Training) -> tuple[list[Any], DataFrame, str]:
    """Fit what comes before the classifier: the stages, the rows with the vector that they make, and its column."""
    vector = _vector(str(settings[FEATURE_SET]))
    column = vector if vector in rows.columns else "features"
    latent = training.latent_sets.get(str(settings[FEATURE_SET]))
    before = [] if latent is None else fit_components(rows, column, latent.components)
    if before:
        return before, PipelineModel(before).transform(rows), "components"
    return [], rows, column


def estimator(settings: Settings, search: AlgorithmSearch, training: Training, column: str, **more: Any) -> Any:
    """The algorithm with the settings of a grid point and the seed, for the vector in a column."""
    own = {name: value for name, value in settings.items() if name != FEATURE_SET}
    check_installed(search.algorithm)
    made = ALGORITHMS[search.algorithm].estimator(featuresCol=column, **more, **search.settings, **own)
    if made.hasParam("seed"):
        made.setSeed(training.seed)
    return made


def _fit_in_parallel(
    tasks: list[tuple[DataFrame, Settings]], problem: Problem, algorithm: str, training: Training
) -> list[Fitted]:
    """A model per task, in the order of the tasks; logs the progress."""
    # Jobs of the threads inherit the job group and local properties of this thread.
    fit_one = inheritable_thread_target(tasks[0][0].sparkSession)(problem.fit)
    last_report = time.monotonic()
    with ThreadPoolExecutor(training.parallel_fits) as pool:
        futures = [pool.submit(fit_one, rows, settings) for rows, settings in tasks]
        for done, future in enumerate(as_completed(futures), start=1):
            if future.exception() is not None:
                # Fits that have not begun are not needed.
                pool.shutdown(cancel_futures=True)
                break
            if done == len(futures) or time.monotonic() - last_report > SECONDS_BETWEEN_REPORTS:
                logger.info("%s: %d of %d fits", algorithm, done, len(futures))
                last_report = time.monotonic()
    return [future.result() for future in futures]


def _score(rows: DataFrame, models: Sequence[Fitted]) -> DataFrame:
    """One row per row and model: ``fold``, ``point`` (the model's position), ``score`` and ``label``."""
    scored = score_by_class(rows, models)
    return scored.select("fold", "label", "point", F.col("scores")[1].alias("score"))


def score_by_class(rows: DataFrame, models: Sequence[Fitted]) -> DataFrame:
    """One row per row and model: ``fold``, ``label``, ``point`` (the model's position) and ``scores`` by class."""
    names = [f"scores_{position}" for position in range(len(models))]
    for position, (name, model) in enumerate(zip(names, models, strict=True)):
        only_scores(model.classifier, name)
        vector = model.before[0].getInputCol() if model.before else model.classifier.getFeaturesCol()
        rows = PipelineModel(model.on(vector, f"_{position}")).transform(rows)
    scores = F.array(*(vector_to_array(F.col(name)) for name in names))
    return rows.select("fold", "label", F.posexplode(scores).alias("point", "scores"))
