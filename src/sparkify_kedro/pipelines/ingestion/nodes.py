"""From lines of a log to events, with an account of every line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructType

from .parameters import Ingestion
from .schemas import EVENT_KEYS, events

EVENT = "event"
LOGGED_OUT = "logged out"
REJECTED = "rejected"

MILLISECONDS_PER_DAY = 86_400_000

_MALFORMED = "_malformed"


def parse_lines(raw_events: DataFrame, raw_events_schema: dict[str, Any], parameters: Ingestion) -> DataFrame:
    """Read each line once: type it, and decide whether it is an event, a logged-out row or rejected.

    Args:
        raw_events: one row per line of the log, column ``value``.
        raw_events_schema: the raw columns, as Spark's JSON notation of a schema.
        parameters: what a line must satisfy.

    Returns:
        One row per line: ``outcome``, the ``reason`` and the ``line`` itself where it is rejected, and the event's
        columns without the names of people.
    """
    # Spark keeps a line it cannot read whole in this extra column, if the schema has it.
    schema = StructType.fromJson(raw_events_schema).add(_MALFORMED, StringType())
    parsed = F.from_json("value", schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _MALFORMED})
    lines = raw_events.select(F.col("value").alias("line"), parsed.alias("raw"), is_one_value("value").alias("alone"))

    is_logged_out = F.trim("raw.userId") == ""
    reason = rejection_reason(parameters)
    outcome = F.when(reason.isNotNull(), REJECTED).when(is_logged_out, LOGGED_OUT).otherwise(EVENT)
    judged = lines.select(outcome.alias("outcome"), reason.alias("reason"), "line", "raw.*")
    rejected = F.col("outcome") == REJECTED
    return judged.select(
        "outcome",
        "reason",
        F.when(rejected, F.col("line")).alias("line"),
        F.trim("userId").alias("user_id"),
        F.col("sessionId").alias("session_id"),
        F.col("itemInSession").alias("item_in_session"),
        "ts",
        "page",
        "auth",
        "method",
        "status",
        "level",
        "registration",
        "gender",
        "location",
        F.col("userAgent").alias("user_agent"),
        "artist",
        "song",
        "length",
    )


def rejection_reason(parameters: Ingestion) -> Column:
    """The first reason why the line in ``raw`` is neither an event nor a logged-out row; null where there is none."""
    raw = {name: F.col(f"raw.{name}") for name in ("ts", "userId", "sessionId", "itemInSession", "page", "level")}
    is_malformed = F.col("raw").isNull() | F.col(f"raw.{_MALFORMED}").isNotNull() | ~F.col("alone")
    is_logged_in = F.trim("raw.userId") != ""
    reason = F.when(is_malformed, "not a JSON object with the columns' types")
    for name, column in raw.items():
        reason = reason.when(column.isNull(), f"{name} is missing")
    return (
        reason.when(~is_plausible("raw.ts", parameters), "ts is implausible")
        .when(is_logged_in & F.col("raw.registration").isNull(), "registration is missing")
        .when(is_logged_in & ~is_plausible("raw.registration", parameters), "registration is implausible")
    )


def is_plausible(moment: str, parameters: Ingestion) -> Column:
    """Whether a moment (ms since the epoch) lies in the years in which there can be a log."""
    return F.col(moment).between(_milliseconds(parameters.earliest), _milliseconds(parameters.latest) - 1)


def is_one_value(line: str) -> Column:
    """Whether a line holds one JSON value and nothing after it, which ``from_json`` does not look at."""
    # Nearly every line ends with its only brace; the others are read a second time.
    ends_with_first_brace = F.instr(line, "}") == F.length(line)
    elements = F.json_array_length(F.concat(F.lit("["), F.col(line), F.lit("]")))
    return ends_with_first_brace | (F.coalesce(elements, F.lit(0)) == 1)


def select_events(parsed: DataFrame) -> DataFrame:
    """The valid events, exact repeats counted once.

    Args:
        parsed: one row per line, as made by ``parse_lines``.

    Returns:
        One row per event, with its day (UTC), by which the table is partitioned.
    """
    keys = [*EVENT_KEYS, "event_date"]
    # Repeats agree in the keys; should they differ elsewhere, the least one stands for all, whatever their order.
    others = [name for name in events.struct.names if name not in keys]
    # From the number of the day, so that it is the day in UTC whatever the session's time zone.
    event_date = F.date_from_unix_date(F.call_function("div", "ts", F.lit(MILLISECONDS_PER_DAY)).cast("int"))
    return (
        parsed.where(F.col("outcome") == EVENT)
        .withColumn("event_date", event_date)
        # Repeats share a day, so one shuffle serves both the grouping and the partitioned write.
        .repartition("event_date")
        .groupBy(*keys)
        .agg(F.min(F.struct(*others)).alias("other"))
        .select(*(f"other.{name}" if name in others else name for name in events.struct.names))
    )


def select_rejected(parsed: DataFrame) -> DataFrame:
    """The lines that could not be used.

    Args:
        parsed: one row per line, as made by ``parse_lines``.

    Returns:
        One row per rejected line: the line and the reason.
    """
    return parsed.where(F.col("outcome") == REJECTED).select("line", "reason")


def report_ingestion(parsed: DataFrame, valid_events: DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """Account for every line.

    Args:
        parsed: one row per line, as made by ``parse_lines``.
        valid_events: the events, as made by ``select_events``.

    Returns:
        ``lines_read`` = ``events`` + ``logged_out`` + ``duplicates`` + the sum of ``rejected``, exactly; the first and
        last time stamp (ms since the epoch) and the users of the events; and the time that the log covers, ``first_ts``
        and ``last_ts``, with the ``events`` and ``users`` in it. Collects one row per outcome and reason.
    """
    rows = parsed.groupBy("outcome", "reason").count().collect()
    lines = {outcome: sum(row["count"] for row in rows if row.outcome == outcome) for outcome in (EVENT, LOGGED_OUT)}
    rejected = {row.reason: row["count"] for row in sorted(rows, key=lambda row: row.reason or "") if row.reason}
    span = valid_events.select(
        F.count(F.lit(1)).alias("events"),
        F.count_distinct("user_id").alias("users"),
        F.min("ts").alias("first_ts"),
        F.max("ts").alias("last_ts"),
    ).collect()[0]
    account = {
        "lines_read": sum(row["count"] for row in rows),
        "events": span.events,
        "logged_out": lines[LOGGED_OUT],
        "duplicates": lines[EVENT] - span.events,
        "rejected": rejected,
        "users": span.users,
        "first_ts": span.first_ts,
        "last_ts": span.last_ts,
    }
    return account, span.asDict()


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000
