"""One model per feature: does any feature alone rank better than an honest feature can?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.learning.ranking import ranking_scores


def one_feature_scores(rows: DataFrame, features: Sequence[str], levels: int) -> DataFrame:
    """How well each feature alone ranks rows of users it has not seen.

    The model of a feature is a histogram: its values are cut into at most ``levels`` levels of about equally many rows
    (equal values share a level), and a row's score is the share of positives in its level among the other folds. So it
    finds a feature that gives the label away in either direction, or in the middle.

    Args:
        rows: the features, ``label`` (0 or 1) and ``fold``.
        features: the columns to look at.
        levels: how finely to cut.

    Returns:
        One row per feature: ``feature``, ``auc_roc``, ``auc_pr``, and the ``rows`` and ``positives`` they are of.
    """
    values = F.array(*(F.col(name).cast("double") for name in features))
    named = F.array(*(F.lit(name) for name in features))
    melted = rows.select("label", "fold", F.posexplode(values).alias("place", "value")).select(
        named[F.col("place")].alias("feature"), "value", "label", "fold"
    )
    per_value = melted.groupBy("feature", "value", "fold").agg(
        F.sum("label").cast("double").alias("positives"), F.count(F.lit(1)).cast("double").alias("rows")
    )
    per_level = (
        per_value.withColumn("level", _level(levels))
        .groupBy("feature", "level", "fold")
        .agg(F.sum("positives").alias("positives"), F.sum("rows").alias("rows"))
    )
    scored = per_level.select("feature", "positives", "rows", _share_elsewhere().alias("score"))
    # Counts stand for rows: each level is one row for its positives and one for the others.
    is_positive = [(1, F.col("positives")), (0, F.col("rows") - F.col("positives"))]
    counted = F.array(*(F.struct(F.lit(label).alias("label"), weight.alias("weight")) for label, weight in is_positive))
    weighted = scored.select("feature", "score", F.explode(counted).alias("counted"))
    return ranking_scores(weighted.select("feature", "score", "counted.*"), ["feature"]).select(
        "feature", "auc_roc", "auc_pr", "rows", "positives"
    )


def auc_roc_by_chance(rows: int, positives: int) -> float:
    """The AUC-ROC that one feature without any signal reaches about once in 30 000 times.

    Four standard deviations above one half, of the Mann-Whitney statistic without ties: sqrt((n + 1) / (12 p (n - p))).
    So on a log with few positives chance is not taken for a leak.
    """
    return 0.5 + 4 * math.sqrt((rows + 1) / (12 * positives * (rows - positives)))


def _level(levels: int) -> Column:
    """The level of a value: by how many rows have a smaller one."""
    so_far = Window.partitionBy("feature").orderBy("value").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    equal = Window.partitionBy("feature", "value")
    below = F.sum("rows").over(so_far) - F.sum("rows").over(equal)
    return F.floor(below * levels / F.sum("rows").over(Window.partitionBy("feature")))


def _share_elsewhere() -> Column:
    """The share of positives in the level among the other folds, shrunk by one row toward that of all levels there."""
    level, everywhere = Window.partitionBy("feature", "level"), Window.partitionBy("feature")
    fold = Window.partitionBy("feature", "fold")

    def elsewhere(name: str, window: Window, own: Column) -> Column:
        return F.sum(name).over(window) - own

    own_fold = {name: F.sum(name).over(fold) for name in ("positives", "rows")}
    average = F.try_divide(
        elsewhere("positives", everywhere, own_fold["positives"]), elsewhere("rows", everywhere, own_fold["rows"])
    )
    positives = elsewhere("positives", level, F.col("positives"))
    rows = elsewhere("rows", level, F.col("rows"))
    return (positives + F.coalesce(average, F.lit(0.0))) / (rows + 1)
