"""What the contract costs: ``make benchmark-contract``.

One warm session parses the bundled log and writes the lines, in turn with the contract as configured and with columns,
types and required values alone; then come the events, which both ways write alike. Seconds on the clock, and of the
processor's time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from statistics import median

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from project_copy import LOG, PROJECT
from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.pipelines.ingestion.contract import is_malformed, raw_value
from sparkify_kedro.pipelines.ingestion.nodes import EVENT, LOGGED_OUT, REJECTED, parse_lines, select_events
from sparkify_kedro.pipelines.ingestion.parameters import Ingestion
from sparkify_kedro.pipelines.ingestion.parsing import typed_object
from sparkify_kedro.pipelines.ingestion.schemas import EVENT_COLUMNS, event_column

PARTS = 4  # the log is one file that cannot be split; a large log has many


def parse_without_contract(raw_events: DataFrame, parameters: Ingestion) -> DataFrame:
    """The lines as ``parse_lines`` types them, with the first missing value for the only reason to reject one."""
    required = [name for name, column in parameters.columns.items() if column.required == "always"]
    lines = raw_events.select(F.col("value").alias("line"))
    parsed = lines.select("line", typed_object("line", parameters).alias("raw"))
    read = parsed.withColumn("user_id", F.trim("raw.userId"))
    reason = F.when(is_malformed(), "malformed")
    for name in required:
        reason = reason.when(raw_value(name).isNull(), f"{name} is missing")
    outcome = F.when(reason.isNotNull(), REJECTED).when(raw_value("userId") == "", LOGGED_OUT).otherwise(EVENT)
    judged = read.withColumns({"reason": reason, "outcome": outcome})
    raw_names = {event_column(name): name for name in parameters.columns}
    return judged.select(
        "outcome",
        "reason",
        F.when(F.col("outcome") == REJECTED, F.col("line")).alias("line"),
        *(raw_value(raw_names[name]).alias(name) for name in EVENT_COLUMNS),
    )


def seconds_to_write(table: DataFrame, folder: str, **options: str) -> tuple[float, float]:
    """Seconds on the clock and of the JVM's processor time."""
    clock, processor = time.perf_counter(), processor_seconds(table.sparkSession)
    table.write.mode("overwrite").options(**options).parquet(folder)
    return time.perf_counter() - clock, processor_seconds(table.sparkSession) - processor


def processor_seconds(spark: SparkSession) -> float:
    """What the JVM has used so far."""
    return spark._jvm.java.lang.ProcessHandle.current().info().totalCpuDuration().get().toMillis() / 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2)
    options = parser.parse_args()
    configure_session(yaml.safe_load((PROJECT / "conf/base/spark.yml").read_text()))
    configured = yaml.safe_load((PROJECT / "conf/base/parameters_ingestion.yml").read_text())["ingestion"]
    parameters = Ingestion.model_validate(configured)
    measured: dict[str, list[tuple[float, float]]] = {"on": [], "off": [], "events": []}
    with tempfile.TemporaryDirectory() as folder:
        get_session().read.text(str(PROJECT / LOG)).repartition(PARTS).write.text(f"{folder}/log")
        raw_events = get_session().read.text(f"{folder}/log")
        for _ in range(options.warm_up + options.rounds):
            lines = {"on": parse_lines(raw_events, parameters), "off": parse_without_contract(raw_events, parameters)}
            for name, table in lines.items():
                measured[name].append(seconds_to_write(table, f"{folder}/{name}"))
            events = select_events(get_session().read.parquet(f"{folder}/on"), {})
            measured["events"].append(seconds_to_write(events, f"{folder}/events"))
    print(f"{options.rounds} rounds after {options.warm_up} to warm up: best and median seconds")
    for place, kind in enumerate(("on the clock", "of processor time")):
        taken = {name: sorted(each[place] for each in rounds[options.warm_up :]) for name, rounds in measured.items()}
        for name, what in (("on", "lines, contract on"), ("off", "lines, contract off"), ("events", "events")):
            print(f"{kind:18} {what:20} {taken[name][0]:7.2f} {median(taken[name]):7.2f}")
        best, middle = (
            (pick(taken["on"]) - pick(taken["off"])) / (pick(taken["on"]) + pick(taken["events"]))
            for pick in (min, median)
        )
        print(f"{kind:18} the contract's share of both {best:7.1%} {middle:6.1%}")


if __name__ == "__main__":
    main()
