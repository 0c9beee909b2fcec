"""What no way from the log to features can beat: start Spark cold, and read and group the log once.

Run from the project's root with the log: ``python benchmarks/session_floor.py LOG``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from pyspark.sql.types import StructType

from sparkify_kedro.spark_session import configure_session, get_session


def main(log: str) -> None:
    """Read with the declared schema, count pages per user."""
    configure_session(yaml.safe_load(Path("conf/base/spark.yml").read_text()))
    schema = StructType.fromJson(json.loads(Path("conf/base/schemas/raw_events.json").read_text()))
    get_session().read.schema(schema).json(log).groupBy("userId", "page").count().collect()


if __name__ == "__main__":
    main(sys.argv[1])
