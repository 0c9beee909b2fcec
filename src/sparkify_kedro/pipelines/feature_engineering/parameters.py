"""Typed, bounded parameters of feature engineering."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.parameters import ParameterBlock


class FeatureEngineering(ParameterBlock):
    """How a user's time is cut."""

    time_bin_days: int = Field(ge=1, le=366, strict=True, description="length of a time bin in days")
