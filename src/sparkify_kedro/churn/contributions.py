"""What each feature adds to the margin of a row, by numpy and the library of Shapley values: no Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .portable_model import PortableModel, PortableTree

Array = npt.NDArray[Any]


def linear_contributions(coefficients: Array, rows: Array, means: Array) -> Array:
    """Coefficient times distance from the training mean: exact; the sum is the margin minus the margin at the means."""
    contributions: Array = coefficients * (rows - means)
    return contributions


def tree_explainer(trees: Any) -> Callable[[Array], Array]:
    """Shapley values of trees (Lundberg et al. 2020, "From local explanations to global understanding").

    Args:
        trees: a model, or trees as a dictionary, that ``shap.TreeExplainer`` takes.

    Returns:
        A function from rows (rows x features) to the contributions of each feature, in the same shape.
    """
    # The library takes seconds to load, and most runs do not need it.
    from shap import TreeExplainer  # noqa: PLC0415

    explainer = TreeExplainer(trees, feature_perturbation="tree_path_dependent")

    def contributions(rows: Array) -> Array:
        values = explainer.shap_values(rows, check_additivity=False)
        # A forest of Spark has values for both labels.
        of_label: Array = values[..., 1] if values.ndim == 3 else values
        return of_label

    return contributions


def of_features(moved: Array, loadings: Array, of_components: Array) -> Array:
    """Share out what each component adds among the features, by how far each moves it.

    Args:
        moved: how far each feature moves each component (rows x features x components).
        loadings: features x components.
        of_components: what each component adds (rows x components).

    Returns:
        Rows x features.
    """
    far = np.abs(moved)
    total = far.sum(axis=1, keepdims=True)
    shares = np.divide(far, total, out=np.broadcast_to(loadings**2, far.shape).copy(), where=total > 0)
    shared_out: Array = np.einsum("rfc,rc->rf", shares, of_components)
    return shared_out


def explainer_of(model: PortableModel) -> Callable[[Array], Array]:
    """A function from rows (rows x features) to what each feature adds to their margins.

    Raises:
        ValueError: where the model is a neural network.
    """
    means, latent = np.array(model.means), model.components
    if model.coefficients is not None:
        coefficients = np.array(model.coefficients)
        if latent is not None:
            coefficients = np.array(latent.scale) * (np.array(latent.loadings) @ coefficients)
        return lambda rows: linear_contributions(coefficients, rows, means)
    if model.trees is None:
        raise ValueError(f"the champion of {model.label} is a {model.algorithm}, which only Spark explains")
    of_trees = tree_explainer({"trees": [_for_shap(tree) for tree in model.trees], "tree_output": "raw_value"})
    if latent is None:
        return of_trees
    scale, loadings, center = (np.array(each) for each in (latent.scale, latent.loadings, latent.means))

    def contributions(rows: Array) -> Array:
        moved = ((rows - means) * scale)[:, :, None] * loadings[None, :, :]
        return of_features(moved, loadings, of_trees(((rows - center) * scale) @ loadings))

    return contributions


def _for_shap(tree: PortableTree) -> dict[str, Array]:
    left = np.array(tree.left)
    return {
        "children_left": left,
        "children_right": np.array(tree.right),
        "children_default": left,
        "feature": np.array(tree.feature),
        "threshold": np.array(tree.threshold),
        "value": np.array(tree.value)[:, None],
        "node_sample_weight": np.array(tree.rows),
    }
