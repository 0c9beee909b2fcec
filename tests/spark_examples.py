"""Budgets of the properties whose every example runs Spark jobs."""

from __future__ import annotations

from hypothesis import settings


def spark_examples(number: int) -> settings:
    """So many random examples in ``make test``, five times as many in ``make test-faults`` (profile ``thorough``)."""
    factor = 5 if settings.get_current_profile_name() == "thorough" else 1
    return settings(max_examples=factor * number, deadline=None)
