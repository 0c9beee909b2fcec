"""The leak audit: one model per feature, to find features that give the label away."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from sparkify_kedro.learning.ranking import ranking_scores


def one_feature_scores(rows: DataFrame, features: Sequence[str], levels: int) -> DataFrame:
    """How well each feature alone ranks rows of users that its model has not seen.

    The model of a feature is a histogram: its values are cut into at most ``levels`` levels of about equally many rows
    (equal values share a level), and a row's score is the share of positives in its level among the other folds. So the
    relation between feature and label need not be monotone.

    Args:
        rows: the features, ``label`` (0 or 1) and ``fold``.
        features: the columns to audit.
        levels: the number of levels.

    Returns:
        One row per feature: ``feature``, ``auc_roc``, ``average_precision``, ``rows`` and ``positives``.
    """
    values = F.array(*(F.col(name).cast("double") for name in features))
    named = F.array(*(F.lit(name) for name in features))
    melted = rows.select("label", "fold", F.posexplode(values).alias("position", "value")).select(
        named[F.col("position")].alias("feature"), "value", "label", "fold"
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
    # Rows are weighted: each level is one row for its positives and one for its negatives.
    is_positive = [(1, F.col("positives")), (0, F.col("rows") - F.col("positives"))]
    counted = F.array(*(F.struct(F.lit(label).alias("label"), weight.alias("weight")) for label, weight in is_positive))
    weighted = scored.select("feature", "score", F.explode(counted).alias("counted"))
    return ranking_scores(weighted.select("feature", "score", "counted.*"), ["feature"]).select(
        "feature", "auc_roc", "average_precision", "rows", "positives"
    )


def constant_columns(rows: DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns with one value in all rows. Collects one row."""
    if not columns:
        return []
    differ = rows.agg(*((F.min(name) < F.max(name)).alias(name) for name in columns)).collect()[0]
    return [name for name in columns if not differ[name]]


def auc_roc_by_chance(rows: int, positives: int) -> float:
    """The AUC-ROC that a feature without signal reaches about once in 30,000 times.

    Four standard deviations above one half, of the Mann-Whitney statistic without ties: sqrt((n + 1) / (12 p (n - p))).
    So chance is not mistaken for a leak on a log with few positives.
    """
    return 0.5 + 4 * math.sqrt((rows + 1) / (12 * positives * (rows - positives)))


def _level(levels: int) -> Column:
    """The level of a value, by the number of rows with a smaller one."""
    so_far = Window.partitionBy("feature").orderBy("value").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    equal = Window.partitionBy("feature", "value")
    below = F.sum("rows").over(so_far) - F.sum("rows").over(equal)
    return F.floor(below * levels / F.sum("rows").over(Window.partitionBy("feature")))


def _share_elsewhere() -> Column:
    """The share of positives in the level among the other folds, shrunk by one row toward that of all levels there."""
    level, everywhere = Window.partitionBy("feature", "level"), Window.partitionBy("feature")
    fold = Window.partitionBy("feature", "fold")

    def elsewhere(name: str, window: WindowSpec, own: Column) -> Column:
        return F.sum(name).over(window) - own

    own_fold = {name: F.sum(name).over(fold) for name in ("positives", "rows")}
    average = F.try_divide(
        elsewhere("positives", everywhere, own_fold["positives"]), elsewhere("rows", everywhere, own_fold["rows"])
    )
    positives = elsewhere("positives", level, F.col("positives"))
    rows = elsewhere("rows", level, F.col("rows"))
    return (positives + F.coalesce(average, F.lit(0.0))) / (rows + 1)
