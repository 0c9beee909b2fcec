"""The techniques: which estimator each is, and what its fitted model says about the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """An estimator of Spark ML, and how to read its fitted model."""

    estimator: type[LogisticRegression | RandomForestClassifier | GBTClassifier]
    explain: Callable[[Any, Sequence[str]], dict[str, Any]]


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


# A new algorithm is one entry here, and its block in parameters_modeling.yml.
ALGORITHMS = {
    "logistic_regression": Algorithm(LogisticRegression, coefficients),
    "random_forest": Algorithm(RandomForestClassifier, importances),
    "gradient_boosted_trees": Algorithm(GBTClassifier, importances),
}
