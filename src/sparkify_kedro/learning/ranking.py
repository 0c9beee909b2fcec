"""Average precision and areas under the precision-recall and ROC curves, for many sets of scores in one Spark job."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F


def ranking_scores(scored: DataFrame, by: list[str]) -> DataFrame:
    """Average precision and the areas under both curves of every group, exact (no binning), in one job for all groups.

    Average precision is the sum of the precisions at each distinct score, weighted by the gain in recall there. The
    curves are those of Spark's ``BinaryClassificationMetrics``: a point per distinct score, joined by straight lines;
    the precision-recall curve starts at recall 0 with the precision of its first point, the ROC curve at (0, 0).
    Spark's own evaluator runs four jobs per set of scores, which for a grid of small models takes longer than fitting
    them.

    Args:
        scored: rows with the ``by`` columns, ``score``, ``label`` (0 or 1) and optionally ``weight``, a whole number
            (1 where there is no such column).
        by: the columns that identify a set of scores.

    Returns:
        One row per group: ``rows``, ``positives``, ``prevalence``, ``average_precision``, ``auc_pr`` and ``auc_roc``;
        the last three are null where the group lacks one of the two classes.
    """
    weight = F.col("weight") if "weight" in scored.columns else F.lit(1)
    per_score = scored.groupBy(*by, "score").agg(
        F.sum(weight * F.col("label")).cast("double").alias("positives"), F.sum(weight).cast("double").alias("rows")
    )
    descending = Window.partitionBy(*by).orderBy(F.desc("score"))
    so_far = descending.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    whole = Window.partitionBy(*by)
    counted = per_score.select(
        *by,
        "score",
        F.sum("positives").over(so_far).alias("true_positives"),
        F.sum("rows").over(so_far).alias("flagged"),
        F.sum("positives").over(whole).alias("positives"),
        F.sum("rows").over(whole).alias("rows"),
    )
    precision = F.col("true_positives") / F.col("flagged")
    recall = F.try_divide(F.col("true_positives"), F.col("positives"))
    false_positive_rate = F.try_divide(F.col("flagged") - F.col("true_positives"), F.col("rows") - F.col("positives"))
    points = counted.withColumns({"precision": precision, "recall": recall, "fpr": false_positive_rate})
    steps = points.select(
        *by,
        "positives",
        "rows",
        ((F.col("recall") - _before("recall", descending)) * F.col("precision")).alias("precision_step"),
        _trapezoid("recall", "precision", descending, first=F.col("precision")).alias("pr_step"),
        _trapezoid("fpr", "recall", descending, first=F.lit(0.0)).alias("roc_step"),
    )
    return steps.groupBy(*by).agg(
        F.max("rows").cast("long").alias("rows"),
        F.max("positives").cast("long").alias("positives"),
        (F.max("positives") / F.max("rows")).alias("prevalence"),
        F.sum("precision_step").alias("average_precision"),
        F.sum("pr_step").alias("auc_pr"),
        F.sum("roc_step").alias("auc_roc"),
    )


def _before(x: str, order: WindowSpec) -> Column:
    """The value at the point before; 0 at the first."""
    return F.coalesce(F.lag(x).over(order), F.lit(0.0))


def _trapezoid(x: str, y: str, order: WindowSpec, first: Column) -> Column:
    """The area between a point and the one before it; the curve starts at x = 0 with y = ``first``."""
    width = F.col(x) - _before(x, order)
    height = (F.col(y) + F.coalesce(F.lag(y).over(order), first)) / 2
    return width * height
