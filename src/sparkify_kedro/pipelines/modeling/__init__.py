"""Modeling: per label and algorithm, a cross-validated model and how good it is; per label, the champion."""

from .pipeline import create_card, create_pipeline

__all__ = ["create_card", "create_pipeline"]
