"""Feature engineering: events -> one row per user and time bin, with features and labels."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
