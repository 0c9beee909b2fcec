"""A table's columns are checked by name and type, from the query plan alone."""

from __future__ import annotations

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.framework.table_schema import TableSchema

COLUMNS = "user_id string, time_bin int, songs bigint"
PEOPLE = TableSchema(name="people", columns=COLUMNS, keys=("user_id", "time_bin"))
OPEN_PEOPLE = TableSchema(name="people", columns=COLUMNS, keys=("user_id", "time_bin"), is_open=True)


def empty(spark: SparkSession, columns: str) -> DataFrame:
    return spark.createDataFrame([], columns)


def complaint(schema: TableSchema, data: DataFrame) -> str:
    """What the schema has to say of the dataframe, without the sentence's beginning."""
    with pytest.raises(ValueError, match="the columns of people are not the declared ones: ") as caught:
        schema.validate(data)
    return str(caught.value).partition(": ")[2]


def test_a_valid_dataframe_is_returned(spark: SparkSession) -> None:
    data = empty(spark, COLUMNS)
    assert PEOPLE.validate(data) is data
    assert OPEN_PEOPLE.validate(data) is data


def test_the_struct_is_the_declared_columns_in_order(spark: SparkSession) -> None:
    assert PEOPLE.struct.simpleString() == "struct<user_id:string,time_bin:int,songs:bigint>"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("user_id string, songs bigint", "time_bin is missing"),
        (f"{COLUMNS}, first_name string", "first_name is not expected"),
        ("user_id string, time_bin int, songs int", "songs is int, not bigint"),
        ("user_id string, time_bin string, songs array<bigint>", "time_bin is string, not int; "),
        ("USER_ID string, time_bin int, songs bigint", "user_id is missing; USER_ID is not expected"),
        ("time_bin int, songs double, age int", "user_id is missing; age is not expected; songs is double, not bigint"),
    ],
    ids=["missing", "unexpected", "another type", "two of another type", "another case", "all at once"],
)
def test_wrong_columns_are_named(spark: SparkSession, columns: str, expected: str) -> None:
    assert complaint(PEOPLE, empty(spark, columns)).startswith(expected)


def test_every_wrong_column_is_named(spark: SparkSession) -> None:
    """The last of several is reported, too."""
    message = complaint(PEOPLE, empty(spark, "user_id bigint, time_bin bigint, songs array<bigint>"))
    assert message == "user_id is bigint, not string; time_bin is bigint, not int; songs is array<bigint>, not bigint"


def test_an_open_table_may_have_more_columns_but_not_fewer_or_other_ones(spark: SparkSession) -> None:
    more = empty(spark, f"label int, {COLUMNS}, fold int")

    assert OPEN_PEOPLE.validate(more) is more
    assert complaint(PEOPLE, more) == "label is not expected; fold is not expected"
    assert complaint(OPEN_PEOPLE, more.drop("songs")) == "songs is missing"
    assert complaint(OPEN_PEOPLE, more.withColumn("songs", F.lit("many"))) == "songs is string, not bigint"


def test_the_check_runs_no_spark_job(spark: SparkSession) -> None:
    """A plan that fails as soon as a row is computed passes, and a wrong one is reported without computing a row."""
    fails = F.raise_error(F.lit("a row was computed")).cast("bigint")
    data = spark.range(3).select(F.lit("u").alias("user_id"), F.lit(0).alias("time_bin"), fails.alias("songs"))

    assert PEOPLE.validate(data) is data
    assert complaint(PEOPLE, data.withColumnRenamed("songs", "tunes")) == "songs is missing; tunes is not expected"

    with pytest.raises(PySparkException, match="a row was computed"):
        data.collect()
