"""Experiments: what other settings would do to the forecast, judged as the default is."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
