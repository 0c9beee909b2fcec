"""From rows of features and labels to what models are trained on and judged by."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.framework.parameters import did_you_mean

from .parameters import LabelSampling, Split, Unit


def select_development(user_time_bins: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The rows of one label that are not held out, at their natural prevalence, each in a fold.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        split: the hold-out and the folds.
        sampling: the label.

    Returns:
        One row per (user_id, time_bin) that is not held out: its columns, ``label`` (0 or 1) and ``fold`` (0, 1, ...).
    """
    folds = split.folds
    fold = F.floor(uniform_hash(split.seed, "fold", folds.unit) * folds.number).cast("int")
    return _labeled(user_time_bins, sampling).where(~_is_held_out(split, split.hold_out.unit)).withColumn("fold", fold)


def sample_train(development: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The rows of one label to train on: negatives thinned.

    Args:
        development: the label's rows that are not held out.
        split: the seed.
        sampling: the label and its balance.

    Returns:
        The rows of ``development`` that are kept.
    """
    return development.where(_is_kept(split, sampling.label, sampling.keep_negatives))


def sample_test(user_time_bins: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The held-out rows of one label, at their natural prevalence.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        split: the hold-out.
        sampling: the label.

    Returns:
        One row per held-out (user_id, time_bin): its columns and ``label`` (0 or 1).
    """
    return _labeled(user_time_bins, sampling).where(_is_held_out(split, split.hold_out.unit))


def balance_test(test: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The test rows with negatives thinned as the original did, to compare scores with its own.

    Args:
        test: the label's held-out rows.
        split: the seed.
        sampling: the label's balance.

    Returns:
        The rows of ``test`` that are kept.
    """
    return test.where(_is_kept(split, sampling.label, sampling.keep_negatives_of_original))


def sample_as_original(user_time_bins: DataFrame, split: Split, sampling: LabelSampling) -> DataFrame:
    """The rows of one label as the original took them: rows, not users, held out, and both sides balanced.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        split: the seed and the share to hold out.
        sampling: the label, and the share of negatives that the original kept.

    Returns:
        One row per sampled (user_id, time_bin): its columns, ``label`` (0 or 1) and ``is_held_out``.
    """
    rows = _labeled(user_time_bins, sampling)
    kept = rows.where(_is_kept(split, sampling.label, sampling.keep_negatives_of_original))
    return kept.withColumn("is_held_out", _is_held_out(split, "row"))


def _labeled(user_time_bins: DataFrame, sampling: LabelSampling) -> DataFrame:
    """The rows that can be judged for a label, with the label in column ``label``.

    Raises:
        ValueError: where the table has no such label.
    """
    if sampling.label not in user_time_bins.columns:
        advice = did_you_mean(sampling.label, user_time_bins.columns)
        raise ValueError(f"sampling names the label '{sampling.label}', which user_time_bins lacks: {advice}")
    can_be_judged: Column = reduce(Column.__and__, [F.col(flag) for flag in sampling.requires], F.lit(True))
    return user_time_bins.where(can_be_judged).withColumn("label", F.col(sampling.label))


def _is_held_out(split: Split, unit: Unit) -> Column:
    return uniform_hash(split.seed, "hold out", unit) < split.hold_out.share


def _is_kept(split: Split, label: str, keep_negatives: float) -> Column:
    is_drawn = uniform_hash(split.seed, f"negatives of {label}", "row") < keep_negatives
    return (F.col("label") == 1) | is_drawn
