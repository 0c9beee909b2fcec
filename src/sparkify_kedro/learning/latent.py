"""Latent features: the principal components of a feature set, fitted on the rows of a fit alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.feature import PCA, PCAModel, StandardScaler, StandardScalerModel
from pyspark.sql import DataFrame

from sparkify_kedro.churn.contributions import of_features
from sparkify_kedro.churn.reports import Component

from .algorithms import ALGORITHMS, Explanation
from .curves import Array


class Fitted(NamedTuple):
    """A classifier, and the stages from the vector of a feature set to what it takes: none, or scaling and components.

    Spark declares no common type of classification models with setters of their output columns.
    """

    before: list[Any]
    classifier: Any

    def on(self, vector: str, suffix: str = "") -> list[Any]:
        """The stages and the classifier, beginning with a vector; columns in between end with the suffix."""
        for stage, name in zip(self.before, ("scaled", "components"), strict=bool(self.before)):
            stage.setInputCol(vector)
            vector = f"{name}{suffix}"
            stage.setOutputCol(vector)
        self.classifier.setFeaturesCol(vector)
        return [*self.before, self.classifier]

    @property
    def map(self) -> LatentMap | None:
        """From features to components, where there are any."""
        return LatentMap.of(*self.before) if self.before else None


class LatentMap(NamedTuple):
    """Standardized features times loadings (features x components).

    A feature that does not vary in the training rows has no effect: its ``scale`` is 0.
    """

    means: Array
    scale: Array
    loadings: Array
    explained_variance: Array

    @classmethod
    def of(cls, scaler: StandardScalerModel, pca: PCAModel) -> LatentMap:
        """That of fitted stages."""
        deviations = scaler.std.toArray()
        scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
        return cls(scaler.mean.toArray(), scale, pca.pc.toArray(), pca.explainedVariance.toArray())

    def standardized(self, rows: Array) -> Array:
        """The features (rows x features) in standard deviations from their training means."""
        values: Array = (rows - self.means) * self.scale
        return values

    def components(self, features: Sequence[str]) -> list[Component]:
        """Each component's share of the variance, and its loadings by feature."""
        return [
            Component(explained_variance=float(share), loadings=dict(zip(features, map(float, loadings), strict=True)))
            for share, loadings in zip(self.explained_variance, self.loadings.T, strict=True)
        ]


def fit_components(rows: DataFrame, vector: str, components: int) -> list[Any]:
    """Scale the features of a vector to mean 0 and deviation 1, and find their principal components.

    Args:
        rows: with the vector.
        vector: its column.
        components: how many; where there are fewer features, as many as these.

    Returns:
        The two fitted stages.
    """
    scaler = StandardScaler(inputCol=vector, outputCol="scaled", withMean=True, withStd=True).fit(rows)
    scaled = scaler.transform(rows)
    most = min(components, len(scaler.mean.toArray()))
    return [scaler, PCA(k=most, inputCol="scaled", outputCol="components").fit(scaled)]


def explain(fitted: Fitted, algorithm: str, features: Sequence[str]) -> Explanation:
    """The weights of the features in a model.

    Coefficients of components are coefficients of features. The importance of a component is shared out by its squared
    loadings, which sum to 1.
    """
    latent = fitted.map
    if latent is None:
        return ALGORITHMS[algorithm].explain(fitted.classifier, features)
    numbered = [str(number) for number in range(latent.loadings.shape[1])]
    found = ALGORITHMS[algorithm].explain(fitted.classifier, numbered)
    if found.coefficients is not None and found.intercept is not None:
        weights = latent.scale * (latent.loadings @ np.array(list(found.coefficients.values())))
        return Explanation(
            coefficients=dict(zip(features, map(float, weights), strict=True)),
            intercept=float(found.intercept - weights @ latent.means),
        )
    shares = latent.loadings**2 @ np.array(list((found.importances or {}).values()))
    return Explanation(importances=dict(zip(features, map(float, shares), strict=True)))


def contributions(model: PipelineModel, algorithm: str, rows: Array, means: Array) -> Array:
    """What each feature adds to the margin of each row: rows x features.

    Args:
        model: a calibrated model.
        algorithm: its algorithm.
        rows: the features, rows x features.
        means: their means over the training rows.

    Returns:
        The contributions. What a component adds is shared out among the features by how far each moves it.
    """
    # After the assembler; behind the classifier are its margin and the calibration.
    before = [stage for stage in model.stages if isinstance(stage, (StandardScalerModel, PCAModel))]
    classifier = model.stages[1 + len(before)]
    latent = Fitted(before, classifier).map
    if latent is None:
        return ALGORITHMS[algorithm].contributions(classifier, rows, means)
    of_rows, of_means = latent.standardized(rows), latent.standardized(means)
    added = ALGORITHMS[algorithm].contributions(classifier, of_rows @ latent.loadings, of_means @ latent.loadings)
    moved = (of_rows - of_means)[:, :, None] * latent.loadings[None, :, :]
    if hasattr(classifier, "coefficients"):
        linear: Array = moved @ classifier.coefficients.toArray()
        return linear
    return of_features(moved, latent.loadings, added)
