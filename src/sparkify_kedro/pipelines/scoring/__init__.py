"""Scoring: a log and the champions -> churn scores, users at risk with reasons, and how far the log has drifted."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
