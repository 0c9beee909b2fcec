"""From a champion to plain JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.classification import (
    GBTClassificationModel,
    LogisticRegressionModel,
    RandomForestClassificationModel,
)
from pyspark.ml.feature import PCAModel, StandardScalerModel

from sparkify_kedro.churn.portable_model import PortableComponents, PortableModel, PortableTree
from sparkify_kedro.churn.reports import CalibrationCoefficients, ChampionMetadata

from .calibration import Calibration
from .latent import Fitted
from .saved_trees import saved_trees


def to_portable(champion: PipelineModel, metadata: ChampionMetadata) -> PortableModel:
    """The champion as plain JSON.

    Args:
        champion: loaded from its files, from which trees are read.
        metadata: its description.

    Returns:
        The model; of a neural network, only what identifies it.
    """
    before: list[Any] = [stage for stage in champion.stages if isinstance(stage, (StandardScalerModel, PCAModel))]
    classifier: Any = champion.stages[1 + len(before)]
    is_linear = isinstance(classifier, LogisticRegressionModel)
    has_trees = isinstance(classifier, (RandomForestClassificationModel, GBTClassificationModel))
    latent, calibration = Fitted(before, classifier).map, Calibration(champion.stages[-1])  # type: ignore[arg-type]
    return PortableModel(
        model=champion.uid,
        label=metadata.label,
        algorithm=metadata.algorithm,
        horizon_days=metadata.horizon_days,
        features=metadata.features,
        means=[float(metadata.profile[name].mean or 0.0) for name in metadata.features],
        components=None
        if latent is None
        else PortableComponents(
            means=latent.means.tolist(), scale=latent.scale.tolist(), loadings=latent.loadings.tolist()
        ),
        coefficients=classifier.coefficients.toArray().tolist() if is_linear else None,
        intercept=float(classifier.intercept) if is_linear else None,
        trees=_trees(classifier) if has_trees else None,
        calibration=CalibrationCoefficients(slope=calibration.slope, intercept=calibration.intercept),
    ).signed()


def _trees(classifier: RandomForestClassificationModel | GBTClassificationModel) -> list[PortableTree]:
    """Of a forest, the margin is the sum of its trees' shares of label 1; ``saved_trees`` has their mean."""
    is_forest = isinstance(classifier, RandomForestClassificationModel)
    factor = len(classifier.treeWeights) if is_forest else 1.0
    return [
        PortableTree(
            feature=tree["feature"].tolist(),
            threshold=tree["threshold"].tolist(),
            left=tree["children_left"].tolist(),
            right=tree["children_right"].tolist(),
            value=(np.asarray(tree["value"])[:, -1] * factor).tolist(),
            rows=tree["node_sample_weight"].tolist(),
        )
        for tree in saved_trees(classifier)["trees"]
    ]
