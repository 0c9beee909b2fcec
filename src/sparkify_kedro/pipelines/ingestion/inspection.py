"""What a log holds, and how it maps to the contract: before anything is run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StringType

from sparkify_kedro.churn.vocabulary import CANCELLATION
from sparkify_kedro.framework.files import Content

from .parameters import Ingestion
from .schemas import MOMENTS, event_column
from .synonyms import likely_column, likely_pages

# Columns and values are those of the first lines; all lines are counted.
FIRST_LINES = 100_000
_LONGEST_EXAMPLE = 40
_MOST_VALUES = 50
_BLANK = "…"
_PERSONAL = re.compile(
    r"(?i)(?:first|last|full|given|family|sur|user|nick)_?name|^name$|mail|phone|address|birth|\bip\b"
)
_DERIVABLE = ("registration", "level", "sessionId", "itemInSession")
# The smallest time in each unit that is later than 1990.
_UNITS = {"us": 6e14, "ms": 6e11, "s": 6e8}
_KINDS = {
    "whole numbers": r"^-?\d+(\.0*)?$",
    "numbers": r"^-?\d+\.?\d*([eE][-+]?\d+)?$",
    "true or false": r"^(?i:true|false)$",
    "times": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$",
    "objects": r"^\s*\{",
    "lists": r"^\s*\[",
}
_LEVELS = {"free": {"free", "basic", "trial", "none", "guest"}, "paid": {"paid", "premium", "pro", "plus", "family"}}
_GENDERS = {"F": {"f", "female", "w", "woman"}, "M": {"m", "male", "man"}}


class FoundColumn(NamedTuple):
    """A column of a log: lines with a value, what the values are, and the smallest and largest as texts."""

    name: str
    lines: int
    kind: str
    examples: tuple[str, ...]
    largest: float | None


class LogSummary(NamedTuple):
    """The log: its lines, those of them that were looked at, how many of these are objects, and their columns."""

    lines: int
    looked_at: int
    objects: int
    columns: tuple[FoundColumn, ...]


def describe_files(contents: Iterable[Content]) -> str:
    """The number of files, their format, and how they are compressed: "3 files: JSON lines, 2 gzip, 1 plain"."""
    every = list(contents)
    formats = ", ".join(sorted({content.format for content in every}))
    codecs = Counter(content.codec or "plain" for content in every)
    # Parquet compresses inside of the file.
    counted = "" if formats == "Parquet" else "".join(f", {number} {codec}" for codec, number in sorted(codecs.items()))
    return f"{len(every)} file{'s' if len(every) != 1 else ''}: {formats or 'no data'}{counted}"


def summarize(raw_events: DataFrame) -> LogSummary:
    """Count the lines, and look at the columns of the first ones.

    Args:
        raw_events: one row per line of the log, column ``value``.

    Returns:
        The summary; personal values are not in it. Collects a row per column.
    """
    first = raw_events.limit(FIRST_LINES).select(_objects().alias("object")).cache()
    try:
        counted = first.agg(F.count(F.lit(1)).alias("lines"), F.count("object").alias("objects")).collect()[0]
        entries = first.select(F.explode("object")).where(F.col("value") != "")
        kinds = [F.count_if(F.col("value").rlike(form)).alias(kind) for kind, form in _KINDS.items()]
        rows = entries.groupBy("key").agg(
            F.count(F.lit(1)).alias("lines"),
            F.min("value").alias("smallest"),
            F.max("value").alias("greatest"),
            F.max(F.col("value").try_cast("double")).alias("largest"),
            *kinds,
        )
        columns = [
            FoundColumn(row.key, row.lines, _kind(row.asDict()), tuple(_examples(row.asDict())), row.largest)
            for row in rows.orderBy("key").collect()
        ]
    finally:
        first.unpersist()
    return LogSummary(raw_events.count(), counted.lines, counted.objects, tuple(columns))


def values_of(raw_events: DataFrame, column: str) -> dict[str, int]:
    """The most frequent values of a column in the first lines, with their numbers of lines."""
    values = raw_events.limit(FIRST_LINES).select(F.element_at(_objects(), F.lit(column)).alias("value"))
    counted = values.where("value is not null").groupBy("value").count().orderBy(F.desc("count"), "value")
    return {row.value: row["count"] for row in counted.limit(_MOST_VALUES).collect()}


def _objects() -> Column:
    return F.from_json("value", MapType(StringType(), StringType()))


def _kind(row: Mapping[str, Any]) -> str:
    """The first kind that all values are of; every whole number is a number too."""
    return next((kind for kind in _KINDS if row[kind] == row["lines"]), "texts")


def _examples(row: Mapping[str, Any]) -> Iterator[str]:
    for value in dict.fromkeys((row["smallest"], row["greatest"])):
        is_personal = _PERSONAL.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", row["key"])) or "@" in value
        yield _BLANK if is_personal else value[:_LONGEST_EXAMPLE]


def propose_source(
    summary: LogSummary, pages: Mapping[str, int], levels: Mapping[str, int], genders: Mapping[str, int],
    contract: Ingestion,
) -> dict[str, Any]:  # fmt: skip
    """A mapping of the log to the contract, as far as names and values show it.

    Args:
        summary: the log.
        pages: the values of the column that ``column_for`` finds for ``page``.
        levels: the same for ``level``.
        genders: the same for ``gender``.
        contract: the columns.

    Returns:
        A block for ``ingestion.source``; empty where the log needs none.
    """
    own = {name: column_for(name, summary, contract) for name in contract.columns}
    known_pages = contract.columns["page"].one_of or []
    ts = next((column for column in summary.columns if column.name == own["ts"]), None)
    values = {
        "page": likely_pages(pages, known_pages),
        "level": _likely_values(levels, _LEVELS),
        "gender": _likely_values(genders, _GENDERS),
    }
    block = {
        "time": _unit(ts),
        "columns": {name: column for name, column in own.items() if column not in (None, name)},
        "values": {name: found for name, found in values.items() if found},
        "derive": [name for name in _DERIVABLE if own[name] is None],
    }
    return {name: value for name, value in block.items() if value and value != "ms"}


def column_for(name: str, summary: LogSummary, contract: Ingestion) -> str | None:
    """The log's column for a column of the contract; None where there is none."""
    found = {column.name: column for column in summary.columns}
    if name in found:
        return name
    free = [each for each in found if each not in contract.columns and _fits(name, found[each], contract)]
    return likely_column(name, free)


def _fits(name: str, column: FoundColumn, contract: Ingestion) -> bool:
    """Whether a column of the log has values that one of the contract may have."""
    if event_column(name) in MOMENTS:
        return column.kind in ("whole numbers", "numbers", "times")
    kinds = {"string": None, "long": ("whole numbers",), "double": ("whole numbers", "numbers")}
    allowed = kinds[contract.columns[name].type]
    return column.kind in allowed if allowed else column.kind not in ("objects", "lists")


def _unit(ts: FoundColumn | None) -> str:
    if ts is None:
        return "ms"
    if ts.kind == "times" or ts.largest is None:
        return "iso"
    return next((unit for unit, least in _UNITS.items() if ts.largest >= least), "ms")


def _likely_values(found: Mapping[str, int], words: Mapping[str, set[str]]) -> dict[str, list[str]]:
    others = {
        own: [value for value in found if value != own and value.lower() in known] for own, known in words.items()
    }
    return {own: values for own, values in others.items() if values}


def describe(summary: LogSummary, proposal: Mapping[str, Any], pages: Mapping[str, int], contract: Ingestion) -> str:
    """The summary and the proposed mapping, to read and to paste."""
    own = {name: column_for(name, summary, contract) for name in contract.columns}
    stands_for = {column: name for name, column in own.items() if column}
    lines = [f"{summary.lines:,} lines, {summary.objects:,} of the first {summary.looked_at:,} are records.", ""]
    width = max((len(column.name) for column in summary.columns), default=0)
    for column in summary.columns:
        name = stands_for.get(column.name)
        mapped = "" if name is None else "  = " + name if name != column.name else "  known"
        share = f"{column.lines / summary.objects:.0%}"
        lines.append(f"  {column.name:{width}}  {share:>4}  {column.kind:13}  {' ... '.join(column.examples)}{mapped}")
    missing = [name for name, column in own.items() if column is None and not contract.columns[name].personal]
    lines += ["", f"Not in the log: {', '.join(missing) or 'nothing'}."]
    mapped_pages = proposal.get("values", {}).get("page", {})
    known = {*(contract.columns["page"].one_of or []), *chain.from_iterable(mapped_pages.values())}
    unknown = {page: number for page, number in pages.items() if page not in known}
    if unknown:
        named = ", ".join(f"{page} ({number:,})" for page, number in unknown.items())
        lines += ["", f"Events that stand for no page of the contract; they are kept under their own names: {named}."]
    if not proposal:
        return "\n".join([*lines, "", "The log needs no mapping."])
    block = yaml.safe_dump({"ingestion": {"source": dict(proposal)}}, sort_keys=False, allow_unicode=True)
    lines += ["", "A proposal for conf/local/parameters_ingestion.yml; check what each name stands for:", "", block]
    if CANCELLATION not in {*pages, *mapped_pages}:
        lines.append("No event was found that says that a subscription is cancelled: without one nothing is learned.")
    return "\n".join(lines)
