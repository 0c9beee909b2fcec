"""The contract of the raw log as Spark expressions: what a line holds, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, LongType, MapType, StringType, StructType

from .parameters import MALFORMED, Ingestion, Rule

# What stands for a personal value in a rejected line.
BLANK = "…"

_TYPES = {"string": StringType(), "long": LongType(), "double": DoubleType()}
# Spark keeps a line it cannot read whole in this extra column, if the schema has it.
_UNREADABLE = "_unreadable"
_USER_ID = "userId"
_END = "end of line"


def read_object(line: str, contract: Ingestion) -> Column:
    """The declared columns of a line, as a struct; null, or with ``_unreadable`` set, where it is no such object."""
    schema = StructType()
    for name, column in contract.columns.items():
        schema = schema.add(name, _TYPES[column.type])
    schema = schema.add(_UNREADABLE, StringType())
    return F.from_json(line, schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _UNREADABLE})


def raw_value(name: str) -> Column:
    """A column of the struct ``raw``; the user's id without blanks around it."""
    return F.trim(f"raw.{name}") if name == _USER_ID else F.col(f"raw.{name}")


def is_logged_out() -> Column:
    """Whether the line in ``raw`` is of nobody."""
    return raw_value(_USER_ID) == ""


def is_malformed() -> Column:
    """Whether a line is anything but one object with the columns' types."""
    return F.col("raw").isNull() | F.col(f"raw.{_UNREADABLE}").isNotNull() | ~is_one_value("line")


def is_one_value(line: str) -> Column:
    """Whether a line holds one JSON value and nothing after it, which ``from_json`` does not look at."""
    # Nearly every line ends with its only brace; the others are read a second time, with a mark of ours behind them.
    ends_with_first_brace = F.instr(line, "}") == F.length(line)
    followed = F.concat(F.lit("["), F.col(line), F.lit(f',"{_END}"]'))
    values = F.from_json(followed, ArrayType(StringType()))
    return ends_with_first_brace | F.coalesce(F.get(values, 1) == _END, F.lit(False))


def failures(contract: Ingestion) -> Column:
    """The names of all rules that a line breaks, in the contract's order; null where there is none.

    Looks at the columns ``line`` and ``raw``.
    """
    broken = {rule.name: is_broken(rule, contract) for rule in contract.rules}
    # No lambda, as in array_compact: Spark would compile no code for the whole stage. Names are put together only for
    # the few lines that need any.
    nothing = F.array(F.lit(None).cast("string"))
    named = F.array_except(F.array(*(F.when(condition, name) for name, condition in broken.items())), nothing)
    return F.when(is_malformed(), F.array(F.lit(MALFORMED))).when(reduce(or_, broken.values()), named)


def is_broken(rule: Rule, contract: Ingestion) -> Column:
    """Whether the line in ``raw`` breaks a rule; null or false where it does not, or has no value to judge."""
    column, value = contract.columns[rule.column], raw_value(rule.column)
    is_known = value.isin(column.one_of or [])
    match rule.kind:
        case "is missing":
            broken = value.isNull()
        case "is unknown":
            broken = ~is_known
        case "has another form":
            # What is known need not be looked at.
            broken = ~is_known & ~value.rlike(column.matches) if column.one_of else ~value.rlike(column.matches)
        case "is out of range":
            least, greatest = _range(column.between_days) if column.between_days else column.between
            broken = ~value.between(least, greatest)
    return ~is_logged_out() & broken if column.required == "logged_in" else broken


def unknown_columns(contract: Ingestion) -> Column:
    """The names in ``line`` that the contract does not know; null where there is none."""
    # Names are read again only where there are more of them, by their mark, than known columns with a value.
    mark = F.lit('":')
    marks = F.octet_length("line") - F.octet_length(F.replace("line", mark, F.lit("")))
    values = sum((F.col(f"raw.{name}").isNotNull().cast("int") for name in contract.columns), F.lit(0))
    # Not json_object_keys, which reads no line with a NaN in it, as from_json does.
    names = F.map_keys(F.from_json("line", MapType(StringType(), StringType())))
    strange = F.array_except(names, _texts(contract.columns))
    return F.when((marks != 2 * values) & (F.size(strange) > 0), strange)


def is_rejected(contract: Ingestion) -> Column:
    """Whether any of the ``failures`` means that the line cannot be used."""
    rejecting = [name for name, action in contract.actions.items() if action != "warn"]
    return F.col("failures").isNotNull() & F.arrays_overlap("failures", _texts(rejecting))


def without_personal_values(line: str, names: Sequence[str]) -> Column:
    """A line with the values of some columns blanked: whole ones, those cut off, and what is left of one in front."""
    if not names:
        return F.col(line)
    # Possessive throughout, so that a line of megabytes needs no stack.
    text = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\z)'
    # A list or an object may hold anything: nothing after it is kept.
    value = rf"(?:{text}|[\[{{].*+|[^,}}\]\s]*+)"
    named = rf'(?is)("(?:{"|".join(map(re.escape, names))})"\s*+:\s*+){value}'
    # A line that is cut off in front may begin with a value, its rest, or the rest of a name and its value.
    within = r'[^"\\]*+(?:\\.[^"\\]*+)*+"'
    rest = rf'(?:\\.|[^"{{\[\s\\]){within}(?=\s*+(?:[:,}}\]]|\z))(?:\s*+:\s*+{text})?'
    front = rf'(?s)\A\s*+(?:"?\s*+:\s*+{text}|"{within}(?=\s*+[,}}\]])|{rest})'
    blanked = F.regexp_replace(line, F.lit(named), F.lit(f'$1"{BLANK}"'))
    return F.regexp_replace(blanked, F.lit(front), F.lit(BLANK))


def _texts(values: Sequence[str]) -> Column:
    return F.array(*(F.lit(value) for value in values))


def _range(days: tuple[date, date]) -> tuple[int, int]:
    """The first and the last millisecond of some days, the last day not among them."""
    first, end = (int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000 for day in days)
    return first, end - 1
