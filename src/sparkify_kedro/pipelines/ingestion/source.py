"""Another service's log, as lines of the contract's columns."""

from __future__ import annotations

from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkify_kedro.churn.vocabulary import DOWNGRADE, UPGRADE
from sparkify_kedro.framework.files import IS_UNTYPED

from .parameters import SPARK_TYPES, Ingestion, Source
from .parsing import UNREADABLE, file_if_known, parsed_object, whole_number
from .schemas import MOMENTS, event_column

# What takes the place of a line that is not an object: which of its values are personal is not known.
_NO_OBJECT = "…"
_MILLISECONDS_PER_MINUTE = 60_000
_PER_MILLISECOND = {"s": "0.001", "ms": "1", "us": "1000"}


def mapped_lines(raw_events: DataFrame, contract: Ingestion) -> DataFrame:
    """The lines of the log with the contract's columns, as ``ingestion.source`` maps them.

    Args:
        raw_events: one row per line of the log, column ``value``.
        contract: the mapping and the columns.

    Returns:
        One row per line: ``value``, a JSON object of the contract's columns, and ``is_untyped``, because a value that
        is no number stays a text. Columns that are not mapped are left out. With the default mapping, the lines as
        they are.
    """
    source = contract.source
    if source.is_identity:
        return raw_events
    table = _named(raw_events, contract)
    if "registration" in source.derive:
        table = table.withColumn("registration", F.min("ts").over(Window.partitionBy("userId")))
    if "level" in source.derive:
        table = table.withColumn("level", _level())
    if "sessionId" in source.derive:
        table = _with_sessions(table, source)
    if "itemInSession" in source.derive:
        in_session = Window.partitionBy("userId", "sessionId").orderBy("ts", "page")
        # Repeated lines have the same rank, and count once.
        table = table.withColumn("itemInSession", F.dense_rank().over(in_session) - 1)
    return table.select(_line(contract).alias("value"), F.lit(True).alias(IS_UNTYPED), *file_if_known(table))


def _named(raw_events: DataFrame, contract: Ingestion) -> DataFrame:
    """The contract's columns in their types, ``texts`` of the numbers as they are in the log, and ``is_object``."""
    source = contract.source
    names = {name: source.columns.get(name, name) for name in contract.columns if name not in source.made}
    log = parsed_object("value", dict.fromkeys(names.values(), StringType())).alias("log")
    rows = raw_events.select(log, *file_if_known(raw_events))
    texts = {name: F.nullif(F.trim(F.col("log").getField(column)), F.lit("")) for name, column in names.items()}
    values = {name: _value(name, text, contract) for name, text in texts.items()}
    constants = {name: F.lit(value).cast(_type(name, contract)) for name, value in source.constants.items()}
    numbers = [text.alias(name) for name, text in texts.items() if _type(name, contract) != "string"]
    is_object = F.col("log").isNotNull() & F.col("log").getField(UNREADABLE).isNull()
    return rows.select(
        is_object.alias("is_object"),
        F.struct(*numbers).alias("texts"),
        *file_if_known(rows),
        *(value.alias(name) for name, value in (values | constants).items()),
    )


def _type(name: str, contract: Ingestion) -> str:
    return SPARK_TYPES[contract.columns[name].type]


def _value(name: str, text: Column, contract: Ingestion) -> Column:
    source = contract.source
    if event_column(name) in MOMENTS:
        return _milliseconds(text, source.time)
    # All at once: a value that stands for another one may itself be a value of the log.
    others = {other: own for own, values in source.values.get(name, {}).items() for other in values}
    if others:
        text = F.coalesce(*(F.when(text == other, own) for other, own in others.items()), text)
    kind = _type(name, contract)
    exact = text.try_cast(kind)
    return F.coalesce(exact, whole_number(text.try_cast("double"))) if kind == "bigint" else exact


def _milliseconds(text: Column, unit: str) -> Column:
    """A time in ms since the epoch; null where there is none."""
    if unit == "iso":
        return F.unix_millis(F.try_to_timestamp(text))
    # Not a double, which is not exact for microseconds.
    per_millisecond = F.lit(_PER_MILLISECOND[unit]).cast("decimal(7,3)")
    return F.floor(text.try_cast("decimal(24,6)") / per_millisecond).cast("bigint")


def _level() -> Column:
    """Paid from an upgrade to a downgrade; at first what the first of both says, free without one."""
    after = F.when(F.col("page") == UPGRADE, "paid").when(F.col("page") == DOWNGRADE, "free")
    before = F.when(F.col("page") == UPGRADE, "free").when(F.col("page") == DOWNGRADE, "paid")
    in_order = Window.partitionBy("userId").orderBy("ts", "page")
    latest = F.last(after, ignorenulls=True).over(in_order.rowsBetween(Window.unboundedPreceding, -1))
    first = F.first(before, ignorenulls=True).over(in_order.rowsBetween(Window.currentRow, Window.unboundedFollowing))
    return F.coalesce(latest, first, F.lit("free"))


def _with_sessions(table: DataFrame, source: Source) -> DataFrame:
    """Sessions of a user, counted from 0: a new one begins after a gap."""
    in_order = Window.partitionBy("userId").orderBy("ts")
    gap = F.col("ts") - F.lag("ts").over(in_order)
    is_first = F.coalesce(gap > source.session_gap_minutes * _MILLISECONDS_PER_MINUTE, F.lit(False))
    marked = table.withColumn("is_first", is_first.cast("bigint"))
    return marked.withColumn("sessionId", F.sum("is_first").over(in_order)).drop("is_first")


def _line(contract: Ingestion) -> Column:
    numbers = [name for name in contract.columns if name not in contract.source.made]
    numbers = [name for name in numbers if _type(name, contract) != "string"]
    are_numbers = reduce(and_, (F.col(name).isNotNull() | F.col(f"texts.{name}").isNull() for name in numbers))
    as_found = F.struct(*(F.col(f"texts.{name}") if name in numbers else F.col(name) for name in contract.columns))
    return (
        F.when(~F.col("is_object"), _NO_OBJECT)
        .when(are_numbers, F.to_json(F.struct(*contract.columns)))
        .otherwise(F.to_json(as_found))
    )
