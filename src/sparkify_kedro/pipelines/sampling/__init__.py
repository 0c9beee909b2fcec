"""Sampling: per label, the rows to train on, balanced and in folds, and the rows to evaluate on."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
