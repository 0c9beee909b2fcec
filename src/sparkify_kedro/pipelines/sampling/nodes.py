"""Per label: development, training and test rows."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import fold_of, is_held_out, uniform_hash
from sparkify_kedro.churn.parameters import LabelSampling, Split


def select_development(user_time_bins: DataFrame, split: Split, sampling: LabelSampling, label: str) -> DataFrame:
    """The rows of one label that are not held out, at natural prevalence, each in a fold.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        split: the hold-out and the folds.
        sampling: the label's flags.
        label: the label.

    Returns:
        One row per (user_id, bin_end) that is not held out: its columns, ``label`` (0 or 1) and ``fold`` (0, 1, ...).
    """
    development = _labeled(user_time_bins, sampling, label).where(~is_held_out(split))
    return development.withColumn("fold", fold_of(split))


def sample_train(development: DataFrame, split: Split, sampling: LabelSampling, label: str) -> DataFrame:
    """The rows of one label to train on.

    Args:
        development: the label's rows that are not held out.
        split: the seed.
        sampling: the strategy, and the share of negatives to keep.
        label: the label.

    Returns:
        The rows of ``development`` that are kept: by the strategy ``undersample`` all positives and a share of the
        negatives, otherwise all, since other strategies balance the classes within each fit.
    """
    if sampling.strategy != "undersample":
        return development
    return development.where(_is_kept(split, label, sampling.keep_negatives))


def sample_test(user_time_bins: DataFrame, split: Split, sampling: LabelSampling, label: str) -> DataFrame:
    """The held-out rows of one label, at natural prevalence.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        split: the hold-out.
        sampling: the label's flags and shares.
        label: the label.

    Returns:
        One row per held-out (user_id, bin_end): its columns, ``label`` (0 or 1) and ``is_balanced``, which marks the
        rows that remain when negatives are downsampled as in the original, to compare scores with its own.
    """
    test = _labeled(user_time_bins, sampling, label).where(is_held_out(split))
    return test.withColumn("is_balanced", _is_kept(split, label, sampling.keep_negatives_of_original))


def sample_as_original(user_time_bins: DataFrame, split: Split, sampling: LabelSampling, label: str) -> DataFrame:
    """The rows of one label by the original's protocol: rows, not users, are held out, and both sides are balanced.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        split: the seed and the share to hold out.
        sampling: the share of negatives that the original kept.
        label: the label.

    Returns:
        One row per sampled (user_id, bin_end): its columns, ``label`` (0 or 1) and ``is_held_out``.
    """
    rows = _labeled(user_time_bins, sampling, label)
    kept = rows.where(_is_kept(split, label, sampling.keep_negatives_of_original))
    return kept.withColumn("is_held_out", is_held_out(split, "row"))


def _labeled(user_time_bins: DataFrame, sampling: LabelSampling, label: str) -> DataFrame:
    """The rows that have the label, in column ``label``; only users at risk where the label requires it."""
    has_label = F.col(label).isNotNull()
    rows = user_time_bins.where(has_label & F.col("at_risk") if sampling.at_risk_only else has_label)
    return rows.withColumn("label", F.col(label))


def _is_kept(split: Split, label: str, keep_negatives: float) -> Column:
    is_drawn = uniform_hash(split.seed, f"negatives of {label}", "row") < keep_negatives
    return (F.col("label") == 1) | is_drawn
