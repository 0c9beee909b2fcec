"""Typed, bounded parameters of fitting and judging."""

from __future__ import annotations

import inspect
from typing import Annotated

from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock, did_you_mean

from .algorithms import ALGORITHMS

Setting = bool | int | float | str


class Training(ParameterBlock):
    """What is the same for every label and algorithm."""

    seed: int
    feature_set: str = Field(description="a feature set of the feature catalogue")
    parallel_fits: int = Field(ge=1, le=64, description="models fitted at the same time")
    rows_per_partition: int = Field(ge=1, description="training rows that one Spark task works on")


class AlgorithmSearch(ParameterBlock):
    """An algorithm, its fixed settings and the grid of those to search."""

    algorithm: str
    settings: dict[str, Setting]
    grid: dict[str, Annotated[list[Setting], Field(min_length=1)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _algorithm_and_settings_are_known(self) -> AlgorithmSearch:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm '{self.algorithm}' is not known: {did_you_mean(self.algorithm, ALGORITHMS)}")
        known = set(inspect.signature(ALGORITHMS[self.algorithm].estimator.__init__).parameters) - {"self"}
        for name in (*self.settings, *self.grid):
            if name not in known:
                raise ValueError(f"{self.algorithm} has no setting '{name}': {did_you_mean(name, known)}")
        return self


class Segments(ParameterBlock):
    """Where the segments by tenure and by observed history are cut (days, ascending)."""

    tenure_days: list[float] = Field(min_length=1)
    history_days: list[float] = Field(min_length=1)


class Evaluation(ParameterBlock):
    """How scores are judged."""

    seed: int
    max_rows: int = Field(ge=1_000, description="scored rows collected to judge by; of more, a sample of users")
    replicates: int = Field(ge=20, le=10_000, description="bootstrap samples of users behind an interval")
    cost_ratio: float = Field(gt=0, description="what a missed churner costs, in needless contacts")
    top_shares: list[float] = Field(min_length=1, description="shares of the rows, best scores first")
    few_positives: int = Field(ge=0, description="under this number a warning stands beside the score")
    segments: Segments
