"""From lines of a log to events, with an account of every line."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.framework.errors import InputDataError

from .contract import (
    failures,
    is_logged_out,
    is_rejected,
    raw_value,
    read_object,
    unknown_columns,
    without_personal_values,
)
from .parameters import Ingestion, Rule
from .schemas import EVENT_COLUMNS, EVENT_KEYS, event_column, events

logger = logging.getLogger(__name__)

EVENT = "event"
LOGGED_OUT = "logged out"
REJECTED = "rejected"

MILLISECONDS_PER_DAY = 86_400_000

# Unknown values and columns that are counted by name: the most frequent ones.
_NAMED = 20
_CHARACTERS = 100
_BYTE_ORDER_MARK = "\ufeff"


def parse_lines(raw_events: DataFrame, parameters: Ingestion) -> DataFrame:
    """Read each line once: type it, and hold it against the contract.

    Args:
        raw_events: one row per line of the log, column ``value``.
        parameters: the contract.

    Returns:
        One row per line: ``outcome`` (event, logged out or rejected); ``failures``, the rules that it breaks, and
        ``unknown_columns``, of lines that can be used, each null where there is none; the ``line`` itself, without
        personal values, where it is rejected; and the event's columns.
    """
    # A file may begin with a mark that is no part of its first line.
    marked = F.startswith("value", F.lit(_BYTE_ORDER_MARK))
    line = F.when(marked, F.substring("value", 2, 2**31 - 1)).otherwise(F.col("value"))
    lines = raw_events.select(line.alias("line"))
    read = lines.select("line", read_object("line", parameters).alias("raw"))
    judged = read.select("line", "raw", failures(parameters).alias("failures"))
    outcome = F.when(is_rejected(parameters), REJECTED).when(is_logged_out(), LOGGED_OUT).otherwise(EVENT)
    told = judged.select("line", "raw", "failures", outcome.alias("outcome"))
    kept_line = F.when(F.col("outcome") == REJECTED, without_personal_values("line", parameters.personal_columns))
    raw_names = {event_column(name): name for name in parameters.columns}
    return told.select(
        "outcome",
        F.col("failures").cast("array<string>").alias("failures"),
        kept_line.alias("line"),
        *(raw_value(raw_names[name]).alias(name) for name in EVENT_COLUMNS),
        # The last, because it looks at all the others: Spark infers constraints from column to column, twice as many
        # with each one that follows.
        F.when(F.col("outcome") != REJECTED, unknown_columns(parameters)).alias("unknown_columns"),
    )


def select_rejected(parsed: DataFrame) -> DataFrame:
    """The lines that could not be used.

    Args:
        parsed: one row per line, as made by ``parse_lines``.

    Returns:
        One row per rejected line: the line and all its failures.
    """
    return parsed.where(F.col("outcome") == REJECTED).select("line", "failures")


def check_lines(parsed: DataFrame, rejected_events: DataFrame, parameters: Ingestion) -> dict[str, Any]:
    """Count the lines, and stop where the log as a whole is not what the contract asks for.

    Args:
        parsed: one row per line, as made by ``parse_lines``.
        rejected_events: the rejected ones among them.
        parameters: the contract.

    Returns:
        ``lines_read`` = ``event_lines`` (repeats among them) + ``logged_out`` + the sum of ``rejected``, in which each
        line counts once, by its first failure that rejects; and of the lines that are used, those that break a rule all
        the same (``warnings``), and the ``unknown_values`` by column and ``unknown_columns`` in them, the 20 most
        frequent each. Collects a row per outcome and set of failures, and what is counted by name.

    Raises:
        ValueError: where the log has no line or no event, where more lines are rejected than the contract allows, or
            where a rule is broken that must not be.
    """
    used = parsed.where(F.col("outcome") != REJECTED)
    kept = used.groupBy("outcome", "failures").agg(F.count(F.lit(1)).alias("lines"), F.count("unknown_columns"))
    lines, warnings, with_unknown_columns = Counter[str](), Counter[str](), 0
    for outcome, broken, number, strange in kept.collect():
        lines[outcome] += number
        warnings.update(dict.fromkeys(broken or (), number))
        with_unknown_columns += strange
    actions = parameters.actions
    rejected, fatal = Counter[str](), Counter[str]()
    for broken, number in rejected_events.groupBy("failures").count().collect():
        rejected[next(name for name in broken if actions[name] != "warn")] += number
        fatal.update({name: number for name in broken if actions[name] == "fail"})
    counts = {
        "lines_read": lines.total() + rejected.total(),
        "event_lines": lines[EVENT],
        "logged_out": lines[LOGGED_OUT],
        "rejected": _in_order(rejected),
        "warnings": _in_order(warnings),
    }
    _refuse_what_no_run_can_use(counts, _in_order(fatal), parameters)
    for name, number in counts["warnings"].items():
        logger.warning("Lines that are used although %s: %s", name, f"{number:,}")
    unknown = [rule for rule in parameters.rules if rule.kind == "is unknown" and rule.name in warnings]
    columns = used.select(F.explode("unknown_columns").alias("name"))
    return counts | {
        "unknown_values": _unknown_values(used, unknown),
        "unknown_columns": _named(columns) if with_unknown_columns else {},
    }


def _refuse_what_no_run_can_use(counts: dict[str, Any], fatal: dict[str, int], parameters: Ingestion) -> None:
    read, rejected = counts["lines_read"], sum(counts["rejected"].values())
    if read == 0:
        raise InputDataError("the log has no line: name another one")
    where = "look at the dataset rejected_events, which has these lines"
    if fatal:
        raise InputDataError(
            f"the log breaks a rule of the contract that must hold: {_most_frequent(fatal)}; {where}, or let the rule "
            "only reject (ingestion.columns, ingestion.if_broken, ingestion.if_malformed)"
        )
    if rejected > parameters.max_rejected_share * read:
        raise InputDataError(
            f"{rejected:,} of the log's {read:,} lines ({rejected / read:.1%}) are rejected, and "
            f"ingestion.max_rejected_share allows {parameters.max_rejected_share:.1%}: "
            f"{_most_frequent(counts['rejected'])}; {where}, and raise the share to go on without them"
        )
    if counts["event_lines"] == 0:
        raise InputDataError(
            f"the log has no event: of its {read:,} lines {counts['logged_out']:,} are of nobody (logged out) and "
            f"{rejected:,} are rejected"
        )


def _most_frequent(lines: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in list(lines.items())[:3])


def _in_order(lines: Counter[str]) -> dict[str, int]:
    """The most frequent first; in the alphabet's order where the numbers are equal."""
    return dict(sorted(lines.items(), key=lambda item: (-item[1], item[0])))


def _unknown_values(used: DataFrame, rules: Sequence[Rule]) -> dict[str, dict[str, int]]:
    """By column, the values that the contract does not know, with their lines."""
    return {
        rule.column: _named(
            used.where(F.array_contains("failures", rule.name)).select(F.col(event_column(rule.column)).alias("name"))
        )
        for rule in rules
    }


def _named(names: DataFrame) -> dict[str, int]:
    """The most frequent names, cut where they are too long to be read, with their lines."""
    most = (
        names.select(F.substring("name", 1, _CHARACTERS).alias("name"))
        .groupBy("name")
        .count()
        .orderBy(F.desc("count"), "name")
        .limit(_NAMED)
    )
    return {row.name: row["count"] for row in most.collect()}


def select_events(parsed: DataFrame, line_counts: dict[str, Any]) -> DataFrame:
    """The valid events, exact repeats counted once.

    Args:
        parsed: one row per line, as made by ``parse_lines``.
        line_counts: the word that the log is what the contract asks for; without it no event is written.

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


def report_ingestion(line_counts: dict[str, Any], valid_events: DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """Account for every line.

    Args:
        line_counts: the lines, as counted by ``check_lines``.
        valid_events: the events, as made by ``select_events``.

    Returns:
        ``lines_read`` = ``events`` + ``logged_out`` + ``duplicates`` + the sum of ``rejected``, exactly; the first and
        last time stamp (ms since the epoch) and the users of the events; what is odd and was used all the same: lines
        by rule (``warnings``), ``unknown_values`` by column and ``unknown_columns`` with their lines, and the users
        whose registration changes, or comes after the log's last event; and the time that the log covers, ``first_ts``
        and ``last_ts``, with the ``events`` and ``users`` in it. Collects two rows.
    """
    users = valid_events.groupBy("user_id").agg(
        F.count(F.lit(1)).alias("events"),
        F.min("ts").alias("first_ts"),
        F.max("ts").alias("last_ts"),
        (F.min("registration") != F.max("registration")).alias("registration_changes"),
    )
    found = users.agg(
        F.sum("events").alias("events"),
        F.count(F.lit(1)).alias("users"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
        F.count_if("registration_changes").alias("registration_changes"),
    ).collect()[0]
    # Files say what their greatest registration is, so this opens none where there is no such user.
    late = valid_events.where(F.col("registration") > found.last_ts).agg(F.count_distinct("user_id").alias("users"))
    span = {name: found[name] for name in ("events", "users", "first_ts", "last_ts")}
    account = {
        "lines_read": line_counts["lines_read"],
        "events": found.events,
        "logged_out": line_counts["logged_out"],
        "duplicates": line_counts["event_lines"] - found.events,
        "rejected": line_counts["rejected"],
        "warnings": line_counts["warnings"],
        "unknown_values": line_counts["unknown_values"],
        "unknown_columns": line_counts["unknown_columns"],
        "users": found.users,
        "users_whose_registration_changes": found.registration_changes,
        "users_registered_after_the_log": late.collect()[0].users,
        "first_ts": found.first_ts,
        "last_ts": found.last_ts,
    }
    return account, span
