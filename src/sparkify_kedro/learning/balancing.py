"""Balance the classes of the rows that a model is fitted on; the rows that it is judged on stay as they are.

Undersampling is not among the functions here: it takes place before, when the training rows are sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.framework.skipping import SkipError

from .parameters import Training

WEIGHT = "weight"


class Balanced(NamedTuple):
    """The rows to fit on, and whether they have a weight."""

    rows: DataFrame
    is_weighted: bool = False


def balance(rows: DataFrame, strategy: str, vector: str, training: Training) -> Balanced:
    """Balance the rows of a fit.

    Args:
        rows: ``label`` (0.0 or 1.0) and the vector, in the order of their keys.
        strategy: of the label; ``none`` and ``undersample`` leave the rows as they are.
        vector: the column with the features.
        training: the seed, and the settings of SMOTE.

    Raises:
        SkipError: where SMOTE would collect too many rows, or has fewer than two positive ones.
    """
    return _STRATEGIES[strategy](rows, vector, training) if strategy in _STRATEGIES else Balanced(rows)


def _oversample(rows: DataFrame, vector: str, training: Training) -> Balanced:
    """Every row of the smaller class as often as brings both classes closest to the same size."""
    positives, negatives = _class_sizes(rows)
    smaller = 1.0 if positives <= negatives else 0.0
    copies = max(1, round(max(positives, negatives) / max(1, min(positives, negatives))))
    times = F.when(F.col("label") == smaller, copies).otherwise(1)
    return Balanced(rows.withColumn("_copy", F.explode(F.sequence(F.lit(1), times))).drop("_copy"))


def _weigh_classes(rows: DataFrame, vector: str, training: Training) -> Balanced:
    """Both classes have the same weight in all, and the rows a mean weight of 1 (King and Zeng 2001)."""
    positives, negatives = _class_sizes(rows)
    half = (positives + negatives) / 2
    weight = F.when(F.col("label") == 1.0, half / max(1, positives)).otherwise(half / max(1, negatives))
    return Balanced(rows.withColumn(WEIGHT, weight), is_weighted=True)


def _smote(rows: DataFrame, vector: str, training: Training) -> Balanced:
    """Made-up rows of the smaller class between its neighbors (Chawla et al. 2002), until both are of the same size.

    Neighbors are found on features scaled by their standard deviation. Collects the rows, up to
    ``training.smote.most_rows``.
    """
    # The library takes a second to load, and most runs do not need it.
    from imblearn.over_sampling import SMOTE  # noqa: PLC0415

    most = training.smote.most_rows
    collected = rows.select("label", vector_to_array(F.col(vector)).alias("features")).limit(most + 1).toPandas()
    if len(collected) > most:
        raise SkipError(
            f"SMOTE collects the training rows, and there are more than {most}: choose another strategy "
            "(sampling.labels), or raise modeling.training.smote.most_rows"
        )
    label, features = collected["label"].to_numpy(), np.array(collected["features"].tolist(), dtype=float)
    smaller = int(min(np.sum(label == 1), np.sum(label == 0)))
    if smaller < 2:
        raise SkipError("SMOTE needs two rows of each class wherever it is used: choose another strategy, or more rows")
    deviation = features.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    sampler = SMOTE(random_state=training.seed % 2**32, k_neighbors=min(training.smote.neighbors, smaller - 1))
    resampled, labels = sampler.fit_resample(features / scale, label)
    made = [
        (float(its_label), values.tolist())
        for its_label, values in zip(labels[len(label) :], resampled[len(label) :] * scale, strict=True)
    ]
    # In a partition of their own, so that the positions of the others, by which forests draw, stay the same.
    table = rows.sparkSession.createDataFrame(made, "label double, features array<double>").coalesce(1)
    made_up = table.select("label", array_to_vector(F.col("features")).alias(vector))
    return Balanced(rows.select("label", vector).unionByName(made_up))


def _class_sizes(rows: DataFrame) -> tuple[int, int]:
    """Positives and negatives."""
    counts = rows.agg(F.sum("label").alias("positives"), F.count(F.lit(1)).alias("rows")).first()
    positives = int(counts["positives"] or 0) if counts else 0
    return positives, (int(counts["rows"]) if counts else 0) - positives


_STRATEGIES: dict[str, Callable[[DataFrame, str, Training], Balanced]] = {
    "oversample": _oversample,
    "class_weights": _weigh_classes,
    "smote": _smote,
}
