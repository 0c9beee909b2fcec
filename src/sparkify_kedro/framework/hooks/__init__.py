"""Kedro hooks of a run."""
