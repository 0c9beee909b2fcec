"""Profiles of columns, and the population stability index between them."""

from __future__ import annotations

import bisect
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from spark_examples import spark_examples
from sparkify_kedro.learning.profile import (
    count_in_intervals,
    expected_index,
    population_stability_index,
    profile_columns,
    without_history,
)

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=10)


def columns(spark: SparkSession, **values: list[float]) -> DataFrame:
    return spark.createDataFrame(list(zip(*values.values(), strict=True)), ", ".join(f"{n} double" for n in values))


def plain_profile(rows: DataFrame, columns: list[str]) -> dict[str, dict[str, Any]]:
    """The profile as JSON."""
    return {name: column.model_dump(mode="json") for name, column in profile_columns(rows, columns).items()}


def test_intervals_hold_equally_many_rows(spark: SparkSession) -> None:
    rows = columns(spark, one=[float(place) for place in range(100)], two=[place / 7 - 3 for place in range(100)])
    found = plain_profile(rows, ["two", "one"])
    assert list(found) == ["two", "one"]
    assert found["one"] == {
        "edges": [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0],
        "min": 0.0,
        "max": 99.0,
        "mean": pytest.approx(49.5),
        "counts": [10] * 10,
    }
    assert found["two"]["counts"] == [10] * 10
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@spark_examples(4)
@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(-1e6, 1e6, allow_nan=False)), min_size=1, max_size=50))
def test_every_row_counts_once_up_to_and_with_its_edge(spark: SparkSession, rows: list[tuple[int, float]]) -> None:
    few, many = ([float(value) for value in column] for column in zip(*rows, strict=True))
    found = plain_profile(columns(spark, few=few, many=many), ["few", "many"])
    for name, values in (("few", few), ("many", many)):
        edges = found[name]["edges"]
        assert edges == sorted(set(edges))
        assert set(edges) <= set(values)
        expected = [0] * (len(edges) + 1)
        for value in values:
            expected[bisect.bisect_left(edges, value)] += 1
        assert found[name]["counts"] == expected
        assert (found[name]["min"], found[name]["max"]) == (min(values), max(values))
        assert found[name]["mean"] == pytest.approx(sum(values) / len(values), abs=1e-9)


def test_a_constant_column_has_one_edge(spark: SparkSession) -> None:
    found = plain_profile(columns(spark, same=[2.0] * 7), ["same"])["same"]
    assert (found["edges"], found["counts"]) == ([2.0], [7, 0])


def test_an_interval_that_is_empty_in_both_profiles_does_not_count() -> None:
    """A constant feature has not drifted, however few rows are compared."""
    assert population_stability_index([1_000, 0], [3, 0]) == expected_index([1_000, 0], [3, 0]) == 0
    assert population_stability_index([50, 0, 50], [40, 0, 60]) == population_stability_index([50, 50], [40, 60])
    assert expected_index([50, 0, 50], [40, 0, 60]) == pytest.approx(1 / 100 + 1 / 100)
    assert population_stability_index([0, 0], [0, 0]) == 0


def test_no_rows_have_a_profile_without_numbers(spark: SparkSession) -> None:
    found = plain_profile(columns(spark, one=[1.0], two=[1.0]).limit(0), ["one", "two"])
    nothing = {"edges": [], "min": None, "max": None, "mean": None, "counts": [0]}
    assert found == {"one": nothing, "two": nothing}


def test_other_rows_are_counted_by_the_same_edges(spark: SparkSession) -> None:
    """Values beyond all that was seen fall into the outer intervals; whole numbers and flags count too."""
    rows = spark.createDataFrame([(-9.0, 1, True), (1.0, 2, False), (1.5, 3, False)], "a double, b int, c boolean")
    assert count_in_intervals(rows, {"a": [1.0, 1.2], "c": [0.0], "b": [2.0]}) == {
        "a": [2, 0, 1],
        "c": [2, 1],
        "b": [2, 1],
    }


def test_index_by_hand() -> None:
    expected = (0.4 - 0.5) * math.log(0.4 / 0.5) + (0.6 - 0.5) * math.log(0.6 / 0.5)
    assert population_stability_index([50, 50], [40, 60]) == pytest.approx(expected)
    assert population_stability_index([5, 5], [400, 600]) == pytest.approx(expected)


def test_an_empty_interval_counts_as_half_a_row() -> None:
    shares = (10 / 10.5, 0.5 / 10.5)
    expected = sum((a - 0.5) * math.log(a / 0.5) for a in shares)
    assert population_stability_index([8, 8], [10, 0]) == pytest.approx(expected)


@given(COUNTS, st.data())
def test_index_is_zero_for_the_same_shares_and_never_negative(counts: list[int], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.integers(0, 500), min_size=len(counts), max_size=len(counts)))
    assert population_stability_index(counts, counts) == pytest.approx(0, abs=1e-12)
    there, back = population_stability_index(counts, others), population_stability_index(others, counts)
    assert there == pytest.approx(back)
    assert there >= -1e-12


@pytest.mark.parametrize(("rows", "other_rows"), [(5_000, 300), (500, 500)])
def test_expected_index_is_the_mean_over_samples_of_one_population(rows: int, other_rows: int) -> None:
    draw, shares = np.random.default_rng(4), np.full(10, 0.1)
    samples = [(draw.multinomial(rows, shares), draw.multinomial(other_rows, shares)) for _ in range(400)]
    found = np.mean([population_stability_index(*map(list, pair)) for pair in samples])
    assert expected_index(*map(list, samples[0])) == pytest.approx(found, rel=0.15)


def test_the_expected_index_of_no_rows_is_unlimited() -> None:
    assert expected_index([5, 5], [0, 0]) == math.inf


def test_a_user_is_without_history_where_the_log_covers_the_bin_alone(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(14.0, 14.0), (14.0, 20.0), (3.0, 3.0)], "observed_days_in_time_bin double, observed_days_in_history double"
    )
    assert [row[0] for row in rows.select(without_history()).collect()] == [True, False, True]
