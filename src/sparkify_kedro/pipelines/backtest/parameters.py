"""Typed parameters of the backtest."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Backtest(ParameterBlock):
    """The past dates to train at, and the horizon."""

    cut_dates: list[date] = Field(min_length=1, description="days (UTC): events before their midnight are known")
    horizon_days: int = Field(ge=1, le=366, description="days after a cut date in which a cancellation counts")
    folds: int = Field(ge=2, le=20, description="user-disjoint folds in which settings are searched")
