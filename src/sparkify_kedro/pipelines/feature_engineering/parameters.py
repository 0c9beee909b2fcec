"""Typed, bounded parameters of feature engineering."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from sparkify_kedro.framework.parameters import ParameterBlock

from .rates import RATED_PAGES

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Population(ParameterBlock):
    """What the average user does: the values that rates on little evidence are shrunk toward.

    Parameters and not averages over the log at hand, so that a bin's features follow from the user's own past alone:
    not from other users, held-out ones among them, and not from what comes later.
    """

    sessions_per_day: Positive
    active_days_per_day: Positive
    songs_per_session: Positive
    minutes_per_session: Positive
    per_1000_songs: dict[str, Positive]

    @field_validator("per_1000_songs")
    @classmethod
    def _one_rate_per_page(cls, rates: dict[str, float]) -> dict[str, float]:
        if set(rates) != set(RATED_PAGES):
            raise ValueError(f"must have exactly the keys {', '.join(RATED_PAGES)}")
        return rates


class Shrinkage(ParameterBlock):
    """How much of the average user stands beside a user's own evidence, in units of exposure."""

    days: Positive
    songs: Positive
    sessions: Positive


class FeatureEngineering(ParameterBlock):
    """How a user's time is cut, and how rates are made of counts."""

    time_bin_days: int = Field(ge=1, le=366, strict=True, description="length of a time bin in days")
    population: Population
    shrinkage: Shrinkage
