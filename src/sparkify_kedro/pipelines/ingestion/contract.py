"""The contract of the raw log as Spark expressions: the columns of a line, and the rules that it breaks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StringType

from sparkify_kedro.churn.vocabulary import midnight

from .parameters import DECIMAL_USER_ID, MALFORMED, Ingestion, RawColumn, Rule
from .parsing import UNREADABLE, without_nulls

# Replaces a personal value in a rejected line.
BLANK = "…"

_USER_ID = "userId"
_END = "end of line"


def raw_value(name: str) -> Column:
    """A column of the line: of the struct ``raw``, or the user id in one spelling."""
    if name != _USER_ID:
        return F.col(f"raw.{name}")
    # Of "10", "10.0" and "1.0E1" the first: programs that know only floating numbers write the others.
    whole = _number().cast("decimal(32,0)").cast("string")
    return F.when(has_decimal_user_id(), whole).otherwise(F.col("user_id"))


def has_decimal_user_id() -> Column:
    """Whether the user id is a whole number with a decimal point."""
    # Nearly no id has a point; of the others, an expression looks at each.
    has_form = F.contains("user_id", F.lit(".")) & F.col("user_id").rlike(r"^\d+\.(?:0+|\d+E\d+)$")
    return F.coalesce(has_form & (_number() == F.floor(_number())), F.lit(False))


def _number() -> Column:
    return F.col("user_id").try_cast("decimal(38,6)")


def is_logged_out(contract: Ingestion) -> Column:
    """Whether the line is a logged-out row: its user id is empty, or stands for nobody."""
    says_so = F.col("raw.auth").isin(contract.logged_out_auth)
    return F.coalesce((F.col("user_id") == "") | says_so, says_so, F.lit(False))


def is_malformed() -> Column:
    """Whether a line is not exactly one object."""
    return F.col("raw").isNull() | F.col(f"raw.{UNREADABLE}").isNotNull() | ~is_one_value("line")


def is_one_value(line: str) -> Column:
    """Whether a line holds one JSON value and nothing after it, which ``from_json`` does not check."""
    # Nearly every line ends with its only brace; the others are parsed again, followed by a known text. Bytes, because
    # to look for a character in a text Spark steps from character to character, which takes ten times as long.
    before_the_end = F.substring(F.col(line).cast("binary"), F.lit(1), F.octet_length(line) - 1)
    ends_with_only_brace = F.endswith(line, F.lit("}")) & ~F.contains(before_the_end, F.lit(b"}"))
    followed = F.concat(F.lit("["), F.col(line), F.lit(f',"{_END}"]'))
    values = F.from_json(followed, ArrayType(StringType()))
    return ends_with_only_brace | F.coalesce(F.get(values, 1) == _END, F.lit(False))


def failures(contract: Ingestion) -> Column:
    """The names of all rules that a line breaks, in the order of the contract; null where there are none.

    A line with a value of another kind is judged by its kinds alone. Uses the columns of ``read_lines``.
    """
    broken = {rule.name: is_broken(rule, contract) for rule in contract.rules}
    broken[DECIMAL_USER_ID] = has_decimal_user_id()
    named = without_nulls(F.when(condition, name) for name, condition in broken.items())
    return (
        F.when(is_malformed(), F.array(F.lit(MALFORMED)))
        .when(F.col("wrong_kinds").isNotNull(), F.col("wrong_kinds"))
        .when(reduce(or_, broken.values()), named)
    )


def is_broken(rule: Rule, contract: Ingestion) -> Column:
    """Whether the line in ``raw`` breaks a rule; null or false where it does not, or has no value."""
    column = contract.columns[rule.column]
    value = F.col("user_id" if rule.column == _USER_ID else f"raw.{rule.column}")
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
    return ~is_logged_out(contract) & broken if column.required == "logged_in" else broken


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
