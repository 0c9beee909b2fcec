"""The distribution of columns in few numbers, and how far other rows are from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# The score's own line in a profile, beside those of the features.
SCORE = "score"

_TENTHS = [number / 10 for number in range(1, 10)]
# Exact for fewer distinct values than this.
_ACCURACY = 10_000
# Half a row in an empty interval, so that its share has a logarithm.
_HALF_A_ROW = 0.5

Profile = dict[str, dict[str, Any]]


def profile_columns(rows: DataFrame, columns: Sequence[str]) -> Profile:
    """Cut each column into intervals of about equally many rows.

    Args:
        rows: the numeric ``columns``.
        columns: what to describe.

    Returns:
        By column: ``edges`` (at most nine, ascending; an interval reaches up to and includes its edge, the last has
        none), ``counts`` (rows per interval), ``min``, ``max`` and ``mean``. Collects a dozen numbers per column.
    """
    described = (
        _melted(rows, columns)
        .groupBy("place")
        .agg(
            F.percentile_approx("value", _TENTHS, _ACCURACY).alias("edges"),
            F.min("value").alias("min"),
            F.max("value").alias("max"),
            F.avg("value").alias("mean"),
        )
        .collect()
    )
    nothing = {"edges": [], "min": None, "max": None, "mean": None}
    found = {columns[row.place]: {name: row[name] for name in nothing} for row in described}
    limits = {name: found.get(name, nothing) for name in columns}
    limits = {name: limit | {"edges": sorted(set(limit["edges"]))} for name, limit in limits.items()}
    counts = count_in_intervals(rows, {name: limit["edges"] for name, limit in limits.items()})
    return {name: limit | {"counts": counts[name]} for name, limit in limits.items()}


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
    interval = F.size(F.filter(limits[F.col("place")], lambda edge: edge < F.col("value")))
    counted = _melted(rows, names).groupBy("place", interval.alias("interval")).count().collect()
    counts = {name: [0] * (len(edges[name]) + 1) for name in names}
    for row in counted:
        counts[names[row.place]][row.interval] = row["count"]
    return counts


def population_stability_index(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The population stability index: the sum over intervals of (a - e) ln(a / e), of the shares of rows.

    Siddiqi 2006, "Credit Risk Scorecards". By custom, under 0.1 is stable and over 0.25 a shift. An interval that is
    empty on one side counts as half a row there; one that is empty on both says nothing.
    """
    shares = []
    for counts in zip(*_occupied(expected, actual), strict=True):
        filled = [max(count, _HALF_A_ROW) for count in counts]
        shares.append([count / math.fsum(filled) for count in filled])
    return math.fsum((a - e) * math.log(a / e) for e, a in zip(*shares, strict=True))


def index_by_chance(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The index to expect of two samples of the same population: (intervals - 1) (1 / rows + 1 / rows).

    Yurdakul and Naranjo 2020, "Statistical properties of the population stability index": the index times the harmonic
    number of rows is about chi-squared distributed.
    """
    rows = [sum(counts) for counts in (expected, actual)]
    if 0 in rows:
        return math.inf
    return (len(_occupied(expected, actual)) - 1) * math.fsum(1 / number for number in rows)


def without_history() -> Column:
    """Whether the log covers nothing of the user before a row's bin; from columns of ``user_time_bins``."""
    return F.col("observed_days_in_history") <= F.col("observed_days_in_time_bin")


def _occupied(expected: Sequence[int], actual: Sequence[int]) -> list[tuple[int, int]]:
    """The counts of both sides, in intervals that are not empty on both."""
    return [counts for counts in zip(expected, actual, strict=True) if any(counts)]


def _melted(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row per row and column: ``place`` of the column, and ``value``."""
    values = F.array(*(F.col(name).cast("double") for name in columns))
    return rows.select(F.posexplode(values).alias("place", "value"))
