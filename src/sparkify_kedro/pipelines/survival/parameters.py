"""Typed parameters of survival."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Survival(ParameterBlock):
    """Which curves are drawn, and over which days."""

    fewest_at_risk: int = Field(ge=2, description="users under observation from and up to which a curve goes")
    fewest_cancellations: int = Field(ge=1, description="of a group that is compared with others")
    cohorts: int = Field(ge=1, le=24, description="months of registration, the newest; earlier ones are one cohort")
    curves_shown: int = Field(ge=1, le=100, description="users whose forecast at several horizons is drawn")
