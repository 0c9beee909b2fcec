"""Sampling: per label, the rows to train on, balanced and in folds, and the rows to judge by."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
