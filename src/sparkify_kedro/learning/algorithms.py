"""The techniques: which estimator each is, and what its fitted model says about the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml.classification import (
    GBTClassificationModel,
    GBTClassifier,
    LogisticRegression,
    LogisticRegressionModel,
    RandomForestClassificationModel,
    RandomForestClassifier,
)


@dataclass(frozen=True)
class Algorithm:
    """An estimator of Spark ML, and how to read its fitted model.

    ``explain`` tells of the features over all rows; ``contributions`` of single rows: from the model, rows x features
    and the features' means over the training rows, what each feature adds to each row's margin.
    """

    estimator: type[LogisticRegression | RandomForestClassifier | GBTClassifier]
    explain: Callable[[Any, Sequence[str]], dict[str, Any]]
    contributions: Callable[[Any, np.ndarray, np.ndarray], np.ndarray]


def coefficients(model: LogisticRegressionModel, features: Sequence[str]) -> dict[str, Any]:
    """The change of the log-odds per unit of each feature, and the log-odds where all features are 0."""
    return {
        "coefficients": dict(zip(features, map(float, model.coefficients), strict=True)),
        "intercept": float(model.intercept),
    }


def importances(
    model: RandomForestClassificationModel | GBTClassificationModel, features: Sequence[str]
) -> dict[str, Any]:
    """Each feature's share of the impurity that the trees' splits remove; the shares sum to 1."""
    return {"importances": dict(zip(features, map(float, model.featureImportances.toArray()), strict=True))}


def linear_contributions(model: LogisticRegressionModel, rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Coefficient times distance from the training mean: exact, and their sum is the margin less that at the means."""
    return model.coefficients.toArray() * (rows - means)


def tree_contributions(
    model: RandomForestClassificationModel | GBTClassificationModel, rows: np.ndarray, means: np.ndarray
) -> np.ndarray:
    """Shapley values of the trees (Lundberg et al. 2020, "From local explanations to global understanding")."""
    # Most runs explain no tree, and the library takes seconds to load.
    from shap import TreeExplainer  # noqa: PLC0415

    values = TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_values(rows, check_additivity=False)
    # A forest has values for both labels.
    return values[..., 1] if values.ndim == 3 else values


# A new algorithm is one entry here, and its block in parameters_modeling.yml. From the simplest to the most complex:
# where scores do not tell algorithms apart, the first of them is preferred.
ALGORITHMS = {
    "logistic_regression": Algorithm(LogisticRegression, coefficients, linear_contributions),
    "random_forest": Algorithm(RandomForestClassifier, importances, tree_contributions),
    "gradient_boosted_trees": Algorithm(GBTClassifier, importances, tree_contributions),
}
