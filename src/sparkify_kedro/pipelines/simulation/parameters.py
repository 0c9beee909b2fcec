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

    mean: float = Field(gt=0, description="of the exponential distribution")
    max: float = Field(gt=0, description="where it is cut off")


class DailySwing(ParameterBlock):
    """The shift of session starts toward the evening."""

    strength: float = Field(ge=0, le=0.15, description="the farthest shift, in days")
    offset_hours: float = Field(ge=0, lt=24, description="the hour (UTC) without a shift")


class Page(ParameterBlock):
    """HTTP method and status of a page."""

    method: Literal["GET", "PUT"] = Field(description="of HTTP")
    status: int = Field(ge=200, le=599, description="of HTTP")


class Population(ParameterBlock):
    """The share of users in a population, and the transitions that differ from the common table."""

    share: float = Field(gt=0, description="of the users, beside the shares of the other populations")
    transitions: TransitionTable = Field(description="in place of the common ones: by level, login and page, to a page")


class CancellationChange(ParameterBlock):
    """A day from which users visit the page Cancel more or less often."""

    date: dt.date | None = Field(description="from its midnight (UTC) on; null: never")
    factor: float = Field(gt=0, description="of the probability of the page Cancel, after every page")


class Simulation(ParameterBlock):
    """The parameters of a simulated log; see ``conf/base/parameters_simulation.yml``."""

    users: int = Field(ge=1, description="users who are simulated")
    start: dt.date = Field(description="the first day (UTC)")
    end: dt.date = Field(description="no event is at or after its midnight (UTC)")
    seed: int = Field(description="of the random numbers")
    files: int = Field(ge=1, description="parts of the log, in order of time")
    registered_inside_log: Probability = Field(description="share of users who register while the log runs")
    account_age_days: AccountAge
    event_gap_seconds: float = Field(gt=0, description="mean pause between events; users differ")
    session_gap_seconds: float = Field(gt=0, description="mean pause between sessions; users differ")
    session_break_seconds: int = Field(ge=0, description="the shortest pause between sessions")
    daily_swing: DailySwing
    weekend_redraw: float = Field(ge=0, lt=1, description="probability that a session on a weekend begins later")
    initial_level: dict[Level, Weight] = Field(description="weights of the levels of new users")
    initial_auth: dict[Auth, Weight] = Field(description="weights of their states of login")
    session_start: dict[Level, dict[Auth, dict[str, Weight]]] = Field(
        description="weights of the first pages of a session, by level and login"
    )
    pages: dict[str, Page]
    transitions: TransitionTable = Field(description="probabilities by level, login and page, to a page")
    populations: dict[str, Population] = Field(min_length=1)
    cancellation_change: CancellationChange

    @model_validator(mode="after")
    def _dates_in_order(self) -> Simulation:
        if self.end <= self.start:
            raise ValueError(f"simulation.end ({self.end}) must come after simulation.start ({self.start})")
        return self
