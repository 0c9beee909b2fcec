"""Typed, bounded parameters of scoring."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock


class UsersAtRisk(ParameterBlock):
    """Who is on the list of users at risk: the first ``top``, or all from ``probability`` on."""

    rank_by: str = Field(description="the label whose probability ranks users, and whose champion gives the reasons")
    top: int | None = Field(ge=1)
    probability: float | None = Field(ge=0, le=1)
    most: int = Field(ge=1, description="the most users that are listed and explained, on the driver")
    reasons: int = Field(ge=1, le=20)

    @model_validator(mode="after")
    def _one_rule(self) -> UsersAtRisk:
        if (self.top is None) is (self.probability is None):
            raise ValueError("takes either top or probability: set the other one to null")
        return self


class Drift(ParameterBlock):
    """When scored rows are too unlike the training rows."""

    warn_above: float = Field(gt=0, description="population stability index, above what chance alone explains")


class Scoring(ParameterBlock):
    """Whom to score as of when, whom to list, and when to warn."""

    as_of: date | None = Field(description="a day (UTC): nothing at or after its midnight is looked at; null: all")
    users_at_risk: UsersAtRisk
    drift: Drift

    @property
    def as_of_ts(self) -> int | None:
        """The day's midnight in ms since the epoch."""
        if self.as_of is None:
            return None
        return int(datetime(self.as_of.year, self.as_of.month, self.as_of.day, tzinfo=UTC).timestamp()) * 1_000
