"""Rates are shrunk toward the average user's, depending on the exposure."""

from __future__ import annotations

import itertools

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.pipelines.feature_engineering.rates import shrunk


def shrunk_rates(spark: SparkSession, seen: list[tuple[float, float]], average: float, strength: float) -> list[float]:
    table = spark.createDataFrame(
        [(float(count), float(exposure)) for count, exposure in seen], "count double, exposure double"
    )
    rate = shrunk(F.col("count"), F.col("exposure"), average, strength)
    return [row.rate for row in table.select(rate.alias("rate")).collect()]


def test_without_evidence_a_rate_is_the_average(spark: SparkSession) -> None:
    assert shrunk_rates(spark, [(0, 0)], 0.25, 14) == [0.25]


def test_a_rate_lies_between_the_average_and_the_observed_rate(spark: SparkSession) -> None:
    seen = [(count, exposure) for count, exposure in itertools.product([0, 1, 7, 500], [0.5, 3, 14, 400])]
    for (count, exposure), rate in zip(seen, shrunk_rates(spark, seen, 0.4, 14), strict=True):
        low, high = sorted((0.4, count / exposure))
        assert low < rate < high


def test_twice_the_evidence_counts_twice(spark: SparkSession) -> None:
    """With as much exposure as the strength, the average and the user's own rate weigh the same; with twice, 1 to 2."""
    rates = shrunk_rates(spark, [(14, 14), (28, 28), (14e9, 14e9)], 0.25, 14)
    assert rates == [pytest.approx(0.625), pytest.approx(0.75), pytest.approx(1)]
