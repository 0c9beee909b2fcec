"""The feature registry: what each feature is, which sets it belongs to, and which labels may use it."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field, RootModel, model_validator

from sparkify_kedro.framework.parameters import OneSentenceErrors, ParameterBlock, did_you_mean


class Feature(ParameterBlock):
    """A line of the registry: the meaning of a column of ``user_time_bins``."""

    sets: list[str] = Field(min_length=1, description="the feature sets it belongs to")
    unit: str = Field(min_length=1, description="of the value, or of its exponential where the scale is log")
    definition: str = Field(min_length=1, description="in words")
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


class Theme(ParameterBlock):
    """What features have in common, and the one column that is told of it as a reason."""

    features: list[str] = Field(min_length=1, description="patterns of the names of its features")
    tells: str | None = Field(description="the column of the scored rows that is told; null: never told")
    says: str | None = Field(
        default=None, description="of a number: {value} (with {s} of a plural), {days} of the window, {horizon}"
    )
    usual: str | None = Field(
        default=None, description="the same of half of all users: {median}, with at most or least"
    )
    is_a_risk: bool = Field(
        default=False, description="a higher number is a higher risk of cancelling: told only where the score agrees"
    )
    names: dict[str, str] = Field(default={}, description="of a category: each of its values in words")

    @model_validator(mode="after")
    def _one_kind(self) -> Theme:
        is_number, is_category = self.says is not None and self.usual is not None, bool(self.names)
        if (self.tells is not None and is_number is is_category) or (self.tells is None and (self.says or self.names)):
            raise ValueError("takes either says and usual, or names; neither where tells is null")
        return self


class ReasonThemes(OneSentenceErrors, RootModel[dict[str, Theme]]):
    """The themes by name: the parameter ``reason_themes``. A feature is of the first one that has a pattern of it."""

    def of_feature(self, name: str) -> str:
        """The theme of a feature.

        Raises:
            ValueError: where no theme has a pattern of it.
        """
        for theme, each in self.root.items():
            if any(fnmatchcase(name, pattern) for pattern in each.features):
                return theme
        raise ValueError(
            f"no theme in reason_themes (conf/base/parameters_feature_registry.yml) has a pattern of the feature "
            f"'{name}': add it to one"
        )

    def told(self) -> dict[str, Theme]:
        """The themes that are told as reasons."""
        return {name: theme for name, theme in self.root.items() if theme.tells is not None}
