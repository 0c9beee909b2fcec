"""From training rows to models, their scores on unseen rows, and the champion."""

from __future__ import annotations

from typing import Any

from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from .algorithms import ALGORITHMS
from .parameters import AlgorithmSearch, Comparison, Training
from .ranking import ranking_scores
from .search import KEYS, prepare, probability, search_grid


def search_model(train: DataFrame, training: Training, search: AlgorithmSearch) -> tuple[PipelineModel, dict[str, Any]]:
    """Choose an algorithm's settings by cross-validation and fit it with them on all training rows.

    Args:
        train: one row per (user_id, time_bin) with the features, ``label`` and ``fold``.
        training: the features and how to train.
        search: the algorithm and its grid.

    Returns:
        The model, which takes the columns of ``user_time_bins`` by name; and the search: every grid point with its
        score in each fold, the best one, and what the model says about each feature.

    Raises:
        ValueError: where a feature is missing, or a fold lacks rows of one of the two classes.
    """
    _check_features(train, training)
    sizes = _fold_sizes(train)
    assembler = VectorAssembler(inputCols=training.features, outputCol="features")
    prepared = prepare(train, assembler, sum(rows for rows, _ in sizes.values()), training).cache()
    try:
        found = search_grid(prepared, sorted(sizes), search, training)
    finally:
        prepared.unpersist()
    report = {
        "algorithm": search.algorithm,
        "metric": "areaUnderPR",
        "settings": search.settings,
        "train": {
            "rows": sum(rows for rows, _ in sizes.values()),
            "positives": sum(positives for _, positives in sizes.values()),
        },
        "points": [point._asdict() | {"score": point.score} for point in found.points],
        "best": found.best._asdict() | {"score": found.best.score},
        **ALGORITHMS[search.algorithm].explain(found.model, training.features),
    }
    return PipelineModel([assembler, found.model]), report


def predict(model: PipelineModel, test: DataFrame) -> DataFrame:
    """Score the held-out rows.

    Args:
        model: a fitted model.
        test: one row per held-out (user_id, time_bin).

    Returns:
        The rows' keys and ``label``, with ``score``: the model's probability of label 1.
    """
    return model.transform(test).select(*KEYS, "label", probability().alias("score"))


def evaluate(predictions: DataFrame, test_balanced: DataFrame) -> dict[str, Any]:
    """Judge the scores on the held-out rows, and on the balanced ones among them.

    Args:
        predictions: the scored held-out rows.
        test_balanced: the held-out rows whose negatives are thinned as in training.

    Returns:
        Per set, ``test`` and ``test_balanced``: rows, positives, prevalence (the chance level of ``auc_pr``) and the
        areas under the precision-recall and the ROC curve; an area is null where the set lacks one of the two classes.
    """
    balanced = predictions.join(test_balanced.select(*KEYS), on=list(KEYS), how="left_semi")
    both = predictions.withColumn("set", F.lit("test")).unionByName(balanced.withColumn("set", F.lit("test_balanced")))
    scores = {row.set: row.asDict() for row in ranking_scores(both, ["set"]).collect()}
    nothing = {"rows": 0, "positives": 0, "prevalence": None, "auc_pr": None, "auc_roc": None}
    return {name: {key: scores.get(name, nothing)[key] for key in nothing} for name in ("test", "test_balanced")}


def compare_algorithms(comparison: Comparison, *searches_and_metrics: dict[str, Any]) -> dict[str, Any]:
    """Name the champion: the algorithm with the best cross-validated score, never the one that tests best.

    Args:
        comparison: the set whose scores speak for the models.
        searches_and_metrics: the search and the metrics of each algorithm, in turn.

    Returns:
        The champion's name, the set it is judged on, and per algorithm its best settings, their cross-validated score
        and the test metrics.
    """
    pairs = zip(searches_and_metrics[::2], searches_and_metrics[1::2], strict=True)
    algorithms = {
        search["algorithm"]: {
            "settings": search["best"]["settings"],
            "cross_validated_auc_pr": search["best"]["score"],
            **metrics,
        }
        for search, metrics in pairs
    }
    champion = max(algorithms, key=lambda name: algorithms[name]["cross_validated_auc_pr"])
    return {"champion": champion, "judged_on": comparison.judged_on, "algorithms": algorithms}


def keep_champion(comparison: dict[str, Any], *models: PipelineModel) -> PipelineModel:
    """The champion's model.

    Args:
        comparison: the comparison that names the champion.
        models: the algorithms' models, in the comparison's order.

    Returns:
        The model of the algorithm that won.
    """
    return dict(zip(comparison["algorithms"], models, strict=True))[comparison["champion"]]


def _check_features(train: DataFrame, training: Training) -> None:
    missing = [name for name in training.features if name not in train.columns]
    if missing:
        raise ValueError(f"modeling.training.features names {', '.join(missing)}, which the training rows lack")


def _fold_sizes(train: DataFrame) -> dict[int, tuple[int, int]]:
    """Rows and positives per fold. Collects one row per fold.

    Raises:
        ValueError: where there are fewer than two folds with rows of both classes.
    """
    counts = train.groupBy("fold").agg(F.count(F.lit(1)).alias("rows"), F.sum("label").alias("positives")).collect()
    sizes = {row.fold: (row.rows, row.positives) for row in counts}
    one_sided = [fold for fold, (rows, positives) in sorted(sizes.items()) if positives in (0, rows)]
    if len(sizes) < 2 or one_sided:
        found = ", ".join(f"fold {fold}: {p} of {n} rows are positive" for fold, (n, p) in sorted(sizes.items()))
        raise ValueError(
            f"cross-validation needs rows of both classes in every fold, and found {found or 'no rows'}: use a longer "
            "log, fewer folds (sampling.split.folds.number) or another seed"
        )
    return sizes
