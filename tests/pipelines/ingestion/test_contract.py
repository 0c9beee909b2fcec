"""The stored text of rejected lines, and lines with one value."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.pipelines.ingestion.contract import is_one_value, without_personal_values

NAMES = ("firstName", "lastName")
# A line, and what may be kept of it.
BLANKED = {
    '{"firstName":"Ann","lastName":"Lee","level":1}': '{"firstName":"…","lastName":"…","level":1}',
    '{"lastName" : "Lee" , "level":1}': '{"lastName" : "…" , "level":1}',
    '{"FIRSTNAME":"Ann","x":1}': '{"FIRSTNAME":"…","x":1}',
    r'{"firstName":"A\"nn, \\","x":1}': '{"firstName":"…","x":1}',
    '{"firstName":"","x":1}': '{"firstName":"…","x":1}',
    '{"firstName":null,"x":1}': '{"firstName":"…","x":1}',
    '{"x":[{"firstName":17}]}': '{"x":[{"firstName":"…"}]}',
    '{"firstName":{"a":"Ann","b":"Lee"},"x":1}': '{"firstName":"…"',
    '{"firstName":["Ann", "Lee"],"x":1}': '{"firstName":"…"',
    '{"x":1,"firstName":"An': '{"x":1,"firstName":"…"',
    '{"x":1,"firstName":"An\\': '{"x":1,"firstName":"…"',
    '{"x":1,"firstName":': '{"x":1,"firstName":"…"',
    '  "firstName": "Ann\nLee",': '  "firstName": "…",',
    '{"firstName":"Ann","x":1}{"firstName":"Lee","x":1}': '{"firstName":"…","x":1}{"firstName":"…","x":1}',
    'nn","lastName":"Lee","x":1}': '…,"lastName":"…","x":1}',
    r'n\"n","x":1}': '…,"x":1}',
    'tName":"Ann","x":1}': '…,"x":1}',
    'irstName": "An': "…",
    "nn\"": "…",
    ', "x":1}': ', "x":1}',
    '"nn","x":1}': '…,"x":1}',
    '": "Ann","x":1}': '…,"x":1}',
    ':"Ann"}': '…}',
    '"page": "Home",': '"page": "Home",',
    'GET "/home"': 'GET "/home"',
    "127.0.0.1 - - GET /home": "127.0.0.1 - - GET /home",
    '{"song":"firstName","x":1}': '{"song":"firstName","x":1}',
    "": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(spark: SparkSession) -> dict[str, str]:
    lines = spark.createDataFrame([(line,) for line in BLANKED], "line string")
    return {
        row.line: row.kept
        for row in lines.select("line", without_personal_values("line", NAMES).alias("kept")).collect()
    }


@pytest.mark.parametrize("line", BLANKED)
def test_personal_values_are_removed_from_truncated_lines(kept: dict[str, str], line: str) -> None:
    assert kept[line] == BLANKED[line]


def test_no_prefix_or_suffix_of_a_line_contains_personal_values(spark: SparkSession) -> None:
    """Cut at every place from behind, and at every place in front but inside a name with nothing after it."""
    line = r'{"userId":"30","lastName":"Zyx\"Zyx","firstName":"Zyx Zyx","registration":1538173362000}'
    cut = [line[:end] for end in range(len(line))] + [line[start:] for start in range(len(line) - 5)]
    lines = spark.createDataFrame([(part,) for part in cut], "line string")
    stored = [row.kept for row in lines.select(without_personal_values("line", NAMES).alias("kept")).collect()]
    assert [text for text in stored if "Zyx" in text] == []


def test_a_line_of_megabytes_does_not_overflow_the_stack(spark: SparkSession) -> None:
    """As text, as text of escapes, and with lists in lists; all on one line, as files of logs have them."""
    long = "x" * 5_000_000
    lines = [f'{{"firstName":"{long}","x":1', f'{{"firstName":"{chr(92) * 5_000_000}","x":1', f'{long}","x":1}}']
    table = spark.createDataFrame([(line,) for line in lines], "line string").repartition(1)
    kept = table.select(F.length(without_personal_values("line", NAMES)).alias("length")).collect()
    assert sorted(row.length for row in kept) == [8, 22, 22]


def test_without_personal_columns_a_line_is_unchanged(spark: SparkSession) -> None:
    line = '{"firstName":"Ann"}'
    table = spark.createDataFrame([(line,)], "line string")
    assert table.select(without_personal_values("line", ()).alias("kept")).collect()[0].kept == line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{}", True),
        ('{"a":"}"}', True),
        ('{"a":{}}', True),
        ('{"a":{"b":[1,NaN,-Infinity]}}', True),
        ("{}{}", False),
        ("{}]", False),
        ("{},{}]", False),
        ('{"a":{}},"b":1', False),
        ("{} x", False),
        ("{", False),
    ],
)
def test_a_line_holds_one_value_or_not(spark: SparkSession, line: str, expected: bool) -> None:
    table = spark.createDataFrame([(line,)], "line string")
    assert table.select(is_one_value("line").alias("one")).collect()[0].one is expected
