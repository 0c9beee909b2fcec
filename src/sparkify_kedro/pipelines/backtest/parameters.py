"""Typed parameters of the backtest."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Backtest(ParameterBlock):
    """The past landmarks to train at."""

    landmarks: int = Field(ge=1, le=366, description="the last landmarks whose horizon the log covers")
    folds: int = Field(ge=2, le=20, description="user-disjoint folds in which settings are searched")
