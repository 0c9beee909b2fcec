"""A champion as plain JSON, and its probabilities by numpy alone: no Spark, no Java."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from .reports import CalibrationCoefficients, Report

Array = npt.NDArray[Any]


class PortableComponents(Report):
    """From features to principal components: (features - ``means``) * ``scale`` times ``loadings``."""

    means: list[float]
    scale: list[float] = Field(description="1 divided by the standard deviation; 0 of a feature that does not vary")
    loadings: list[list[float]] = Field(description="features x components")


class PortableTree(Report):
    """A tree as lists over its nodes, the root first; of a leaf, the children are -1."""

    feature: list[int]
    threshold: list[float] = Field(description="a row whose value is at most this goes left")
    left: list[int]
    right: list[int]
    value: list[float] = Field(description="what the node adds to the margin of a row that ends in it")
    rows: list[float] = Field(description="training rows that came by")


class PortableModel(Report):
    """A calibrated champion: probability = 1 / (1 + exp(-(slope * margin + intercept))).

    The margin is linear in the features (or components), or the sum over trees. Of a neural network, which only Spark
    scores, there are neither coefficients nor trees.
    """

    model: str = Field(description="the champion's own id")
    label: str
    algorithm: str
    horizon_days: int
    features: list[str] = Field(description="in the order of the model")
    means: list[float] = Field(description="of the features over the training rows")
    components: PortableComponents | None
    coefficients: list[float] | None
    intercept: float | None
    trees: list[PortableTree] | None
    calibration: CalibrationCoefficients
    fingerprint: str = Field(default="", description="of everything else")

    def signed(self) -> PortableModel:
        """The same with its fingerprint."""
        content = json.dumps(self.model_dump(mode="json", exclude={"fingerprint"}), sort_keys=True)
        return self.model_copy(update={"fingerprint": hashlib.sha256(content.encode()).hexdigest()})


def in_order(model: PortableModel, rows: Sequence[Mapping[str, float]]) -> Array:
    """Rows by feature name as an array, rows x features, in the order of the model.

    Raises:
        KeyError: naming a feature that a row lacks.
    """
    return np.array([[row[name] for name in model.features] for row in rows], dtype=float).reshape(
        len(rows), len(model.features)
    )


def margins(model: PortableModel, rows: Array) -> Array:
    """The raw score of label 1 of each row (rows x features).

    Raises:
        ValueError: where the model is a neural network.
    """
    if model.coefficients is None and model.trees is None:
        raise ValueError(f"the champion of {model.label} is a {model.algorithm}, which only Spark scores")
    values = rows
    if (latent := model.components) is not None:
        values = ((rows - np.array(latent.means)) * np.array(latent.scale)) @ np.array(latent.loadings)
    if model.coefficients is not None:
        linear: Array = values @ np.array(model.coefficients) + (model.intercept or 0.0)
        return linear
    summed: Array = np.sum([_leaf_values(tree, values) for tree in model.trees or []], axis=0)
    return summed


def probabilities(model: PortableModel, rows: Array) -> Array:
    """The calibrated probability of each row (rows x features), as Spark gives it up to rounding.

    Raises:
        ValueError: as ``margins``.
    """
    sigmoid = model.calibration
    odds: Array = 1.0 / (1.0 + np.exp(-(sigmoid.slope * margins(model, rows) + sigmoid.intercept)))
    return odds


def _leaf_values(tree: PortableTree, values: Array) -> Array:
    feature, threshold = np.array(tree.feature), np.array(tree.threshold)
    left, right = np.array(tree.left), np.array(tree.right)
    node, every = np.zeros(len(values), dtype=int), np.arange(len(values))
    while (is_inside := left[node] >= 0).any():
        goes_left = values[every, np.maximum(feature[node], 0)] <= threshold[node]
        node = np.where(is_inside, np.where(goes_left, left[node], right[node]), node)
    found: Array = np.array(tree.value)[node]
    return found
