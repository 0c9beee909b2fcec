"""Typed parameters that several pipelines share: how features are made, and who is held out."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock

from .vocabulary import EVERY_LABEL, MILLISECONDS_PER_DAY, RATED_PAGES

Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Population(ParameterBlock):
    """The rates of the average user, toward which rates with little evidence are shrunk.

    Parameters instead of averages over the log, so that a bin's features follow from the user's own past alone, not
    from other users, some of whom are held out, nor from later events.
    """

    sessions_per_day: Positive = Field(description="of an average user")
    active_days_per_day: Positive = Field(description="of an average user")
    songs_per_session: Positive = Field(description="of an average user")
    minutes_per_session: Positive = Field(description="of an average user")
    per_1000_songs: dict[str, Positive] = Field(description="visits of an average user by page")

    @field_validator("per_1000_songs")
    @classmethod
    def _one_rate_per_page(cls, rates: dict[str, float]) -> dict[str, float]:
        if set(rates) != set(RATED_PAGES):
            raise ValueError(f"must have exactly the keys {', '.join(RATED_PAGES)}")
        return rates


class Shrinkage(ParameterBlock):
    """The weight of the average user beside a user's own evidence, in units of exposure."""

    days: Positive = Field(description="the weight, for rates per day")
    songs: Positive = Field(description="the weight, for rates per 1,000 songs")
    sessions: Positive = Field(description="the weight, for rates per session")


class Label(ParameterBlock):
    """A label: an event in the window of a row, in the days after it (the horizon), or in either."""

    event: Literal["cancellation", "downgrade", "upgrade"] = Field(description="whose users have the label 1")
    in_window: bool = Field(description="whether an event in the window counts")
    horizon_days: int = Field(ge=0, le=366, strict=True, description="0: the window alone")

    @model_validator(mode="after")
    def _not_empty(self) -> Label:
        if not self.in_window and self.horizon_days == 0:
            raise ValueError("needs in_window: true or a horizon of at least a day")
        if self.in_window and self.level is not None:
            raise ValueError(f"needs in_window: false, since only users who are {self.level} at the landmark have it")
        return self

    @property
    def level(self) -> str | None:
        """The level of the users who have the label: only those who pay can downgrade; None where all have it."""
        return {"downgrade": "paid", "upgrade": "free"}.get(self.event)


class FeatureEngineering(ParameterBlock):
    """Which rows there are, how rates are made from counts, and the labels."""

    as_of: date | None = Field(description="a day (UTC): events at or after its midnight are not used; null: all are")
    anchor: Literal["as_of", "registration"] = Field(description="where landmarks are counted from")
    rows: Literal["all", "active"] = Field(
        description="every user at every landmark, or those with events in the window"
    )
    time_bin_days: int = Field(ge=1, le=366, strict=True, description="length of the window before a landmark in days")
    stride_days: int | None = Field(
        ge=1, le=366, strict=True, description="days from one landmark to the next; null: time_bin_days"
    )
    min_history_days: int = Field(ge=0, le=3660, strict=True, description="days of log before the first landmark")
    earlier_landmarks: int = Field(
        default=0, ge=0, le=2, strict=True, description="landmarks before each whose activity its row repeats"
    )
    unobserved_is_no_churn: bool = Field(
        description="label 0, instead of none, where the log does not cover the horizon"
    )
    labels: dict[str, Label]
    population: Population
    shrinkage: Shrinkage

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, labels: dict[str, Label]) -> dict[str, Label]:
        known = EVERY_LABEL
        if set(labels) != set(known):
            raise ValueError(f"must have exactly the keys {', '.join(known)} (EVERY_LABEL in vocabulary.py)")
        return labels

    @model_validator(mode="after")
    def _windows_without_gaps(self) -> FeatureEngineering:
        if self.stride_days is not None and self.stride_days > self.time_bin_days:
            raise ValueError("stride_days must not be longer than time_bin_days, or events lie in no window")
        if self.anchor == "registration" and self.stride_days not in (None, self.time_bin_days):
            raise ValueError("stride_days must be null or time_bin_days where anchor is registration")
        return self

    @property
    def window_ms(self) -> int:
        """The length of a window in ms."""
        return self.time_bin_days * MILLISECONDS_PER_DAY

    @property
    def stride_ms(self) -> int:
        """The time from one landmark to the next in ms."""
        return (self.stride_days or self.time_bin_days) * MILLISECONDS_PER_DAY


Unit = Literal["user", "row"]


class HoldOut(ParameterBlock):
    """The rows that are held out for evaluation."""

    share: float = Field(gt=0, lt=1, description="of the users or rows")
    unit: Unit = Field(description="what is held out as a whole")


class Folds(ParameterBlock):
    """The folds of cross-validation."""

    number: int = Field(ge=2, le=20, description="of folds")
    unit: Unit = Field(description="what is in one fold as a whole")


class Split(ParameterBlock):
    """The hold-out and the folds, which are the same for all labels."""

    seed: int = Field(description="of the random numbers")
    hold_out: HoldOut
    folds: Folds


Strategy = Literal["none", "undersample", "oversample", "class_weights", "smote"]


class LabelSampling(ParameterBlock):
    """Settings of one label, which is the key of the block in ``sampling.labels``."""

    at_risk_only: bool = Field(description="whether rows of users who have cancelled are left out")
    strategy: Strategy = Field(description="how the classes of the training rows are balanced")
    keep_negatives: Share = Field(description="share of negatives kept by the strategy undersample")
    keep_negatives_of_original: Share = Field(description="share of negatives that the original kept")
