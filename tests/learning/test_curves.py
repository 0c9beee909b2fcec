"""Curves over all thresholds, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_curve

from sparkify_kedro.learning.curves import (
    MOST_POINTS,
    Curve,
    area,
    at,
    cumulate,
    gain,
    lift,
    precision_recall,
    roc,
    thin,
)

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def counts(rows: list[tuple[int, int]], weights: np.ndarray | None = None):
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    return cumulate(label, score / 5, np.ones((1, len(rows))) if weights is None else weights)


@given(ROWS)
def test_roc_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    label, score = zip(*rows, strict=True)
    x, y, _ = roc_curve(label, score, drop_intermediate=False)
    curve = roc(counts(rows))
    assert curve.x[0] == pytest.approx(x)
    assert curve.y[0] == pytest.approx(y)
    assert area(curve)[0] == pytest.approx(auc(x, y))


@given(ROWS, st.data())
def test_weight_two_equals_two_rows(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    weighted = counts(rows, np.array([times], dtype=float))
    repeated = counts([row for row, often in zip(rows, times, strict=True) for _ in range(often)])
    for curve in (precision_recall, roc, gain, lift):
        ours, theirs = curve(weighted), curve(repeated)
        assert ours.x == pytest.approx(theirs.x)
        assert ours.y == pytest.approx(theirs.y)


def test_precision_and_gain_of_four_rows() -> None:
    """Scores .8 (churns), .6 (stays), .4 (one of each)."""
    four = counts([(1, 4), (0, 3), (1, 2), (0, 2)])
    curve = precision_recall(four)
    assert curve.x[0] == pytest.approx([0, 0.5, 0.5, 1])
    assert curve.y[0] == pytest.approx([1, 1, 0.5, 0.5])
    reached = gain(four)
    assert reached.x[0] == pytest.approx([0, 0.25, 0.5, 1])
    assert reached.y[0] == pytest.approx([0, 0.5, 0.5, 1])
    # Twice as many among the first as in all, and as many where everybody is flagged.
    assert lift(four).x[0] == pytest.approx([0, 0.25, 0.5, 1])
    assert lift(four).y[0] == pytest.approx([2, 2, 1, 1])


def test_a_curve_starts_at_the_first_row_with_positive_weight() -> None:
    drawn = counts([(0, 5), (1, 4), (0, 2)], np.array([[0.0, 1.0, 1.0]]))
    assert precision_recall(drawn).y[0] == pytest.approx([1, 1, 1, 0.5])


def test_a_long_curve_is_reduced_without_changing_its_shape() -> None:
    x = np.linspace(0, 1, 5_000)
    thinned = thin(Curve(x[None], x[None] ** 2))
    assert len(thinned.x) == MOST_POINTS
    assert (thinned.x[0], thinned.x[-1]) == (0, 1)
    assert np.interp(0.5, thinned.x, thinned.y) == pytest.approx(0.25, abs=1e-4)
    short = thin(Curve(np.array([[0, 0.5, 1]]), np.array([[0, 1, 1]])))
    assert short.y.tolist() == [0, 1, 1]


def test_heights_are_interpolated() -> None:
    curve = Curve(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert at(curve, np.array([0.25, 0.5])).tolist() == [[0.25, 0.5], [0.75, 0.5]]
