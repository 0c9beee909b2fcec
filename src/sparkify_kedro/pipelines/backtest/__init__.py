"""Backtest: had we trained and scored on a day in the past, how good would the list have been?"""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
