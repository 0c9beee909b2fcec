"""The feature registry: what each feature is, which sets it belongs to, and which labels may use it."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, RootModel, model_validator

from sparkify_kedro.framework.parameters import OneSentenceErrors, ParameterBlock, did_you_mean


class Feature(ParameterBlock):
    """A line of the registry: the meaning of a column of ``user_time_bins``."""

    sets: list[str] = Field(min_length=1, description="the feature sets it belongs to")
    unit: str = Field(min_length=1, description="of the value, or of its exponential where the scale is log")
    definition: str = Field(min_length=1, description="in words that also serve as a reason why a user is at risk")
    labels: Literal["all"] | list[str] = Field(description="the labels that may use it")
    why: str | None = Field(default=None, description="why other labels may not")
    needs: str | None = Field(default=None, description="the column or page of the log that it counts or describes")
    scale: Literal["plain", "log"] = "plain"
    moves_with_time: bool = Field(
        default=False, description="its distribution shifts as the log grows, so drift in it raises no warning"
    )

    @model_validator(mode="after")
    def _reason_where_restricted(self) -> Feature:
        if (self.labels == "all") is (self.why is not None):
            raise ValueError("'why' belongs to features that some labels may not use, and to them alone")
        return self

    def may_serve(self, label: str) -> bool:
        """Whether the label may be learned from this feature."""
        return self.labels == "all" or label in self.labels

    def natural(self, value: float) -> float:
        """The value in the feature's unit."""
        return math.exp(value) if self.scale == "log" else value


class FeatureRegistry(OneSentenceErrors, RootModel[dict[str, Feature]]):
    """The features by name, in the order in which models take them: the parameter ``feature_registry``."""

    @property
    def features(self) -> dict[str, Feature]:
        """The features by name."""
        return self.root

    def of_set(self, feature_set: str, label: str) -> list[str]:
        """The features of a set that a label may use.

        Raises:
            ValueError: where no feature is in such a set, naming the sets there are.
        """
        sets = sorted({name for feature in self.features.values() for name in feature.sets})
        if feature_set not in sets:
            advice = did_you_mean(feature_set, sets)
            raise ValueError(f"modeling.training.feature_sets has '{feature_set}', which is no feature set: {advice}")
        return [
            name for name, feature in self.features.items() if feature_set in feature.sets and feature.may_serve(label)
        ]
