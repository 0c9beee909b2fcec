"""One model of several classes, calibrated out of fold, in place of a binary model of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler, VectorSlicer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.reports import GridPoint
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.skipping import SkipError

from .algorithms import ALGORITHMS
from .calibration import RAW_SCORES, only_raw_scores
from .latent import Fitted
from .parameters import AlgorithmSearch, Training
from .search import (
    FEATURE_SET,
    FeatureSets,
    Problem,
    Settings,
    assemble,
    estimator,
    fit_features,
    materialize,
    score_by_class,
    search_grid,
    seen,
)
from .user_types import EVERY_FOLD, without_fold


class OneAgainstRest(PipelineModel):
    """A binary model of each class against the others, which adds a vector of their margins.

    Spark's own has a Python function per row and class; this one is stages alone, with the setters of a classifier.
    """

    def __init__(self, models: Sequence[Any]) -> None:
        """From a fitted model per class."""
        self._models = list(models)
        self._slicers = [VectorSlicer(indices=[1]) for _ in models]
        self._assembler = VectorAssembler()
        super().__init__([*self._models, *self._slicers, self._assembler])

    def setFeaturesCol(self, name: str) -> None:
        """The vector that the models take."""
        for model in self._models:
            model.setFeaturesCol(name)

    def getFeaturesCol(self) -> str:
        """The vector that the models take."""
        return str(self._models[0].getFeaturesCol())

    def setRawPredictionCol(self, name: str) -> OneAgainstRest:
        """The column of the margins."""
        raw = [f"{name}_raw_{number}" for number in range(len(self._models))]
        margins = [f"{name}_margin_{number}" for number in range(len(self._models))]
        for model, slicer, scores, margin in zip(self._models, self._slicers, raw, margins, strict=True):
            only_raw_scores(model, scores)
            slicer.setInputCol(scores).setOutputCol(margin)
        self._assembler.setInputCols(margins).setOutputCol(name)
        return self


class ClassModel(NamedTuple):
    """A calibrated model of several classes.

    Attributes:
        points: of the grid, with their scores.
        best: the point that was chosen.
        features: the columns that the model takes.
        model: takes the features by name and adds ``probability``, a vector with an element per class.
        out_of_fold: keys and ``probability`` of the rows that it was trained on, by models that have not seen the row's
            fold; the calibration is that of the model, as of binary models.
    """

    points: list[GridPoint]
    best: GridPoint
    features: Sequence[str]
    model: PipelineModel
    out_of_fold: DataFrame


def train_classes(
    development: DataFrame,
    feature_sets: FeatureSets,
    search: AlgorithmSearch,
    training: Training,
    regularization: float,
) -> ClassModel:
    """Search an algorithm's settings on rows of several classes, fit and calibrate it.

    Logistic regression is multinomial, and forests take several classes; of an algorithm for two classes there is one
    fit of each class against the rest. The raw scores become probabilities by multinomial logistic regression, which
    extends Platt's sigmoid to classes (Guo et al. 2017, "On calibration of modern neural networks": matrix scaling).

    Args:
        development: one row per (user_id, bin_end): the features, ``label`` (0, 1, ...) and ``fold``.
        feature_sets: the feature sets to choose from: columns by name.
        search: the algorithm and its grid. The best point has the highest mean average precision over folds and over
            all classes but the first.
        training: how to train.
        regularization: the ``regParam`` of the calibration.

    Returns:
        The model. Collects one number per grid point, fold and class, and one per fold and class.

    Raises:
        SkipError: where a class is in fewer than two folds.
    """
    counts = _counts(development)
    folds, rows = sorted({fold for fold, _ in counts}), sum(counts.values())
    classes = max(label for _, label in counts) + 1
    problem = _several_classes(classes, search, training)
    assembled = materialize(assemble(development, folds, feature_sets, rows, training))
    result = search_grid(assembled, folds, list(feature_sets), search, training, problem)
    fitted = problem.fit(seen(assembled, EVERY_FOLD), result.best.settings)
    columns = list(feature_sets[str(result.best.settings[FEATURE_SET])])
    assembler = VectorAssembler(inputCols=columns, outputCol="features")
    raw = materialize(_raw_out_of_fold(development, assembler, result.fold_models))
    calibrate = LogisticRegression(featuresCol=RAW_SCORES, family="multinomial", regParam=regularization)
    calibration = calibrate.fit(raw).setRawPredictionCol("").setPredictionCol("")
    return ClassModel(
        points=result.points,
        best=result.best,
        features=columns,
        model=PipelineModel([assembler, *_with_raw_scores(fitted), calibration]),
        out_of_fold=calibration.transform(raw).select(*KEYS, "probability"),
    )


def _counts(development: DataFrame) -> dict[tuple[int, int], int]:
    """Rows by fold and class."""
    found = development.groupBy("fold", "label").count().collect()
    counts = {(row.fold, row.label): row["count"] for row in found}
    labels = {label for _, label in counts}
    rare = [label for label in sorted(labels) if len({fold for fold, other in counts if other == label}) < 2]
    if rare or len(labels) < 3:
        of_class = {label: sum(n for (_, other), n in counts.items() if other == label) for label in sorted(labels)}
        raise SkipError(
            "a model of several classes needs rows of three classes, each in at least two folds (rows by class: "
            f"{', '.join(f'{label}: {n}' for label, n in of_class.items())}): use a longer log"
        )
    return counts


def _several_classes(classes: int, search: AlgorithmSearch, training: Training) -> Problem:
    def fit_classes(rows: DataFrame, settings: Settings) -> Fitted:
        before, prepared, column = fit_features(rows, settings, training)
        made = estimator(settings, search, training, column)
        if ALGORITHMS[search.algorithm].takes_classes:
            return Fitted(before, made.fit(prepared))
        labels = [(F.col("label") == number).cast("double") for number in range(classes)]
        return Fitted(before, OneAgainstRest([made.fit(prepared.withColumn("label", label)) for label in labels]))

    def score_classes(rows: DataFrame, models: Sequence[Fitted]) -> DataFrame:
        scores = F.posexplode("scores").alias("class", "score")
        by_class = score_by_class(rows, models).select("fold", "point", F.col("label").alias("class_of_row"), scores)
        is_class = (F.col("class_of_row") == F.col("class")).cast("int").alias("label")
        events = by_class.where(F.col("class").between(1, classes - 1))
        return events.select("fold", "point", "class", "score", is_class)

    return Problem(fit_classes, score_classes)


def _with_raw_scores(fitted: Fitted) -> list[Any]:
    *before, classifier = fitted.on("features")
    only_raw_scores(classifier, RAW_SCORES)
    # A model that is loaded has no pipelines within.
    return [*before, *(classifier.stages if isinstance(classifier, OneAgainstRest) else [classifier])]


def _raw_out_of_fold(
    development: DataFrame, assembler: VectorAssembler, fold_models: Mapping[int, Fitted]
) -> DataFrame:
    own = assembler.transform(without_fold(development, F.col("fold")))
    scored = [
        PipelineModel(_with_raw_scores(fitted)).transform(own.where(F.col("fold") == fold))
        for fold, fitted in fold_models.items()
    ]
    label = F.col("label").cast("double").alias("label")
    return reduce(DataFrame.unionByName, scored).select(*KEYS, "fold", label, RAW_SCORES)
