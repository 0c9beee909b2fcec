"""Typed, bounded parameters of fitting and judging."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.parameters import ParameterBlock

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
    grid: dict[str, list[Setting]] = Field(min_length=1)


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
