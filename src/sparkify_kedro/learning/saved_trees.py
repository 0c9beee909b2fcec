"""The trees of a saved model, as the library of Shapley values takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.classification import GBTClassificationModel, RandomForestClassificationModel
from pyspark.sql import SparkSession

from .curves import Array

# Where a dataset notes on each stage of a model in which folder the stage is saved.
SAVED_AT = "saved_at"


def saved_trees(model: RandomForestClassificationModel | GBTClassificationModel) -> dict[str, Any]:
    """The trees of a model whose folder is noted in ``saved_at``: a client of Spark Connect sees them nowhere else.

    Args:
        model: the fitted forest or boosted trees, saved.

    Returns:
        The trees as a dictionary that ``shap.TreeExplainer`` takes: of a forest the mean of its trees' shares of the
        classes, of boosted trees the weighted sum of their predictions. Collects one row per node.

    Raises:
        ValueError: where the model has not been saved.
    """
    folder = getattr(model, SAVED_AT, None)
    if folder is None:
        raise ValueError("trees are read from the files of a saved model, and this one is not saved")
    nodes = SparkSession.active().read.parquet(f"{folder}/data").select("treeID", "nodeData.*").toPandas()
    is_forest = isinstance(model, RandomForestClassificationModel)
    weights = np.array(model.treeWeights)
    if is_forest:
        weights = weights / weights.sum()
    trees = [
        _tree(of_tree.sort_values("id"), float(weight), is_forest)
        for (_, of_tree), weight in zip(nodes.groupby("treeID"), weights, strict=True)
    ]
    return {"trees": trees, "tree_output": "probability" if is_forest else "raw_value"}


def _tree(nodes: pd.DataFrame, weight: float, is_forest: bool) -> dict[str, Array]:
    """Arrays over the nodes, whose numbers are their positions; a leaf has no feature and no children."""
    impurity = np.stack(nodes["impurityStats"].to_list())
    if is_forest:
        # Rows by class.
        rows, values = impurity.sum(axis=1), impurity / impurity.sum(axis=1, keepdims=True)
    else:
        # Rows, and the sum and the sum of squares of the residuals.
        rows, values = impurity[:, 0], nodes[["prediction"]].to_numpy()
    left, right = (nodes[name].to_numpy() for name in ("leftChild", "rightChild"))
    splits = nodes["split"].to_list()
    return {
        "children_left": left,
        "children_right": right,
        "children_default": left,
        "feature": np.array([split["featureIndex"] for split in splits]),
        "threshold": np.array([next(iter(split["leftCategoriesOrThreshold"]), -1.0) for split in splits]),
        "value": values * weight,
        "node_sample_weight": rows,
    }
