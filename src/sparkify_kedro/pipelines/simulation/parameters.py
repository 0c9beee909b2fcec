"""Typed, bounded parameters of the simulation."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock

Level = Literal["free", "paid"]
Auth = Literal["Guest", "Logged Out", "Logged In", "Cancelled"]
Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
TransitionTable = dict[Level, dict[Auth, dict[str, dict[str, Probability]]]]


class AccountAge(ParameterBlock):
    """Days since registration of users who registered before the start of the log."""

    mean: float = Field(gt=0)
    max: float = Field(gt=0)


class DailySwing(ParameterBlock):
    """The shift of session starts toward the evening."""

    strength: float = Field(ge=0, le=0.15)
    offset_hours: float = Field(ge=0, lt=24)


class Page(ParameterBlock):
    """HTTP method and status of a page."""

    method: Literal["GET", "PUT"]
    status: int = Field(ge=200, le=599)


class Population(ParameterBlock):
    """The share of users in a population, and the transitions that differ from the common table."""

    share: float = Field(gt=0)
    transitions: TransitionTable


class CancellationChange(ParameterBlock):
    """A day from which users visit the page Cancel more or less often."""

    date: dt.date | None
    factor: float = Field(gt=0, description="of the probability of the page Cancel, after every page")


class Simulation(ParameterBlock):
    """The parameters of a simulated log; see ``conf/base/parameters_simulation.yml``."""

    users: int = Field(ge=1)
    start: dt.date
    end: dt.date
    seed: int
    files: int = Field(ge=1)
    registered_inside_log: Probability
    account_age_days: AccountAge
    event_gap_seconds: float = Field(gt=0)
    session_gap_seconds: float = Field(gt=0)
    session_break_seconds: int = Field(ge=0)
    daily_swing: DailySwing
    weekend_redraw: float = Field(ge=0, lt=1)
    initial_level: dict[Level, Weight]
    initial_auth: dict[Auth, Weight]
    session_start: dict[Level, dict[Auth, dict[str, Weight]]]
    pages: dict[str, Page]
    transitions: TransitionTable
    populations: dict[str, Population] = Field(min_length=1)
    cancellation_change: CancellationChange

    @model_validator(mode="after")
    def _dates_in_order(self) -> Simulation:
        if self.end <= self.start:
            raise ValueError(f"simulation.end ({self.end}) must come after simulation.start ({self.start})")
        return self
