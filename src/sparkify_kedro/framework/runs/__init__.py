"""Runs: run locks, pinned versions, provenance, summaries, retention, cleanup, comparison and repetition."""
