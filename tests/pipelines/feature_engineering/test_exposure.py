"""The part of a period that the log covers depends on the calendar alone."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.pipelines.feature_engineering.exposure import observed_days

DAY = 86_400_000

# The log covers days 10 to 20. Since, until (days), expected.
PERIODS = [
    (10, 20, 10.0),
    (12, 15, 3.0),
    (0, 12, 2.0),
    (19.5, 30, 0.5),
    (0, 30, 10.0),
    (0, 10, 0.0),
    (20, 30, 0.0),
    (0, 5, 0.0),
    (25, 30, 0.0),
    (12, 12, 0.0),
]


def test_observed_days(spark: SparkSession) -> None:
    moments = [(int(since * DAY), int(until * DAY)) for since, until, _ in PERIODS]
    periods = spark.createDataFrame(moments, "since bigint, until bigint")
    days = periods.select(observed_days(F.col("since"), F.col("until"), 10 * DAY, 20 * DAY).alias("days"))
    assert [row.days for row in days.collect()] == [expected for *_, expected in PERIODS]
