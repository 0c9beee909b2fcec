"""Profiles of columns, and the population stability index of other rows against them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.reports import ColumnProfile

# The name of the score in a profile, beside the features.
SCORE = "score"

_TENTHS = [number / 10 for number in range(1, 10)]
# percentile_approx is exact below this many distinct values.
_ACCURACY = 10_000
# An empty interval counts as half a row, so that its share has a logarithm.
_HALF_A_ROW = 0.5

Profile = dict[str, ColumnProfile]


def profile_columns(rows: DataFrame, columns: Sequence[str]) -> Profile:
    """Cut each column into intervals of about equally many rows.

    Args:
        rows: the numeric ``columns``.
        columns: the columns to profile.

    Returns:
        By column: at most nine edges, the rows per interval, minimum, maximum and mean. Collects a dozen numbers per
        column.
    """
    described = (
        _melted(rows, columns)
        .groupBy("position")
        .agg(
            F.percentile_approx("value", _TENTHS, _ACCURACY).alias("edges"),
            F.min("value").alias("min"),
            F.max("value").alias("max"),
            F.avg("value").alias("mean"),
        )
        .collect()
    )
    found = {columns[row.position]: row for row in described}
    edges = {name: sorted(set(found[name].edges)) if name in found else [] for name in columns}
    counts = count_in_intervals(rows, edges)
    return {
        name: ColumnProfile(
            edges=edges[name],
            counts=counts[name],
            min=found[name].min if name in found else None,
            max=found[name].max if name in found else None,
            mean=found[name].mean if name in found else None,
        )
        for name in columns
    }


def count_in_intervals(rows: DataFrame, edges: Mapping[str, Sequence[float]]) -> dict[str, list[int]]:
    """Rows per interval, by column. Collects at most ten numbers per column.

    Args:
        rows: the numeric columns that ``edges`` names.
        edges: by column, the upper edges of all intervals but the last.

    Returns:
        By column, one number more than it has edges.
    """
    names = list(edges)
    limits = F.array(*(F.array(*map(F.lit, edges[name])).cast("array<double>") for name in names))
    interval = F.size(F.filter(limits[F.col("position")], lambda edge: edge < F.col("value")))
    counted = _melted(rows, names).groupBy("position", interval.alias("interval")).count().collect()
    counts = {name: [0] * (len(edges[name]) + 1) for name in names}
    for row in counted:
        counts[names[row.position]][row.interval] = row["count"]
    return counts


def population_stability_index(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The population stability index: the sum over intervals of (a - e) ln(a / e), of the shares of rows.

    Siddiqi 2006, "Credit Risk Scorecards". Range 0 to infinity; by convention, less than 0.1 is stable and more than
    0.25 a shift. An interval that is empty on one side counts as half a row there; one empty on both is left out.

    Examples:
        >>> population_stability_index([10, 10], [10, 10])
        0.0
    """
    shares = []
    for counts in zip(*_occupied(expected, actual), strict=True):
        filled = [max(count, _HALF_A_ROW) for count in counts]
        shares.append([count / math.fsum(filled) for count in filled])
    return math.fsum((a - e) * math.log(a / e) for e, a in zip(*shares, strict=True))


def expected_index(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The index expected of two samples of the same population: (intervals - 1) (1 / rows + 1 / rows).

    Yurdakul and Naranjo 2020, "Statistical properties of the population stability index": the index times the harmonic
    number of rows is about chi-squared distributed.
    """
    rows = [sum(counts) for counts in (expected, actual)]
    if 0 in rows:
        return math.inf
    return (len(_occupied(expected, actual)) - 1) * math.fsum(1 / number for number in rows)


def without_history() -> Column:
    """Whether the log has no history of the user before the row's bin; from columns of ``user_time_bins``."""
    return F.col("observed_days_in_history") <= F.col("observed_days_in_time_bin")


def _occupied(expected: Sequence[int], actual: Sequence[int]) -> list[tuple[int, int]]:
    """The counts of both sides in intervals that are not empty on both."""
    return [counts for counts in zip(expected, actual, strict=True) if any(counts)]


def _melted(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row per row and column: ``position`` of the column, and ``value``."""
    values = F.array(*(F.col(name).cast("double") for name in columns))
    return rows.select(F.posexplode(values).alias("position", "value"))
