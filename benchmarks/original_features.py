"""The original's way from the log to features, for comparison: inferred schema, Python UDFs, one join per feature.

An independent implementation after the description of the original script, with Spark's defaults. Run with the log and
an output folder: ``python benchmarks/original_features.py LOG FOLDER``.
"""

from __future__ import annotations

import sys

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType

COUNTED = (
    "About", "Add Friend", "Add to Playlist", "Downgrade", "Error", "Help", "Home", "Logout", "NextSong", "Roll Advert",
    "Save Settings", "Settings", "Thumbs Down", "Thumbs Up", "Upgrade",
)  # fmt: skip
BIN = 14 * 24 * 60 * 60 * 1000
KEYS = ["userId", "time_bin"]


def engineer(events: DataFrame) -> DataFrame:
    """One row per user and bin with 25 features and three labels, a join at a time."""
    to_bin = F.udf(lambda ts, registration: int((ts - registration) / BIN), IntegerType())
    events = events.where("userId != ''").withColumn("time_bin", to_bin("ts", "registration"))
    flags = {
        "churned": "Cancellation Confirmation",
        "downgraded": "Submit Downgrade",
        "upgraded": "Submit Upgrade",
    }
    for name, page in flags.items():
        is_page = F.udf(lambda seen, page=page: int(seen == page), IntegerType())
        events = events.withColumn(name, is_page("page"))
    bins = events.select(*KEYS).distinct()
    male = F.udf(lambda gender: int(gender == "M"), IntegerType())
    bins = bins.join(events.select("userId", male("gender").alias("is_male")).distinct(), "userId", "left")
    for level in ("paid", "free"):
        had = (
            events.where(F.col("level") == level).select(*KEYS).distinct().withColumn(f"{level}_in_time_bin", F.lit(1))
        )
        bins = bins.join(had, KEYS, "left")
    for name in flags:
        bins = bins.join(events.groupBy(*KEYS).agg(F.max(name).alias(f"{name}_in_time_bin")), KEYS, "left")
    bins = bins.join(events.where(F.col("page").isin(*COUNTED)).groupBy(*KEYS).pivot("page").count(), KEYS, "left")
    for name, column in {"sessions": "sessionId", "artists": "artist", "distinct_songs": "song"}.items():
        distinct = events.groupBy(*KEYS).agg(F.countDistinct(column).alias(f"{name}_in_time_bin"))
        bins = bins.join(distinct, KEYS, "left")
    churn = events.where("churned = 1").select("userId", (F.col("time_bin") - 1).alias("time_bin")).distinct()
    bins = bins.join(churn.withColumn("will_churn_in_next_bin", F.lit(1)), KEYS, "left")
    downgrades = events.where("downgraded = 1").select("userId", F.col("time_bin").alias("downgrade_bin"))
    bins = bins.join(downgrades, "userId", "left").withColumn(
        "previously_downgraded", F.coalesce((F.col("time_bin") > F.col("downgrade_bin")).cast("int"), F.lit(0))
    )
    newest = Window.partitionBy(*KEYS).orderBy(F.desc("previously_downgraded"))
    bins = bins.withColumn("place", F.row_number().over(newest)).where("place = 1").drop("place", "downgrade_bin")
    bins = bins.fillna(0)
    soon = F.udf(lambda now, later: int(now + later > 0), IntegerType())
    return bins.withColumn("will_churn_soon", soon("churned_in_time_bin", "will_churn_in_next_bin"))


def main(log: str, folder: str) -> None:
    """Read, engineer, write."""
    spark = SparkSession.builder.master("local[2]").config("spark.driver.memory", "2g").getOrCreate()
    bins = engineer(spark.read.json(log))
    renamed = [F.col(f"`{name}`").alias(name.replace(" ", "_")) for name in bins.columns]
    bins.select(*renamed).write.mode("overwrite").parquet(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
