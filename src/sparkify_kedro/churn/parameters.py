"""Typed parameters that several pipelines share: how features are made."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from sparkify_kedro.framework.parameters import ParameterBlock

from .vocabulary import RATED_PAGES

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Population(ParameterBlock):
    """The rates of the average user, toward which rates with little evidence are shrunk.

    Parameters instead of averages over the log, so that a bin's features follow from the user's own past alone, not
    from other users, some of whom are held out, nor from later events.
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
    """The weight of the average user beside a user's own evidence, in units of exposure."""

    days: Positive
    songs: Positive
    sessions: Positive


class FeatureEngineering(ParameterBlock):
    """The length of time bins, and how rates are made from counts."""

    time_bin_days: int = Field(ge=1, le=366, strict=True, description="length of a time bin in days")
    population: Population
    shrinkage: Shrinkage
