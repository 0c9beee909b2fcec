"""Lines of JSON as structs of typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DoubleType, LongType, StringType, StructType

from sparkify_kedro.framework.files import FILE, IS_UNTYPED

from .parameters import Ingestion, wrong_kind

# Spark keeps a line that it cannot parse in this column, if the schema has it.
UNREADABLE = "_unreadable"

_TYPES = {"string": StringType(), "long": LongType(), "double": DoubleType()}


def read_lines(lines: DataFrame, contract: Ingestion) -> DataFrame:
    """Parse each line once; those that do not have the columns' types once more, with more than one spelling.

    Args:
        lines: column ``line``; where ``is_untyped`` is there and true, numbers may be in quotes.
        contract: the columns and their types.

    Returns:
        A row per line: ``line``; ``raw``, a struct of the declared columns, with null for a value of another kind;
        ``user_id`` without surrounding blanks; and ``wrong_kinds``, a failure for each value of another kind, null for
        a line that has the columns' types; and ``file``, where the lines have it.
    """
    types = _types(contract)
    numbers = [name for name, kind in types.items() if not isinstance(kind, StringType)]
    is_untyped = F.col(IS_UNTYPED) if IS_UNTYPED in lines.columns else F.lit(False)
    file = file_if_known(lines)
    typed = lines.select("line", is_untyped.alias(IS_UNTYPED), typed_object("line", contract).alias("typed"), *file)
    has_another_type = F.col(f"typed.{UNREADABLE}").isNotNull()
    # JSON has one kind of number: 1.0 and 1.5e12 are whole numbers too.
    as_doubles = F.when(has_another_type, parsed_object("line", dict.fromkeys(numbers, DoubleType())))
    as_texts = F.when(has_another_type, parsed_object("line", dict.fromkeys(types, StringType())))
    spelled = typed.select("line", IS_UNTYPED, "typed", as_doubles.alias("doubles"), as_texts.alias("texts"), *file)
    values = {name: _number(name, types[name]) if name in numbers else F.col(f"texts.{name}") for name in types}
    converted = F.struct(*(value.alias(name) for name, value in values.items()), f"texts.{UNREADABLE}")
    wrong = {wrong_kind(name, contract.columns[name].type): _is_wrong(name, values[name]) for name in numbers}
    named = without_nulls(F.when(is_wrong, name) for name, is_wrong in wrong.items())
    return spelled.select(
        "line",
        F.when(F.col("texts").isNull(), F.col("typed")).otherwise(converted).alias("raw"),
        F.trim(F.coalesce("typed.userId", "texts.userId")).alias("user_id"),
        F.when(F.col("texts").isNotNull() & reduce(or_, wrong.values()), named).alias("wrong_kinds"),
        *file,
    )


def file_if_known(lines: DataFrame) -> list[str]:
    """The column with the file that a line is from, where there is one."""
    return [FILE] if FILE in lines.columns else []


def typed_object(line: str, contract: Ingestion) -> Column:
    """The declared columns of a line, with ``_unreadable`` set where it is no object, or has values of other types."""
    return parsed_object(line, _types(contract))


def _types(contract: Ingestion) -> dict[str, DataType]:
    return {name: _TYPES[column.type] for name, column in contract.columns.items()}


def parsed_object(line: str, types: Mapping[str, DataType]) -> Column:
    """The columns of an object as a struct, with ``_unreadable`` set where the line is none or has other types."""
    schema = StructType()
    for name, kind in types.items():
        schema = schema.add(name, kind)
    schema = schema.add(UNREADABLE, StringType())
    return F.from_json(line, schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": UNREADABLE})


def without_nulls(values: Iterable[Column]) -> Column:
    """An array of the texts that are there, each once."""
    # No lambda function, as in array_compact: it would disable code generation for the whole stage. The array is built
    # only for the few lines that need it.
    return F.array_except(F.array(*values), F.array(F.lit(None).cast("string")))


def whole_number(number: Column) -> Column:
    """A double as bigint; null where it is a fraction or too large."""
    whole = number.try_cast("bigint")
    return F.when(whole == number, whole)


def _number(name: str, kind: DataType) -> Column:
    """A number of any spelling; null where there is none."""
    text = F.when(F.col(IS_UNTYPED), F.col(f"texts.{name}"))
    exact = F.coalesce(F.col(f"typed.{name}"), text.try_cast(kind))
    if isinstance(kind, DoubleType):
        return exact
    return F.coalesce(exact, whole_number(F.coalesce(F.col(f"doubles.{name}"), text.try_cast("double"))))


def _is_wrong(name: str, value: Column) -> Column:
    """Whether there is something else than the number; an empty text and NaN stand for a number that is missing."""
    text = F.col(f"texts.{name}")
    is_nan = F.coalesce(F.isnan(f"doubles.{name}"), F.lit(False))
    return F.coalesce(text != "", F.lit(False)) & value.isNull() & ~is_nan
