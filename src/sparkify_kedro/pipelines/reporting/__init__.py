"""Reporting: figures of the log and the models, and one page that shows them."""

from .pipeline import create_pipeline, create_pipeline_for_labels

__all__ = ["create_pipeline", "create_pipeline_for_labels"]
