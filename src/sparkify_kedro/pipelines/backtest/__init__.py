"""Backtest: how well models trained at past dates would have forecast the days after them."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
