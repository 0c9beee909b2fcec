"""Tracking: runs, models and champions in MLflow, where a tracking server or a database is configured."""
