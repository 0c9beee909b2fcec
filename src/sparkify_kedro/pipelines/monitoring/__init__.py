"""Monitoring: stored scores and a log that goes on -> what came of the forecasts, and whether to keep the champion."""

from .pipeline import create_pipeline, create_recalibration

__all__ = ["create_pipeline", "create_recalibration"]
