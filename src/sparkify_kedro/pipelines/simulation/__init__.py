"""Simulation: event logs of any size with known churn probabilities."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
