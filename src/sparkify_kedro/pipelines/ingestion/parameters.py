"""Typed, bounded parameters of ingestion."""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from sparkify_kedro.parameters import ParameterBlock


class Ingestion(ParameterBlock):
    """What a line must satisfy to be an event."""

    earliest: date = Field(description="an event before this day (UTC) has an implausible time stamp")
    latest: date = Field(description="an event on or after this day (UTC) has an implausible time stamp")

    @model_validator(mode="after")
    def _dates_in_order(self) -> Ingestion:
        if self.latest <= self.earliest:
            raise ValueError(f"latest ({self.latest}) must come after earliest ({self.earliest})")
        return self
