"""Typed parameters of training and evaluation."""

from __future__ import annotations

import inspect
from typing import Annotated

from pydantic import Field, model_validator

from sparkify_kedro.churn.reports import Setting
from sparkify_kedro.framework.parameters import ParameterBlock, did_you_mean

from .algorithms import ALGORITHMS

# Every number of types has as many columns.
MOST_TYPES = 6


class UserTypeSearch(ParameterBlock):
    """How user types are fitted."""

    seed: int = Field(description="of the random numbers")
    most_types: int = Field(ge=1, le=MOST_TYPES, description="the largest number of types to consider")
    starts: int = Field(ge=1, le=100, description="random starts for each number of types")
    most_users: int = Field(ge=100, le=200_000, description="users to collect; of more, a sample")
    most_users_of_mixture: int = Field(ge=100, le=20_000, description="users to fit the mixture on; of more, a sample")
    pseudo_cancellations: float = Field(
        gt=0, description="weight of all types' average beside a type's own cancellations, in cancellations"
    )


class Smote(ParameterBlock):
    """The strategy ``smote``: made-up rows of the smaller class."""

    most_rows: int = Field(
        ge=100, le=1_000_000, description="training rows to collect; with more, the label is skipped"
    )
    neighbors: int = Field(ge=1, le=100, description="nearest rows of the class between which a row is made up")


class LatentSet(ParameterBlock):
    """A feature set that holds the principal components of another one."""

    of: str = Field(description="a feature set of the feature registry")
    components: int = Field(ge=1, le=100, description="how many components, of the largest variance")


class Training(ParameterBlock):
    """Settings of training that all labels and algorithms share."""

    seed: int = Field(description="of the random numbers")
    feature_sets: list[str] = Field(
        min_length=1, description="feature sets to choose from: of the feature registry, or latent ones"
    )
    latent_sets: dict[str, LatentSet] = Field(description="latent feature sets by name")
    parallel_fits: int = Field(ge=1, le=64, description="models fitted in parallel")
    rows_per_partition: int = Field(ge=1, description="training rows that one Spark task works on")
    use_features: list[str] = Field(min_length=1, description="patterns of the features to use, of those in the sets")
    leave_out_features: list[str] = Field(description="patterns of the features to leave out")
    smote: Smote


class AlgorithmSearch(ParameterBlock):
    """An algorithm, its fixed settings, and the grid of settings to search."""

    algorithm: str = Field(description="its name in `learning.algorithms`")
    settings: dict[str, Setting] = Field(description="of the estimator, by name, the same in all fits")
    grid: dict[str, Annotated[list[Setting], Field(min_length=1)]] = Field(
        min_length=1, description="values of further settings, every combination of which is tried"
    )

    @model_validator(mode="after")
    def _algorithm_and_settings_are_known(self) -> AlgorithmSearch:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm '{self.algorithm}' is not known: {did_you_mean(self.algorithm, ALGORITHMS)}")
        known = inspect.signature(ALGORITHMS[self.algorithm].estimator).parameters
        for name in (*self.settings, *self.grid):
            if name not in known:
                raise ValueError(f"{self.algorithm} has no setting '{name}': {did_you_mean(name, known)}")
        return self


class Segments(ParameterBlock):
    """The limits of the segments by tenure and by observed history (days)."""

    tenure_days: list[float] = Field(min_length=1, description="limits between segments, in days since registration")
    history_days: list[float] = Field(min_length=1, description="limits between segments, in observed days")


class Evaluation(ParameterBlock):
    """How scores are evaluated."""

    seed: int = Field(description="of the random numbers")
    max_rows: int = Field(ge=1_000, description="scored rows to collect; of more, a sample of users")
    replicates: int = Field(ge=20, le=10_000, description="bootstrap samples of users behind an interval")
    cost_ratio: float = Field(gt=0, description="the cost of a missed churner, in needless contacts")
    top_shares: list[float] = Field(min_length=1, description="shares of the rows, best scores first")
    few_positives: int = Field(ge=0, description="below this number a warning is given")
    segments: Segments
