"""Survival: how long users stay, from the log; and the forecast at several horizons, from their champions."""

from .pipeline import create_curves, create_pipeline

__all__ = ["create_curves", "create_pipeline"]
