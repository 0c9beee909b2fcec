"""The algorithms of one landmark as parameters of tests: those whose package is not installed are skipped, and why."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from sparkify_kedro.learning.algorithms import ALGORITHMS

EVERY_ALGORITHM = [
    pytest.param(
        name,
        marks=()
        if algorithm.package is None
        else (
            # Networks have tests of their own in make test.
            pytest.mark.faults,
            pytest.mark.skipif(
                find_spec(algorithm.package) is None,
                reason=f"{algorithm.package} is not installed: make {algorithm.package}",
            ),
        ),
    )
    for name, algorithm in ALGORITHMS.items()
    if not algorithm.takes_names
]
