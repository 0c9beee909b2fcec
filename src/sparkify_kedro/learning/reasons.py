"""Reasons why a user is at risk: the features with the largest contributions to the score, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel

from sparkify_kedro.churn.feature_registry import Feature, FeatureRegistry
from sparkify_kedro.churn.reports import ChampionMetadata

from .latent import contributions


def strongest_reasons(
    rows: pd.DataFrame, champion: PipelineModel, metadata: ChampionMetadata, registry: FeatureRegistry, most: int
) -> pd.DataFrame:
    """The features with the largest contributions to each row's margin.

    Args:
        rows: one row per user, with the champion's features.
        champion: the model: assembled features, a classifier, and the calibration.
        metadata: its features, and their profile.
        registry: the definitions of the features.
        most: reasons per user.

    Returns:
        Columns ``reason_1``, ``reason_2``, …, the strongest first, such as "thumbs down per 1,000 songs since
        registration: 21.3 (raises the risk)" (of an upgrade: "the chance"); empty where fewer features contribute.
    """
    features, profile = metadata.features, metadata.profile
    values = rows[features].to_numpy(dtype=float)
    means = np.array([profile[name].mean for name in features])
    outcome = "chance" if metadata.of_label.get("event") == "upgrade" else "risk"
    added = contributions(champion, metadata.algorithm, values, means)
    strongest = np.argsort(-np.abs(added), axis=1, kind="stable")[:, :most]
    return pd.DataFrame(
        [
            {
                f"reason_{number}": in_words(
                    registry.features[features[column]], values[row, column], added[row, column], outcome
                )
                for number, column in enumerate(columns, start=1)
            }
            for row, columns in enumerate(strongest)
        ],
        index=rows.index,
        columns=[f"reason_{number}" for number in range(1, strongest.shape[1] + 1)],
    )


def in_words(feature: Feature, value: float, contribution: float, outcome: str) -> str:
    """The feature, its value in its unit, and the direction of its effect; empty where it has none."""
    if contribution == 0:
        return ""
    natural = feature.natural(value)
    # Three digits, without exponents.
    text = f"{natural:.3g}" if abs(natural) < 999.5 else f"{natural:,.0f}"
    shown = ("yes" if value else "no") if feature.unit == "0 or 1" else text
    return f"{feature.definition}: {shown} ({'raises' if contribution > 0 else 'lowers'} the {outcome})"
