"""What no way from the log to features can beat: start Spark cold, and read and group the log once.

Run from the project's root with the log: ``python benchmarks/session_floor.py LOG``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from sparkify_kedro.framework.session import configure_session, get_session


def main(log: str) -> None:
    """Read with the declared schema, count pages per user."""
    configure_session(yaml.safe_load(Path("conf/base/spark.yml").read_text()))
    contract = yaml.safe_load(Path("conf/base/parameters_ingestion.yml").read_text())["ingestion"]
    schema = ", ".join(f"{name} {column['type']}" for name, column in contract["columns"].items())
    get_session().read.schema(schema).json(log).groupBy("userId", "page").count().collect()


if __name__ == "__main__":
    main(sys.argv[1])
