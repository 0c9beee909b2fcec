"""Random numbers from hashes: uniform, independent between purposes and seeds, and dependent on the key alone."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.churn.hash_sampling import uniform_hash

USERS, BINS = 2_500, 2
KEYS = [(str(user), bin_end) for user in range(USERS) for bin_end in range(BINS)]

# What each column of the draws is drawn with: seed, purpose, unit. Neighbours, on purpose.
DRAWS = {
    "hold_out": (1, "hold out", "row"),
    "fold": (1, "fold", "row"),
    "churned": (1, "negatives of churned_in_time_bin", "row"),
    "soon": (1, "negatives of will_churn_soon", "row"),
    "next_seed": (2, "hold out", "row"),
    "large_seed": (20_181_001_000_000, "hold out", "row"),
    "hold_out_user": (1, "hold out", "user"),
    "fold_user": (1, "fold", "user"),
}
PAIRS_OF_ROW_DRAWS = list(combinations([name for name, (_, _, unit) in DRAWS.items() if unit == "row"], 2))


def drawn(table: DataFrame) -> dict[tuple[str, int], tuple[float, ...]]:
    """Every draw of DRAWS for each key of the table."""
    columns = [uniform_hash(*arguments).alias(name) for name, arguments in DRAWS.items()]
    return {(user, bin_end): tuple(numbers) for user, bin_end, *numbers in table.select("*", *columns).collect()}


def table_of(spark: SparkSession, keys: list[tuple[str, int]]) -> DataFrame:
    """A table of these keys."""
    return spark.createDataFrame(keys, "user_id string, bin_end bigint")


def chi_square(counts: np.ndarray, expected: np.ndarray | float) -> float:
    """How far counts lie from what is expected."""
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.fixture(scope="module")
def draws(spark: SparkSession) -> dict[tuple[str, int], tuple[float, ...]]:
    """All draws by key."""
    return drawn(table_of(spark, KEYS))


@pytest.fixture(scope="module")
def columns(draws: dict[tuple[str, int], tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Each draw's numbers, in the order of KEYS; a user's draw once per user."""
    numbers = dict(zip(DRAWS, np.array([draws[key] for key in KEYS]).T, strict=True))
    return {name: column[::BINS] if DRAWS[name][2] == "user" else column for name, column in numbers.items()}


@pytest.mark.parametrize("name", DRAWS)
def test_uniform(columns: dict[str, np.ndarray], name: str) -> None:
    """Twenty equal boxes hold about as many numbers each (chi square with 19 degrees of freedom, p = .0001)."""
    numbers = columns[name]
    assert (numbers >= 0).all()
    assert (numbers < 1).all()
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    assert chi_square(counts, len(numbers) / 20) < 50.8
    assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize(("one", "other"), PAIRS_OF_ROW_DRAWS)
def test_row_draws_are_independent(columns: dict[str, np.ndarray], one: str, other: str) -> None:
    """Five by five boxes, between purposes and between seeds (24 degrees of freedom, p = .0001)."""
    counts, _, _ = np.histogram2d(columns[one], columns[other], bins=5, range=[(0, 1), (0, 1)])
    assert chi_square(counts, len(KEYS) / 25) < 58.6


def test_user_draws_are_independent(columns: dict[str, np.ndarray]) -> None:
    """Between two purposes of a user, and between a user's number and those of the user's rows."""
    pairs = [("hold_out_user", "fold_user"), ("hold_out_user", "hold_out"), ("hold_out_user", "churned")]
    for user_draw, other in pairs:
        others = columns[other] if DRAWS[other][2] == "user" else columns[other][::BINS]
        counts, _, _ = np.histogram2d(columns[user_draw], others, bins=5, range=[(0, 1), (0, 1)])
        assert chi_square(counts, USERS / 25) < 58.6


def test_rows_of_a_user_are_independent(columns: dict[str, np.ndarray]) -> None:
    first, second = columns["hold_out"][::BINS], columns["hold_out"][1::BINS]
    counts, _, _ = np.histogram2d(first, second, bins=5, range=[(0, 1), (0, 1)])
    assert chi_square(counts, USERS / 25) < 58.6


def test_unit_selects_rows_or_users(draws: dict[tuple[str, int], tuple[float, ...]]) -> None:
    """All rows of a user share the user's number; no two rows share a row's."""
    of_user, of_row = list(DRAWS).index("hold_out_user"), list(DRAWS).index("hold_out")
    for user in range(USERS):
        first, second = draws[str(user), 0], draws[str(user), 1]
        assert first[of_user] == second[of_user]
        assert first[of_row] != second[of_row]


def test_partitions_order_and_other_rows_do_not_matter(
    spark: SparkSession, draws: dict[tuple[str, int], tuple[float, ...]]
) -> None:
    shuffled = random.Random(1).sample(KEYS, len(KEYS))
    half = random.Random(2).sample(KEYS, len(KEYS) // 2)
    assert drawn(table_of(spark, shuffled).repartition(7)) == draws
    assert drawn(table_of(spark, half).coalesce(1)) == {key: draws[key] for key in half}


def test_numbers_are_stable_across_releases(spark: SparkSession) -> None:
    """Another hash would move users between the sides of every split made so far."""
    columns = [uniform_hash(20_181_001, "hold out", unit) for unit in ("user", "row")]
    rows = table_of(spark, [("1", 0), ("2", 3)]).select(*columns).collect()
    assert [tuple(row) for row in rows] == [
        (0.6093507421130695, 0.12992141407567692),
        (0.16426094497216948, 0.9089738885851327),
    ]
