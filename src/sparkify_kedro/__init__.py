"""Sparkify churn: from a music-streaming service's event log to churn predictions."""

__version__ = "0.1.0"
