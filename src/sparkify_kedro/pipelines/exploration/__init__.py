"""Exploration: how users who cancel and users who stay differ in the log."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
