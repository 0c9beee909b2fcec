"""Typed parameters of the exploration."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Exploration(ParameterBlock):
    """The size of the figures."""

    session_minutes: list[float] = Field(min_length=1, description="limits between lengths of sessions, ascending")
    pages: int = Field(ge=2, le=30, description="the most visited pages, between which transitions are shown")
    cohorts: int = Field(ge=1, le=60, description="months of registration, the newest; earlier ones are one cohort")
