"""The contract of the raw log as Spark expressions: the columns of a line, and the rules that it breaks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, LongType, MapType, StringType, StructType

from sparkify_kedro.churn.vocabulary import midnight

from .parameters import MALFORMED, Ingestion, RawColumn, Rule

# Replaces a personal value in a rejected line.
BLANK = "…"

_TYPES = {"string": StringType(), "long": LongType(), "double": DoubleType()}
# Spark keeps a line that it cannot parse in this column, if the schema has it.
_UNREADABLE = "_unreadable"
_USER_ID = "userId"
_END = "end of line"


def read_object(line: str, contract: Ingestion) -> Column:
    """The declared columns of a line as a struct; null, or with ``_unreadable`` set, where it is not such an object."""
    schema = StructType()
    for name, column in contract.columns.items():
        schema = schema.add(name, _TYPES[column.type])
    schema = schema.add(_UNREADABLE, StringType())
    return F.from_json(line, schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _UNREADABLE})


def raw_value(name: str) -> Column:
    """A column of the struct ``raw``; the user id without surrounding blanks."""
    return F.trim(f"raw.{name}") if name == _USER_ID else F.col(f"raw.{name}")


def is_logged_out() -> Column:
    """Whether the line in ``raw`` is a logged-out row."""
    return raw_value(_USER_ID) == ""


def is_malformed() -> Column:
    """Whether a line is not exactly one object with the types of the columns."""
    return F.col("raw").isNull() | F.col(f"raw.{_UNREADABLE}").isNotNull() | ~is_one_value("line")


def is_one_value(line: str) -> Column:
    """Whether a line holds one JSON value and nothing after it, which ``from_json`` does not check."""
    # Nearly every line ends with its only brace; the others are parsed again, followed by a known text.
    ends_with_first_brace = F.instr(line, "}") == F.length(line)
    followed = F.concat(F.lit("["), F.col(line), F.lit(f',"{_END}"]'))
    values = F.from_json(followed, ArrayType(StringType()))
    return ends_with_first_brace | F.coalesce(F.get(values, 1) == _END, F.lit(False))


def failures(contract: Ingestion) -> Column:
    """The names of all rules that a line breaks, in the order of the contract; null where there are none.

    Uses the columns ``line`` and ``raw``.
    """
    broken = {rule.name: is_broken(rule, contract) for rule in contract.rules}
    # No lambda function, as in array_compact: it would disable code generation for the whole stage. The array is built
    # only for the few lines that break a rule.
    nothing = F.array(F.lit(None).cast("string"))
    named = F.array_except(F.array(*(F.when(condition, name) for name, condition in broken.items())), nothing)
    return F.when(is_malformed(), F.array(F.lit(MALFORMED))).when(reduce(or_, broken.values()), named)


def is_broken(rule: Rule, contract: Ingestion) -> Column:
    """Whether the line in ``raw`` breaks a rule; null or false where it does not, or has no value."""
    column, value = contract.columns[rule.column], raw_value(rule.column)
    is_known = value.isin(column.one_of or [])
    match rule.kind:
        case "is missing":
            broken = value.isNull()
        case "is unknown":
            broken = ~is_known
        case "has another form":
            has_form = value.rlike(column.matches or "")
            # Known values need no check.
            broken = ~is_known & ~has_form if column.one_of else ~has_form
        case "is out of range":
            low, high = _range(column)
            broken = ~value.between(low, high)
    return ~is_logged_out() & broken if column.required == "logged_in" else broken


def unknown_columns(contract: Ingestion) -> Column:
    """The names in ``line`` that the contract does not declare; null where there are none."""
    # Names are parsed again only where the line has more of them than declared columns with a value.
    mark = F.lit('":')
    marks = F.octet_length("line") - F.octet_length(F.replace("line", mark, F.lit("")))
    values = sum((F.col(f"raw.{name}").isNotNull().cast("int") for name in contract.columns), F.lit(0))
    # Not json_object_keys, which does not accept NaN as from_json does.
    names = F.map_keys(F.from_json("line", MapType(StringType(), StringType())))
    undeclared = F.array_except(names, _texts(contract.columns))
    return F.when((marks != 2 * values) & (F.size(undeclared) > 0), undeclared)


def is_rejected(contract: Ingestion) -> Column:
    """Whether any of the ``failures`` rejects the line."""
    rejecting = [name for name, action in contract.actions.items() if action != "warn"]
    return F.col("failures").isNotNull() & F.arrays_overlap("failures", _texts(rejecting))


def without_personal_values(line: str, names: Sequence[str]) -> Column:
    """A line with the values of some columns blanked, also where the line is cut off at either end."""
    if not names:
        return F.col(line)
    # Possessive quantifiers, so that a line of megabytes does not overflow the stack.
    text = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\z)'
    # A list or an object may hold anything: the rest of the line is dropped.
    value = rf"(?:{text}|[\[{{].*+|[^,}}\]\s]*+)"
    named = rf'(?is)("(?:{"|".join(map(re.escape, names))})"\s*+:\s*+){value}'
    # A line that is cut off at its beginning may start within a value, or within a name before its value.
    within = r'[^"\\]*+(?:\\.[^"\\]*+)*+"'
    rest = rf'(?:\\.|[^"{{\[\s\\]){within}(?=\s*+(?:[:,}}\]]|\z))(?:\s*+:\s*+{text})?'
    front = rf'(?s)\A\s*+(?:"?\s*+:\s*+{text}|"{within}(?=\s*+[,}}\]])|{rest})'
    blanked = F.regexp_replace(line, F.lit(named), F.lit(f'$1"{BLANK}"'))
    return F.regexp_replace(blanked, F.lit(front), F.lit(BLANK))


def _texts(values: Iterable[str]) -> Column:
    return F.array(*(F.lit(value) for value in values))


def _range(column: RawColumn) -> tuple[float, float]:
    """The smallest and the largest value of a column; of ``between_days`` in ms, the second day excluded."""
    if column.between_days:
        first, end = column.between_days
        return midnight(first), midnight(end) - 1
    return column.between or (-math.inf, math.inf)
