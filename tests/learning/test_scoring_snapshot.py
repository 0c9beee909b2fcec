"""The row that represents a user at a given time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_examples import spark_examples
from sparkify_kedro.learning.scoring_snapshot import scoring_snapshot, user_churned_at

DAY = 86_400_000
DAYS = 14
BIN = DAYS * DAY
NOW = int(datetime(2018, 11, 20, tzinfo=UTC).timestamp()) * 1_000
SCHEMA = "user_id string, time_bin int, bin_end bigint, churned_at bigint"

Row = tuple[str, int, int, int | None]


def chosen(spark: SparkSession, rows: list[Row], as_of: int = NOW, days: int = DAYS) -> list[tuple[str, int]]:
    found = scoring_snapshot(spark.createDataFrame(rows, SCHEMA), as_of, days)
    assert found.columns == ["user_id", "time_bin", "bin_end", "churned_at"]
    return sorted((row.user_id, row.time_bin) for row in found.collect())


# Per user (the case): the rows, and the bin that represents the user at NOW, if any.
CASES: dict[str, tuple[list[tuple[int, int, int | None]], int | None]] = {
    "bin ends at the moment: it is over": ([(3, NOW, None)], 3),
    "bin ends a millisecond later: it is not": ([(3, NOW + 1, None)], None),
    "the bin before the one under way": ([(2, NOW - DAY, None), (3, NOW - DAY + BIN, None)], 2),
    "only the last of several that are over": ([(1, NOW - BIN - 5, None), (2, NOW - 5, None)], 2),
    "ended a bin ago less a millisecond: the last": ([(1, NOW - BIN + 1, None)], 1),
    "ended a bin ago: idle in the bin after it": ([(1, NOW - BIN, None)], None),
    "idle in the last bin, active before and after": ([(1, NOW - BIN - 5, None), (3, NOW + BIN - 5, None)], None),
    "cancelled before, in the last bin": ([(2, NOW - 5, NOW - 6)], None),
    "cancelled before, in the bin under way": ([(2, NOW - 5, None), (3, NOW - 5 + BIN, NOW - 1)], None),
    "cancelled before, in an earlier bin": ([(1, NOW - 5 - BIN, NOW - BIN - 9), (2, NOW - 5, None)], None),
    "cancels at the moment: still there": ([(2, NOW - 5, None), (3, NOW - 5 + BIN, NOW)], 2),
    "cancels later": ([(2, NOW - 5, None), (4, NOW - 5 + 2 * BIN, NOW + 20 * DAY)], 2),
}


@pytest.fixture(scope="module")
def speaking(spark: SparkSession) -> dict[str, int]:
    found = chosen(spark, [(user, *row) for user, (rows, _) in CASES.items() for row in rows])
    assert len(found) == len(dict(found)), "a user has two rows"
    return dict(found)


@pytest.mark.parametrize("case", CASES)
def test_a_user_is_represented_by_the_last_completed_bin(speaking: dict[str, int], case: str) -> None:
    assert speaking.get(case) == CASES[case][1]


@spark_examples(4)
@given(
    days=st.integers(1, 30),
    as_of=st.integers(NOW, NOW + 90 * DAY),
    # Per user: the registration, the bins with any event, and days until the user cancels.
    users=st.lists(
        st.tuples(st.integers(0, 60 * DAY), st.sets(st.integers(0, 12)), st.none() | st.integers(0, 120)), max_size=8
    ),
)
def test_the_bin_precedes_the_one_with_the_timestamp(
    spark: SparkSession, days: int, as_of: int, users: list[tuple[int, set[int], int | None]]
) -> None:
    """The same from the other side: from the number of the bin that the moment falls into."""
    length, rows, expected = days * DAY, [], []
    for place, (age, bins, leaves_after) in enumerate(users):
        user, registration = str(place), NOW - age
        churn = None if leaves_after is None else registration + leaves_after * DAY
        last = max(bins, default=None)
        rows += [
            (user, number, registration + (number + 1) * length, churn if number == last else None) for number in bins
        ]
        before = (as_of - registration) // length - 1
        if before in bins and (churn is None or churn >= as_of):
            expected.append((user, before))
    assert chosen(spark, rows, as_of, days) == sorted(expected)


def test_a_cancellation_is_known_in_every_bin_of_its_user_alone(spark: SparkSession) -> None:
    rows: list[Row] = [("goes", 0, NOW, None), ("goes", 1, NOW + BIN, NOW + 7), ("stays", 0, NOW, None)]
    found = spark.createDataFrame(rows, SCHEMA).withColumn("user_churned_at", user_churned_at()).collect()
    assert {(row.user_id, row.time_bin): row.user_churned_at for row in found} == {
        ("goes", 0): NOW + 7,
        ("goes", 1): NOW + 7,
        ("stays", 0): None,
    }
