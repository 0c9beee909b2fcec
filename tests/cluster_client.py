"""A search's rows on a cluster, of which a worker is lost: prints the sum before and after."""

from __future__ import annotations

import sys

from pyspark.sql import functions as F

from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.learning.search import materialize

if __name__ == "__main__":
    configure_session({"spark.master": sys.argv[1]})
    rows = materialize(get_session().range(1_000, numPartitions=8).withColumn("number", F.col("id") * 2))
    for _ in range(2):
        print(rows.agg(F.sum("number")).first()[0], flush=True)
        # The test goes on when it has killed a worker.
        sys.stdin.readline()
