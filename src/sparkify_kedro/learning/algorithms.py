"""The algorithms: their estimators, and how a fitted model explains the features and single predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

from pyspark.ml.classification import (
    GBTClassificationModel,
    GBTClassifier,
    LogisticRegression,
    LogisticRegressionModel,
    RandomForestClassificationModel,
    RandomForestClassifier,
)
from pyspark.sql import is_remote

from sparkify_kedro.churn import contributions

from .curves import Array
from .neural_network import NeuralNetworkClassifier, NeuralNetworkModel
from .saved_trees import SAVED_AT, saved_trees


class Explanation(NamedTuple):
    """The weights of the features in a fitted model: coefficients or importances."""

    coefficients: dict[str, float] | None = None
    intercept: float | None = None
    importances: dict[str, float] | None = None


@dataclass(frozen=True)
class Algorithm:
    """A Spark ML estimator, and how to explain its fitted model.

    Attributes:
        estimator: the class; called with settings by name.
        explain: the weights of the features, from the model and their names.
        contributions: what each feature adds to the margin of each row, from the model, the rows (rows x features) and
            the features' means over the training rows.
        takes_classes: whether a fit may have more than two classes.
        takes_names: whether the estimator has an argument ``names``: those of the features, since some are of earlier
            landmarks.
        package: of an extra with the same name, which the algorithm needs; such algorithms are trained on request.
    """

    estimator: Callable[..., Any]
    explain: Callable[[Any, Sequence[str]], Explanation]
    contributions: Callable[[Any, Array, Array], Array]
    takes_classes: bool = True
    takes_names: bool = False
    package: str | None = None


def check_installed(algorithm: str) -> None:
    """Check that the package of an algorithm is installed.

    Raises:
        ModuleNotFoundError: naming the extra to install.
    """
    package = ALGORITHMS[algorithm].package
    if package and find_spec(package) is None:
        raise ModuleNotFoundError(
            f"{algorithm} needs the package {package}, which is not installed: make {package} (docs/algorithms.md)"
        )


def coefficients(model: LogisticRegressionModel, features: Sequence[str]) -> Explanation:
    """The change of the log-odds per unit of each feature, and the log-odds where all features are 0."""
    values = map(float, model.coefficients.toArray())
    return Explanation(coefficients=dict(zip(features, values, strict=True)), intercept=float(model.intercept))


def importances(
    model: RandomForestClassificationModel | GBTClassificationModel, features: Sequence[str]
) -> Explanation:
    """Each feature's share of the impurity that the splits remove; the shares sum to 1."""
    values = map(float, model.featureImportances.toArray())
    return Explanation(importances=dict(zip(features, values, strict=True)))


def linear_contributions(model: LogisticRegressionModel, rows: Array, means: Array) -> Array:
    """As ``churn.contributions.linear_contributions``."""
    return contributions.linear_contributions(model.coefficients.toArray(), rows, means)


def tree_contributions(
    model: RandomForestClassificationModel | GBTClassificationModel, rows: Array, means: Array
) -> Array:
    """Shapley values, as ``churn.contributions.tree_explainer``."""
    # Of a model that is not saved, the library asks its Java object, which a client of Spark Connect does not have.
    is_in_java_alone = getattr(model, SAVED_AT, None) is None and not is_remote()
    return contributions.tree_explainer(model if is_in_java_alone else saved_trees(model))(rows)


def network_importances(model: NeuralNetworkModel, features: Sequence[str]) -> Explanation:
    """Each feature's share of the mean absolute contribution to the margin; the shares sum to 1."""
    return Explanation(importances=dict(zip(features, map(float, model.importances), strict=True)))


def network_contributions(model: NeuralNetworkModel, rows: Array, means: Array) -> Array:
    """Integrated gradients of the margin, from the training means."""
    return model.contributions(rows, means)


# A new algorithm is one entry here and its block in parameters_modeling.yml. From the simplest to the most complex: of
# statistically indistinguishable algorithms the first is preferred.
ALGORITHMS = {
    "logistic_regression": Algorithm(LogisticRegression, coefficients, linear_contributions),
    "random_forest": Algorithm(RandomForestClassifier, importances, tree_contributions),
    "gradient_boosted_trees": Algorithm(GBTClassifier, importances, tree_contributions, takes_classes=False),
    "neural_network": Algorithm(
        NeuralNetworkClassifier, network_importances, network_contributions, takes_classes=False, package="torch"
    ),
    "recurrent_network": Algorithm(
        NeuralNetworkClassifier,
        network_importances,
        network_contributions,
        takes_classes=False,
        takes_names=True,
        package="torch",
    ),
}
DEFAULT_ALGORITHMS = tuple(name for name, algorithm in ALGORITHMS.items() if algorithm.package is None)
