"""Why a user is at risk: the features that move the user's score most, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sparkify_kedro.churn.feature_registry import Feature, FeatureRegistry
from sparkify_kedro.learning.algorithms import ALGORITHMS

from .champions import Champion


def strongest_reasons(rows: pd.DataFrame, champion: Champion, registry: FeatureRegistry, number: int) -> pd.DataFrame:
    """The features with the largest contributions to each row's margin.

    Args:
        rows: one row per user, with the champion's features.
        champion: the model and its card.
        registry: what each feature is called.
        number: reasons per user.

    Returns:
        Columns ``reason_1``, ``reason_2``, …, the strongest first, such as "thumbs down per 1,000 songs since
        registration: 21.3 (raises the risk)"; empty where fewer features move the score at all.
    """
    features, profile = champion.card["features"], champion.card["profile"]
    values = rows[features].to_numpy(dtype=float)
    means = np.array([profile[name]["mean"] for name in features])
    contributions = ALGORITHMS[champion.card["algorithm"]].contributions(champion.classifier, values, means)
    strongest = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :number]
    return pd.DataFrame(
        [
            {
                f"reason_{place}": in_words(
                    registry.features[features[column]], values[row, column], contributions[row, column]
                )
                for place, column in enumerate(columns, start=1)
            }
            for row, columns in enumerate(strongest)
        ],
        index=rows.index,
        columns=[f"reason_{place}" for place in range(1, strongest.shape[1] + 1)],
    )


def in_words(feature: Feature, value: float, contribution: float) -> str:
    """The feature, its value in its unit, and which way it moves the risk; nothing where it moves nothing."""
    if contribution == 0:
        return ""
    natural = feature.natural(value)
    # Three digits, but never 1.23e+03.
    number = f"{natural:.3g}" if abs(natural) < 999.5 else f"{natural:,.0f}"
    told = ("yes" if value else "no") if feature.unit == "0 or 1" else number
    return f"{feature.definition}: {told} ({'raises' if contribution > 0 else 'lowers'} the risk)"
