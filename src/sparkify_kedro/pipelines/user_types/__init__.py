"""User types: fitted on the users who are not held out, and added to every row."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
