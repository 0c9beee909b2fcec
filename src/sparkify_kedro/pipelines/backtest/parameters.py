"""Typed, bounded parameters of the backtest."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Backtest(ParameterBlock):
    """When to pretend to be, and how far to look ahead from there."""

    cut_dates: list[date] = Field(min_length=1, description="days (UTC): only what came before their midnight is known")
    horizon_days: int = Field(ge=1, le=366, description="days after the cut in which a cancellation counts")
    folds: int = Field(ge=2, le=20, description="user-disjoint folds in which settings are searched")
