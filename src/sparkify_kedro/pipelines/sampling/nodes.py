"""From rows of features and labels to what models are trained on and judged by."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .chance import chance
from .parameters import LabelSampling, Split


def sample_train(user_time_bins: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The rows of one label to train on: not held out, negatives thinned, each in a fold.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        split: the hold-out and the folds.
        sampling: the label and its balance.

    Returns:
        One row per sampled (user_id, time_bin): its columns, ``label`` (0 or 1) and ``fold`` (0, 1, ...).
    """
    folds = split.folds
    fold = F.floor(chance(split.seed, "fold", folds.unit) * folds.number).cast("int")
    rows = _labelled(user_time_bins, sampling).where(~_is_held_out(split))
    return rows.where(_is_kept(split, sampling)).withColumn("fold", fold)


def sample_test(user_time_bins: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The held-out rows of one label, at their natural prevalence.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        split: the hold-out.
        sampling: the label.

    Returns:
        One row per held-out (user_id, time_bin): its columns and ``label`` (0 or 1).
    """
    return _labelled(user_time_bins, sampling).where(_is_held_out(split))


def balance_test(test: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The test rows with negatives thinned as in training, to compare scores with those of the original.

    Args:
        test: the label's held-out rows.
        split: the seed.
        sampling: the label's balance.

    Returns:
        The rows of ``test`` that are kept.
    """
    return test.where(_is_kept(split, sampling))


def _labelled(user_time_bins: DataFrame, sampling: LabelSampling) -> DataFrame:
    """The rows that can be judged for a label, with the label in column ``label``.

    Raises:
        ValueError: where the table has no such label.
    """
    if sampling.label not in user_time_bins.columns:
        raise ValueError(f"sampling names the label '{sampling.label}', which user_time_bins lacks")
    can_be_judged: Column = reduce(Column.__and__, [F.col(flag) for flag in sampling.requires], F.lit(True))
    return user_time_bins.where(can_be_judged).withColumn("label", F.col(sampling.label))


def _is_held_out(split: Split) -> Column:
    return chance(split.seed, "hold out", split.hold_out.unit) < split.hold_out.share


def _is_kept(split: Split, sampling: LabelSampling) -> Column:
    is_drawn = chance(split.seed, f"negatives of {sampling.label}", "row") < sampling.keep_negatives
    return (F.col("label") == 1) | is_drawn
