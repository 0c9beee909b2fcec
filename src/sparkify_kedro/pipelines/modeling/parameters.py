"""Typed, bounded parameters of modeling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sparkify_kedro.parameters import ParameterBlock

Setting = bool | int | float | str


class Training(ParameterBlock):
    """What is the same for every label and algorithm."""

    seed: int
    features: list[str] = Field(min_length=1)
    parallel_fits: int = Field(ge=1, le=64, description="models fitted at the same time")
    rows_per_partition: int = Field(ge=1, description="training rows that one Spark task works on")


class AlgorithmSearch(ParameterBlock):
    """An algorithm, its fixed settings and the grid of those to search."""

    algorithm: str
    settings: dict[str, Setting]
    grid: dict[str, list[Setting]] = Field(min_length=1)


class Comparison(ParameterBlock):
    """How the algorithms of a label are compared."""

    judged_on: Literal["test", "test_balanced"] = Field(description="the held-out rows whose scores speak for a model")
