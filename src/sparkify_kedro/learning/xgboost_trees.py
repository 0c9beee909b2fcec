"""XGBoost's Spark estimator, by the names that the search gives (the extra ``xgboost``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .curves import Array


def xgboost_classifier(  # noqa: PLR0913 - the settings that a grid may vary
    *,
    featuresCol: str = "features",
    weightCol: str | None = None,
    directions: Sequence[int] = (),
    num_workers: int = 1,
    n_estimators: int = 100,
    learning_rate: float = 0.3,
    max_depth: int = 6,
    min_child_weight: float = 1,
    reg_lambda: float = 1,
    subsample: float = 1,
    colsample_bytree: float = 1,
    max_bin: int = 256,
) -> Any:
    """The estimator with XGBoost's own settings.

    Args:
        featuresCol: the vector of the features.
        weightCol: the weight of each row; all rows count the same without it.
        directions: per feature, in the order of the vector, 1 where the score may only rise with it, -1 where it may
            only fall, and 0 where it may do both (``monotone_constraints``); empty: both everywhere.
        num_workers: Spark tasks that train one model together; several give slightly other trees.
        n_estimators: trees.
        learning_rate: the weight of each tree.
        max_depth: levels of splits in a tree.
        min_child_weight: the least sum of second derivatives in a leaf.
        reg_lambda: the L2 penalty of a leaf's value.
        subsample: the share of the rows that each tree sees.
        colsample_bytree: the share of the features that each tree sees.
        max_bin: bins that a feature is cut into.
    """
    # Its package belongs to an extra.
    from xgboost.spark import SparkXGBClassifier  # noqa: PLC0415

    own: dict[str, Any] = {
        "weight_col": weightCol,
        "monotone_constraints": str(tuple(directions)) if any(directions) else None,
    }
    return SparkXGBClassifier(
        features_col=featuresCol,
        label_col="label",
        num_workers=num_workers,
        # Its workers wait for each other, which Spark refuses where partitions were merged without a shuffle.
        force_repartition=True,
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        max_depth=max_depth,
        min_child_weight=min_child_weight,
        reg_lambda=reg_lambda,
        subsample=subsample,
        colsample_bytree=colsample_bytree,
        max_bin=max_bin,
        tree_method="hist",
        # Otherwise a line per tree and per worker is printed.
        verbose=False,
        verbosity=0,
        **{name: value for name, value in own.items() if value is not None},
    )


def gains(model: Any, features: Sequence[str]) -> dict[str, float]:
    """Each feature's share of the gain of all splits; the shares sum to 1."""
    gain = model.get_booster().get_score(importance_type="total_gain")
    total = sum(gain.values())
    return {name: gain.get(f"f{position}", 0.0) / total if total else 0.0 for position, name in enumerate(features)}


def shapley_values(model: Any, rows: Array) -> Array:
    """XGBoost's own Shapley values of its trees (the path-dependent ones of Lundberg et al. 2020), rows x features."""
    from xgboost import DMatrix  # noqa: PLC0415

    if not len(rows):
        return rows
    values: Array = model.get_booster().predict(DMatrix(rows), pred_contribs=True)
    # Behind the features is the mean margin.
    return values[:, :-1]
