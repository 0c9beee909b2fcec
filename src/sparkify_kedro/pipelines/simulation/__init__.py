"""Simulation: an event log of any size, with known truth."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
