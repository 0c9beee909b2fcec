"""Train models of several classes, and compare them with binary models on the same rows and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import fold_of, is_held_out
from sparkify_kedro.churn.parameters import Split
from sparkify_kedro.churn.reports import FeatureAudit
from sparkify_kedro.churn.vocabulary import KEYS, LABELS
from sparkify_kedro.learning.evaluation import (
    collect_scored,
    paired_difference,
    probability_report,
    ranking_report,
)
from sparkify_kedro.learning.multiclass import train_classes as train
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training

from .parameters import Multiclass

# In the order of their numbers; the churn classes have the names of the binary labels that they agree with.
CLASSES = ("stays", "churned_in_time_bin", "will_churn_in_next_bin")


def select_class_rows(user_time_bins: DataFrame, split: Split) -> DataFrame:
    """The rows whose class is known, with their class.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        split: the hold-out and the folds, the same as of binary labels.

    Returns:
        The rows whose horizon the log covers: their columns, ``label`` (the number of the class), ``is_held_out`` and
        ``fold``.
    """
    known = user_time_bins.where(F.col("will_churn_in_next_bin").isNotNull())
    label = (
        F.when(F.col("churned_in_time_bin") == 1, CLASSES.index("churned_in_time_bin"))
        .when(F.col("will_churn_in_next_bin") == 1, CLASSES.index("will_churn_in_next_bin"))
        .otherwise(CLASSES.index("stays"))
    )
    return known.withColumns({"label": label, "is_held_out": is_held_out(split), "fold": fold_of(split)})


def train_classes(
    class_rows: DataFrame,
    feature_audit: FeatureAudit,
    training: Training,
    search: AlgorithmSearch,
    multiclass: Multiclass,
) -> tuple[PipelineModel, DataFrame]:
    """Train an algorithm on all classes at once, and score every row by a model that has not seen it.

    Args:
        class_rows: one row per (user_id, bin_end): features, ``label``, ``is_held_out`` and ``fold``.
        feature_audit: the feature sets to choose from, of a label that includes the window as well as the horizon.
        training: how to train.
        search: the algorithm and its grid.
        multiclass: the calibration.

    Returns:
        The model, and the probabilities of the classes: out of fold, or by the model where the row is held out.

    Raises:
        SkipError: where a class has too few rows.
    """
    development = class_rows.where(~F.col("is_held_out"))
    trained = train(development, feature_audit.feature_sets, search, training, multiclass.calibration_reg_param)
    held_out = trained.model.transform(class_rows.where("is_held_out")).select(*KEYS, "probability")
    by_class = vector_to_array(F.col("probability"))
    scores = trained.out_of_fold.unionByName(held_out).select(
        *KEYS, *(by_class[number].alias(name) for number, name in enumerate(CLASSES))
    )
    return trained.model, scores


def compare_with_binary(evaluation: Evaluation, algorithms: Sequence[str], **scores: DataFrame) -> pd.DataFrame:
    """Compare each algorithm on all classes with its binary models, on the same labels and rows.

    Every row is scored by models that have not seen its user: out of fold, or held out. Users at risk have not churned
    in the window, so for them the probability of churning next is that among the two other classes.

    Args:
        evaluation: how to evaluate.
        algorithms: their names.
        scores: ``{algorithm}_class_scores``; and of the binary models ``{label}_{algorithm}_out_of_fold`` and
            ``{label}_{algorithm}_predictions``: keys, ``label`` and ``score``.

    Returns:
        One row per label and algorithm: average precision, AUC-ROC, Brier score and calibration error of both, and the
        difference in average precision with its 95 % interval. Collects the scores, up to ``evaluation.max_rows``.
    """
    return pd.DataFrame(
        [
            {"label": label, "algorithm": algorithm}
            | _compared(
                scores[f"{algorithm}_class_scores"],
                [scores[f"{label}_{algorithm}_{name}"] for name in ("out_of_fold", "predictions")],
                score,
                evaluation,
            )
            for label, score in _scores_of_labels().items()
            for algorithm in algorithms
        ]
    )


def _scores_of_labels() -> dict[str, Column]:
    """The probability of each binary label, from those of the classes."""
    stays, churned, will_churn = map(F.col, CLASSES)
    return dict(zip(LABELS, (churned, F.try_divide(will_churn, stays + will_churn), churned + will_churn), strict=True))


def _compared(
    class_scores: DataFrame, binary: Sequence[DataFrame], score: Column, evaluation: Evaluation
) -> dict[str, Any]:
    of_binary, predicted = (each.select(*KEYS, "label", F.col("score").alias("binary")) for each in binary)
    both = of_binary.unionByName(predicted).join(class_scores, list(KEYS), "inner")
    collected = collect_scored(both.select(*KEYS, "label", F.col("binary"), score.alias("score")), evaluation)
    of_classes, of_label = collected.drop(columns="binary"), collected.assign(score=collected["binary"])
    difference = paired_difference(of_classes, of_label, evaluation)
    low, high = difference.interval or (None, None)
    row: dict[str, Any] = {"rows": len(collected), "positives": int(collected["label"].sum())}
    for name, scored in (("binary", of_label), ("multiclass", of_classes)):
        ranking = ranking_report(scored, evaluation)
        probabilities = probability_report(scored, 0.5, evaluation)
        row |= {
            f"{name}_average_precision": ranking.average_precision,
            f"{name}_auc_roc": ranking.auc_roc,
            f"{name}_brier": probabilities.brier,
            f"{name}_calibration_error": probabilities.calibration_error,
        }
    return row | {"difference": difference.average_precision, "difference_low": low, "difference_high": high}
