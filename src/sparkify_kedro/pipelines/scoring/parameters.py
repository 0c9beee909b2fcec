"""Typed parameters of scoring."""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from sparkify_kedro.churn.vocabulary import midnight
from sparkify_kedro.framework.parameters import ParameterBlock


class UsersAtRisk(ParameterBlock):
    """The rule for the list of users at risk: the first ``top``, or all with at least ``probability``."""

    rank_by: str = Field(description="the label by whose probability users are ranked and explained")
    top: int | None = Field(ge=1)
    probability: float | None = Field(ge=0, le=1)
    most: int = Field(ge=1, description="the most users to list and explain, on the driver")
    reasons: int = Field(ge=1, le=20)

    @model_validator(mode="after")
    def _one_rule(self) -> UsersAtRisk:
        if (self.top is None) is (self.probability is None):
            raise ValueError("takes either top or probability: set the other one to null")
        return self


class Drift(ParameterBlock):
    """The limit from which drift raises a warning."""

    warn_above: float = Field(gt=0, description="population stability index beyond the one expected by chance")


class Scoring(ParameterBlock):
    """The as-of date, the list of users at risk, and drift."""

    as_of: date | None = Field(description="a day (UTC): events at or after its midnight are not used; null: all are")
    users_at_risk: UsersAtRisk
    drift: Drift

    @property
    def as_of_ts(self) -> int | None:
        """The midnight of the as-of date in ms since the epoch."""
        if self.as_of is None:
            return None
        return midnight(self.as_of)
