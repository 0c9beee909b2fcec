"""Curves over all thresholds: precision-recall, ROC, gain and lift, for many weightings of the same rows at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Points that a drawn curve has at the most.
MOST_POINTS = 300


class Cumulated(NamedTuple):
    """What lies at or above each distinct score, best first: samples x distinct scores; and the totals, samples x 1."""

    flagged: np.ndarray
    reached: np.ndarray
    rows: np.ndarray
    positives: np.ndarray

    @property
    def negatives(self) -> np.ndarray:
        """Rows of label 0."""
        return self.rows - self.positives


class Curve(NamedTuple):
    """The points of one curve, from left to right."""

    x: np.ndarray
    y: np.ndarray


def cumulate(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> Cumulated:
    """Count rows and positives at or above every distinct score.

    Args:
        label: 0 or 1, by row.
        score: by row.
        weights: samples x rows: how often a row counts.
    """
    order = np.argsort(-score, kind="stable")
    first_of_score = np.flatnonzero(np.diff(-score[order], prepend=-np.inf) > 0)
    weighted = weights[:, order]
    flagged = np.add.reduceat(weighted, first_of_score, axis=1).cumsum(axis=1)
    reached = np.add.reduceat(weighted * label[order], first_of_score, axis=1).cumsum(axis=1)
    return Cumulated(flagged, reached, flagged[:, -1:], reached[:, -1:])


def precision_recall(counts: Cumulated) -> Curve:
    """Precision by recall, samples x points, as in Spark's ``BinaryClassificationMetrics``.

    The curve starts at recall 0 with the precision of its first point. Scores that a sample has not drawn come before
    its first point, and are no points of its curve.
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
    """Precision over prevalence, by the share of rows flagged, samples x points; level up to its first point."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x = counts.flagged / counts.rows
        y = counts.reached / counts.flagged / (counts.positives / counts.rows)
    first_point = np.take_along_axis(y, np.argmax(counts.flagged > 0, axis=1)[:, None], axis=1)
    return _from(0, first_point, x, np.where(counts.flagged > 0, y, first_point))


def area(curve: Curve) -> np.ndarray:
    """The area under each sample's points joined by straight lines."""
    height = (curve.y[:, 1:] + curve.y[:, :-1]) / 2
    return (np.diff(curve.x, axis=1) * height).sum(axis=1)


def thin(curve: Curve) -> Curve:
    """The first sample's curve with at most ``MOST_POINTS`` points, both ends among them."""
    points = curve.x.shape[1]
    kept = np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).round().astype(int))
    return Curve(curve.x[0, kept], curve.y[0, kept])


def at(curve: Curve, grid: np.ndarray) -> np.ndarray:
    """The height of each sample's curve at the grid's places: samples x places."""
    return np.array([np.interp(grid, x, y) for x, y in zip(curve.x, curve.y, strict=True)])


def _from(x0: float, y0: np.ndarray, x: np.ndarray, y: np.ndarray) -> Curve:
    """The points with the one that the curve starts at before them."""
    return Curve(np.hstack([np.full_like(y0, x0), x]), np.hstack([y0, y]))
