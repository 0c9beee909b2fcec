"""From the lines of a log to events; every line is accounted for."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StringType

from sparkify_kedro.churn.reports import IngestionReport, LineCounts, LogSpan
from sparkify_kedro.churn.vocabulary import MILLISECONDS_PER_DAY
from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.framework.files import FILE, FILE_COLUMNS
from sparkify_kedro.framework.runs.fingerprint import code_fingerprint, fingerprint

from .contract import (
    failures,
    is_logged_out,
    is_rejected,
    raw_value,
    unknown_columns,
    without_personal_values,
)
from .parameters import Ingestion, Rule
from .parsing import read_lines
from .schemas import EVENT_COLUMNS, EVENT_KEYS, event_column, events
from .source import mapped_lines
from .synonyms import likely_column

logger = logging.getLogger(__name__)

EVENT = "event"
LOGGED_OUT = "logged out"
REJECTED = "rejected"

# Unknown values and columns that are counted by name: the most frequent ones.
_LISTED = 20
_CHARACTERS = 100
_BYTE_ORDER_MARK = "\ufeff"


def parse_lines(raw_events: DataFrame, parameters: Ingestion) -> DataFrame:
    """Parse each line once, and check it against the contract.

    Args:
        raw_events: one row per line of the log, column ``value``.
        parameters: the contract.

    Returns:
        One row per line: ``outcome`` (event, logged out or rejected); ``failures``, the rules that it breaks;
        ``unknown_columns`` of accepted lines (both null where there are none); the ``line`` without personal values,
        where it is rejected; the columns of the event; the ``file`` that the line is from; and the ``parser``, a
        fingerprint of the contract and the code.
    """
    # A byte order mark at the beginning of a file is not part of its first line.
    marked = F.startswith("value", F.lit(_BYTE_ORDER_MARK))
    line = F.when(marked, F.substring("value", 2, 2**31 - 1)).otherwise(F.col("value"))
    mapped = mapped_lines(raw_events.withColumn("value", line), parameters)
    lines = mapped.withColumnRenamed("value", "line")
    read = read_lines(lines, parameters)
    file = F.col(FILE) if FILE in read.columns else F.lit(None)
    judged = read.select(
        "line",
        "raw",
        "user_id",
        failures(parameters).alias("failures"),
        file.cast(f"struct<{FILE_COLUMNS}>").alias(FILE),
    )
    outcome = F.when(is_rejected(parameters), REJECTED).when(is_logged_out(parameters), LOGGED_OUT).otherwise(EVENT)
    with_outcome = judged.withColumn("outcome", outcome)
    kept_line = F.when(F.col("outcome") == REJECTED, without_personal_values("line", parameters.personal_columns))
    raw_names = {event_column(name): name for name in parameters.columns}
    return with_outcome.select(
        "outcome",
        F.col("failures").cast("array<string>").alias("failures"),
        kept_line.alias("line"),
        *(raw_value(raw_names[name]).alias(name) for name in EVENT_COLUMNS),
        FILE,
        F.lit(parser_of(parameters)).alias("parser"),
        # Last, because it depends on all the others: Spark infers constraints from column to column, and their number
        # doubles with each column that follows.
        F.when(F.col("outcome") != REJECTED, unknown_columns(parameters)).alias("unknown_columns"),
    )


def parser_of(parameters: Ingestion) -> str:
    """A fingerprint of what makes a line a row: the contract and the code."""
    contract = parameters.model_dump(mode="json", exclude={"mode", "if_changed", "max_rejected_share"})
    return fingerprint([contract, code_fingerprint(parse_lines)])


def select_rejected(parsed: DataFrame) -> DataFrame:
    """The rejected lines.

    Args:
        parsed: one row per line, as made by ``parse_lines``.

    Returns:
        One row per rejected line: the line, all its failures, and the URI of the file that it is from.
    """
    rejected = parsed.where(F.col("outcome") == REJECTED)
    return rejected.select("line", "failures", F.col(f"{FILE}.path").alias("file"))


def check_lines(parsed: DataFrame, rejected_events: DataFrame, parameters: Ingestion) -> LineCounts:
    """Count the lines, and stop where the log as a whole does not meet the contract.

    Args:
        parsed: one row per line, as made by ``parse_lines``.
        rejected_events: the rejected ones among them.
        parameters: the contract.

    Returns:
        The counts; a rejected line counts once, by the first rule that rejects it. Of unknown values and columns, the
        20 most frequent are counted. Collects a row per outcome and set of failures, and the counted names.

    Raises:
        InputDataError: where the log has no line or no event, where more lines are rejected than the contract allows,
            or where a line breaks a rule with the action ``fail``.
    """
    used = parsed.where(F.col("outcome") != REJECTED)
    kept = used.groupBy("outcome", "failures").agg(F.count(F.lit(1)).alias("lines"), F.count("unknown_columns"))
    lines, warnings, with_unknown_columns = Counter[str](), Counter[str](), 0
    for outcome, broken, number, with_unknown in kept.collect():
        lines[outcome] += number
        warnings.update(dict.fromkeys(broken or (), number))
        with_unknown_columns += with_unknown
    actions = parameters.actions
    rejected, fatal = Counter[str](), Counter[str]()
    for broken, number in rejected_events.groupBy("failures").count().collect():
        rejected[next(name for name in broken if actions[name] != "warn")] += number
        fatal.update({name: number for name in broken if actions[name] == "fail"})
    counts = LineCounts(
        lines_read=lines.total() + rejected.total(),
        event_lines=lines[EVENT],
        logged_out=lines[LOGGED_OUT],
        rejected=_in_order(rejected),
        warnings=_in_order(warnings),
        unknown_values={},
        unknown_columns={},
    )
    if sum(counts.rejected.values()) > parameters.max_rejected_share * counts.lines_read:
        _say_how_to_map(counts, rejected_events, parameters)
    _check_usable(counts, _in_order(fatal), parameters)
    for name, number in counts.warnings.items():
        logger.warning("Accepted with warnings: %s (%s lines)", name, f"{number:,}")
    unknown = [rule for rule in parameters.rules if rule.kind == "is unknown" and rule.name in warnings]
    columns = used.select(F.explode("unknown_columns").alias("name"))
    return counts.model_copy(
        update={
            "unknown_values": _unknown_values(used, unknown),
            "unknown_columns": _most_frequent_names(columns) if with_unknown_columns else {},
        }
    )


def _say_how_to_map(counts: LineCounts, rejected_events: DataFrame, parameters: Ingestion) -> None:
    """Stop where a column that is missing is there under another name."""
    missing = {name: lines for name, lines in counts.rejected.items() if name.endswith(" is missing")}
    if not missing:
        return
    names = F.explode(F.map_keys(F.from_json("line", MapType(StringType(), StringType()))))
    found = _most_frequent_names(rejected_events.select(names.alias("name")))
    for failure, lines in missing.items():
        column = failure.removesuffix(" is missing")
        other = likely_column(column, [name for name in found if name not in parameters.columns])
        if other:
            raise InputDataError(
                f"{failure} in {lines:,} of the log's {counts.lines_read:,} lines; the log has {other}: map it with "
                f"ingestion.source.columns.{column}={other}"
            )


def _check_usable(counts: LineCounts, fatal: dict[str, int], parameters: Ingestion) -> None:
    read, rejected = counts.lines_read, sum(counts.rejected.values())
    if read == 0:
        raise InputDataError("the log has no line: choose another file")
    where = "see the dataset rejected_events for these lines"
    if fatal:
        raise InputDataError(
            f"the log breaks a rule of the contract whose action is fail: {_most_frequent(fatal)}; {where}, or change "
            "the action to reject (ingestion.columns, ingestion.if_broken, ingestion.if_malformed)"
        )
    if rejected > parameters.max_rejected_share * read:
        raise InputDataError(
            f"{rejected:,} of the log's {read:,} lines ({rejected / read:.1%}) are rejected, and "
            f"ingestion.max_rejected_share allows {parameters.max_rejected_share:.1%}: "
            f"{_most_frequent(counts.rejected)}; {where}, or raise the share to continue without them"
        )
    if counts.event_lines == 0:
        raise InputDataError(
            f"the log has no event: of its {read:,} lines {counts.logged_out:,} are logged-out rows and {rejected:,} "
            "are rejected"
        )


def _most_frequent(lines: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in list(lines.items())[:3])


def _in_order(lines: Counter[str]) -> dict[str, int]:
    """The most frequent first, ties in alphabetical order."""
    return dict(sorted(lines.items(), key=lambda item: (-item[1], item[0])))


def _unknown_values(used: DataFrame, rules: Sequence[Rule]) -> dict[str, dict[str, int]]:
    """The values unknown to the contract, by column, with their numbers of lines."""
    return {
        rule.column: _most_frequent_names(
            used.where(F.array_contains("failures", rule.name)).select(F.col(event_column(rule.column)).alias("name"))
        )
        for rule in rules
    }


def _most_frequent_names(names: DataFrame) -> dict[str, int]:
    """The most frequent names with their numbers of lines; long names are cut."""
    counted = (
        names.select(F.substring("name", 1, _CHARACTERS).alias("name"))
        .groupBy("name")
        .count()
        .orderBy(F.desc("count"), "name")
        .limit(_LISTED)
    )
    return {row.name: row["count"] for row in counted.collect()}


def select_events(parsed: DataFrame, line_counts: LineCounts) -> DataFrame:
    """The valid events, without exact duplicates.

    Args:
        parsed: one row per line, as made by ``parse_lines``.
        line_counts: not used; that they exist means that the log meets the contract.

    Returns:
        One row per event, with its day (UTC), by which files are ordered. Collects whether there are duplicates.
    """
    # From the number of the day, so that it is the day in UTC whatever the time zone of the session.
    event_date = F.date_from_unix_date(F.call_function("div", "ts", F.lit(MILLISECONDS_PER_DAY)).cast("int"))
    valid = parsed.where(F.col("outcome") == EVENT).select(
        *EVENT_COLUMNS, event_date.alias("event_date"), F.xxhash64(*EVENT_KEYS).alias("hash")
    )
    # Few logs repeat an event. Hashes show it for a fraction of what it costs to group the events themselves.
    repeated = valid.groupBy("hash").agg(F.count(F.lit(1)).alias("events")).where(F.col("events") > 1).select("hash")
    if repeated.take(1):
        once = valid.join(repeated, "hash", "left_anti").drop("hash")
        valid = once.unionByName(_first_of_duplicates(valid.join(repeated, "hash", "left_semi")))
    # Whole days, in order within a file; a folder for each day would be sixty files where a few will do, and every
    # later node would open them all.
    return valid.repartition("event_date").sortWithinPartitions("event_date").select(*events.struct.names)


def _first_of_duplicates(repeated: DataFrame) -> DataFrame:
    """One event of those with the same keys. Where they differ in other columns, the smallest, whatever their order."""
    others = [name for name in events.struct.names if name not in EVENT_KEYS]
    first = repeated.groupBy(*EVENT_KEYS).agg(F.min(F.struct(*others)).alias("other"))
    return first.select(*EVENT_KEYS, *(F.col("other").getField(name).alias(name) for name in others))


def report_ingestion(line_counts: LineCounts, valid_events: DataFrame) -> tuple[IngestionReport, LogSpan]:
    """Account for every line.

    Args:
        line_counts: the lines, as counted by ``check_lines``.
        valid_events: the events, as made by ``select_events``.

    Returns:
        The account of all lines, and the time that the log covers. Collects two rows.
    """
    users = valid_events.groupBy("user_id").agg(
        F.count(F.lit(1)).alias("events"),
        F.min("ts").alias("first_ts"),
        F.max("ts").alias("last_ts"),
        (F.min("registration") != F.max("registration")).alias("registration_changes"),
    )
    totals = users.agg(
        F.sum("events").alias("events"),
        F.count(F.lit(1)).alias("users"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
        F.count_if("registration_changes").alias("registration_changes"),
    ).collect()[0]
    # Parquet files store the maximum of registration, so no file is read where there is no such user.
    late = valid_events.where(F.col("registration") > totals.last_ts).agg(F.count_distinct("user_id").alias("users"))
    report = IngestionReport(
        lines_read=line_counts.lines_read,
        events=totals.events,
        logged_out=line_counts.logged_out,
        duplicates=line_counts.event_lines - totals.events,
        rejected=line_counts.rejected,
        warnings=line_counts.warnings,
        unknown_values=line_counts.unknown_values,
        unknown_columns=line_counts.unknown_columns,
        users=totals.users,
        users_whose_registration_changes=totals.registration_changes,
        users_registered_after_the_log=late.collect()[0].users,
        first_ts=totals.first_ts,
        last_ts=totals.last_ts,
    )
    span = LogSpan(first_ts=totals.first_ts, last_ts=totals.last_ts, events=totals.events, users=totals.users)
    return report, span
