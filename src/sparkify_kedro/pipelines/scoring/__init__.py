"""Scoring: rows and a champion -> scores, users at risk with reasons, and how far the rows have drifted."""

from .pipeline import create_pipeline, create_pipeline_for_another_log, create_pipeline_for_labels

__all__ = ["create_pipeline", "create_pipeline_for_another_log", "create_pipeline_for_labels"]
