"""Typed parameters of monitoring."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Monitoring(ParameterBlock):
    """Which scoring runs are judged, and the limits of the verdict."""

    most_runs: int = Field(ge=1, le=100, description="scoring runs to judge, the newest first")
    fewest_users_known: float = Field(
        gt=0, le=1, description="share of a run's users that the log must have, or it is taken for another service's"
    )
    fewest_positives: int = Field(
        ge=2, description="events from which a segment is judged, and a champion recalibrated"
    )
    confidence: float = Field(gt=0.5, lt=1, description="of the intervals on which the verdict rests")
    tolerated_ratio: float = Field(
        ge=1, description="of observed to expected events or the other way round, up to which the champion is kept"
    )
    tolerated_slope: float = Field(ge=1, description="the same of the calibration slope, or of 1 divided by it")
