"""Typed parameters of the experiments."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock, did_you_mean
from sparkify_kedro.learning.algorithms import ALGORITHMS


class Variant(ParameterBlock):
    """One experiment: the parameters that differ from the configured ones."""

    asks: str = Field(min_length=1, description="what it tries, in a few words")
    parameters: dict[str, Any] = Field(default={}, description="nested, as in conf/*/parameters_*.yml")
    algorithm: str | None = Field(default=None, description="of modeling; null: that of all experiments")
    against: str | None = Field(default=None, description="the variant to compare with; null: the baseline")

    @field_validator("algorithm")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in ALGORITHMS:
            raise ValueError(f"is not an algorithm: {did_you_mean(name, ALGORITHMS)}")
        return name


class Experiments(ParameterBlock):
    """The variants by name, and which of them to run."""

    algorithm: str = Field(description="of all variants that name none")
    baseline: str = Field(description="the variant that the others are compared with")
    only: list[str] | None = Field(description="the variants to run beside those they are compared with; null: all")
    variants: dict[str, Variant]

    @model_validator(mode="after")
    def _names_are_known(self) -> Experiments:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm '{self.algorithm}' is not known: {did_you_mean(self.algorithm, ALGORITHMS)}")
        against = [each.against for each in self.variants.values() if each.against is not None]
        for name in (self.baseline, *against, *(self.only or ())):
            if name not in self.variants:
                raise ValueError(f"there is no variant '{name}': {did_you_mean(name, self.variants)}")
        return self

    def compared_with(self, name: str) -> str:
        """The variant that a variant is compared with."""
        return self.variants[name].against or self.baseline

    def algorithm_of(self, name: str) -> str:
        """The algorithm of a variant."""
        return self.variants[name].algorithm or self.algorithm

    def to_run(self) -> list[str]:
        """The variants to run: the selected ones and those they are compared with, in their configured order."""
        selected = list(self.variants) if self.only is None else self.only
        wanted = {*selected, *(self.compared_with(name) for name in selected)}
        return [name for name in self.variants if name in wanted]
