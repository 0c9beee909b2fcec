"""Typed, bounded parameters of what surrounds a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sparkify_kedro.parameters import ParameterBlock


class Runs(ParameterBlock):
    """What is kept, and what to do about a dataset that would be made otherwise now."""

    keep_versions: int = Field(ge=0, description="complete versions kept of a dataset; 0: all")
    on_stale: Literal["warn", "stop"]
