"""Ingestion: raw JSON lines -> typed events, rejected lines and what was counted."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
