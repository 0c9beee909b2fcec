"""Typed parameters of scoring."""

from __future__ import annotations

from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock


class UsersAtRisk(ParameterBlock):
    """The rule for the list of users at risk: the first ``top``, or all with at least ``probability``."""

    top: int | None = Field(ge=1, description="list so many users; null where a probability decides")
    probability: float | None = Field(ge=0, le=1, description="list all with at least this; null where top decides")
    most: int = Field(ge=1, description="the most users to list and explain, on the driver")
    reasons: int = Field(ge=1, le=20, description="of each listed user, at most")

    @model_validator(mode="after")
    def _one_rule(self) -> UsersAtRisk:
        if (self.top is None) is (self.probability is None):
            raise ValueError("takes either top or probability: set the other one to null")
        return self


class Drift(ParameterBlock):
    """The limit from which drift raises a warning."""

    warn_above: float = Field(gt=0, description="population stability index beyond the one expected by chance")


class Scoring(ParameterBlock):
    """The list of users at risk, and drift."""

    users_at_risk: UsersAtRisk
    drift: Drift
