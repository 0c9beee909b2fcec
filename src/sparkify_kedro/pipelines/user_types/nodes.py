"""From rows to user types, and from these to features."""

from __future__ import annotations

from pyspark.sql import DataFrame

from sparkify_kedro.churn.hash_sampling import fold_of, is_held_out
from sparkify_kedro.churn.parameters import FeatureEngineering, Split
from sparkify_kedro.churn.reports import UserTypesByFold
from sparkify_kedro.churn.vocabulary import FORECAST
from sparkify_kedro.learning.parameters import UserTypeSearch
from sparkify_kedro.learning.user_types import collect_histories, fit_by_fold, with_types_by_fold


def fit_user_types(
    user_time_bins: DataFrame, split: Split, feature_engineering: FeatureEngineering, search: UserTypeSearch
) -> UserTypesByFold:
    """Fit the user types on the users who are not held out, and once without the users of each fold.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        split: the hold-out and the folds. Types are of users: also where the split is by row.
        feature_engineering: the horizon of the forecast.
        search: how to fit.

    Returns:
        The types. Collects one row per user, up to ``search.most_users``.
    """
    by_user = split.model_copy(update={"folds": split.folds.model_copy(update={"unit": "user"})})
    development = user_time_bins.where(~is_held_out(split, "user")).withColumn("fold", fold_of(by_user))
    histories = collect_histories(development, search.most_users)
    return fit_by_fold(histories, split.folds.number, feature_engineering.labels[FORECAST].horizon_days, search)


def add_user_types(user_time_bins: DataFrame, user_types: UserTypesByFold) -> DataFrame:
    """Add the features that come from user types.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        user_types: fitted on all users who are not held out, and without each fold.

    Returns:
        The rows with the features by the types of all, and for each fold by the types that were fitted without it, so
        that nothing that is trained or scored out of fold has seen the users it is judged on.
    """
    return with_types_by_fold(user_time_bins, user_types)
