"""Multiclass: one model of staying, churning now and churning next, against a binary model of each."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
