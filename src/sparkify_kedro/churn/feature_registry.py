"""The feature catalogue: what each feature is, which sets it belongs to, and which labels may use it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from kedro.validation.exceptions import ModelInstantiationError
from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock, did_you_mean


class Feature(ParameterBlock):
    """A line of the catalogue: the meaning of a column of ``user_time_bins``."""

    sets: list[str] = Field(min_length=1, description="the feature sets it belongs to")
    unit: str = Field(min_length=1, description="of the value, or of its exponential where the scale is log")
    definition: str = Field(min_length=1, description="in words that also do for a reason why a user is at risk")
    labels: Literal["all"] | list[str] = Field(description="the labels that may use it")
    why: str | None = Field(default=None, description="why other labels may not")
    scale: Literal["plain", "log"] = "plain"
    moves_with_time: bool = Field(
        default=False, description="its distribution moves as the log grows, so that a shift of it is no news"
    )

    @model_validator(mode="after")
    def _says_why(self) -> Feature:
        if (self.labels == "all") is (self.why is not None):
            raise ValueError("'why' belongs to features that some labels may not use, and to them alone")
        return self

    def may_serve(self, label: str) -> bool:
        """Whether the label may be learned from this feature."""
        return self.labels == "all" or label in self.labels

    def natural(self, value: float) -> float:
        """The value in the feature's unit."""
        return math.exp(value) if self.scale == "log" else value


class FeatureRegistry(NamedTuple):
    """The features by name, in the order in which models take them."""

    features: dict[str, Feature]

    @classmethod
    def of(cls, lines: Mapping[str, Any]) -> FeatureRegistry:
        """The catalogue in ``conf/base/schemas/features.json``.

        Raises:
            ValueError: naming the feature whose line is wrong.
        """
        features = {}
        for name, line in lines.items():
            try:
                features[name] = Feature.model_validate(line)
            except ModelInstantiationError as error:
                raise ValueError(f"the feature catalogue's line on {name} is wrong: {error}") from error
        return cls(features)

    def of_set(self, feature_set: str, label: str) -> list[str]:
        """The features of a set that a label may use.

        Raises:
            ValueError: where no feature is in such a set, naming the sets there are.
        """
        sets = sorted({name for feature in self.features.values() for name in feature.sets})
        if feature_set not in sets:
            advice = did_you_mean(feature_set, sets)
            raise ValueError(f"modeling.training.feature_set is '{feature_set}', which is no feature set: {advice}")
        return [
            name for name, feature in self.features.items() if feature_set in feature.sets and feature.may_serve(label)
        ]
