"""Scoring: rows and the champion -> churn scores, users at risk with reasons, and how far the rows have drifted."""

from .pipeline import create_pipeline, create_pipeline_for_another_log

__all__ = ["create_pipeline", "create_pipeline_for_another_log"]
