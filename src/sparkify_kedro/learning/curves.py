"""Precision-recall, ROC, gain and lift curves over all thresholds, for many weightings of the same rows at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Points of a drawn curve at most.
MOST_POINTS = 300


class Cumulated(NamedTuple):
    """Weights at or above each distinct score, best first (samples x scores), and their totals (samples x 1)."""

    flagged: Array
    reached: Array
    rows: Array
    positives: Array

    @property
    def negatives(self) -> Array:
        """The weight of rows of label 0."""
        negatives: Array = self.rows - self.positives
        return negatives


class Curve(NamedTuple):
    """The points of one curve, from left to right."""

    x: Array
    y: Array


def cumulate(label: Array, score: Array, weights: Array) -> Cumulated:
    """Count rows and positives at or above every distinct score.

    Args:
        label: 0 or 1, by row, or samples x rows.
        score: by row.
        weights: samples x rows: the weight of each row.
    """
    order = np.argsort(-score, kind="stable")
    first_of_score = np.flatnonzero(np.diff(-score[order], prepend=-np.inf) > 0)
    weighted = weights[:, order]
    flagged = np.add.reduceat(weighted, first_of_score, axis=1).cumsum(axis=1)
    reached = np.add.reduceat(weighted * label[..., order], first_of_score, axis=1).cumsum(axis=1)
    return Cumulated(flagged, reached, flagged[:, -1:], reached[:, -1:])


def precision_recall(counts: Cumulated) -> Curve:
    """Precision by recall, samples x points, as in Spark's ``BinaryClassificationMetrics``.

    The curve starts at recall 0 with the precision of its first point. Scores above all rows of a sample (their weight
    is 0) are not points of its curve.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = counts.reached / counts.flagged, counts.reached / counts.positives
    first_point = np.take_along_axis(precision, np.argmax(counts.flagged > 0, axis=1)[:, None], axis=1)
    precision = np.where(counts.flagged > 0, precision, first_point)
    return _from(0, first_point, recall, precision)


def roc(counts: Cumulated) -> Curve:
    """The share of positives reached by the share of negatives flagged, samples x points, from (0, 0)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (counts.flagged - counts.reached) / counts.negatives
        y = counts.reached / counts.positives
    return _from(0, np.zeros_like(counts.positives), x, y)


def gain(counts: Cumulated) -> Curve:
    """The share of positives reached by the share of rows flagged, samples x points, from (0, 0)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = counts.flagged / counts.rows, counts.reached / counts.positives
    return _from(0, np.zeros_like(counts.positives), x, y)


def lift(counts: Cumulated) -> Curve:
    """Precision over prevalence by the share of rows flagged, samples x points; constant up to its first point."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x = counts.flagged / counts.rows
        y = counts.reached / counts.flagged / (counts.positives / counts.rows)
    first_point = np.take_along_axis(y, np.argmax(counts.flagged > 0, axis=1)[:, None], axis=1)
    return _from(0, first_point, x, np.where(counts.flagged > 0, y, first_point))


def area(curve: Curve) -> Array:
    """The area under each sample's points, joined by straight lines (trapezoidal rule)."""
    height = (curve.y[:, 1:] + curve.y[:, :-1]) / 2
    areas: Array = (np.diff(curve.x, axis=1) * height).sum(axis=1)
    return areas


def average_precision(counts: Cumulated) -> Array:
    """The mean of the precisions at each distinct score, weighted by the gain in recall there (Zhu 2004), per sample.

    Steps instead of the straight lines of ``area``, which promise precision between two scores that no threshold has.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(counts.flagged > 0, counts.reached / counts.flagged, 0)
        recall = counts.reached / counts.positives
    averages: Array = (np.diff(recall, axis=1, prepend=0) * precision).sum(axis=1)
    return averages


def thin(curve: Curve) -> Curve:
    """The first sample's curve with at most ``MOST_POINTS`` points, both ends included."""
    points = curve.x.shape[1]
    kept = np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).round().astype(int))
    return Curve(curve.x[0, kept], curve.y[0, kept])


def at(curve: Curve, grid: Array) -> Array:
    """The height of each sample's curve at the positions of the grid: samples x positions."""
    return np.array([np.interp(grid, x, y) for x, y in zip(curve.x, curve.y, strict=True)])


def _from(x0: float, y0: Array, x: Array, y: Array) -> Curve:
    """The points, preceded by the one at which the curve starts."""
    return Curve(np.hstack([np.full_like(y0, x0), x]), np.hstack([y0, y]))
