"""Budgets of the properties whose every example runs Spark jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings


def spark_examples(number: int) -> Callable[[Any], Any]:
    """So many random examples in ``make test``, ten times as many in ``make test-faults`` (mark ``examples``)."""
    factor = 10 if settings.get_current_profile_name() == "thorough" else 1
    budget = settings(max_examples=factor * number, deadline=None)
    return lambda test: pytest.mark.examples(budget(test))
