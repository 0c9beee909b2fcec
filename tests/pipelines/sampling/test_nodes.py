"""Sampling: held-out users, folds and downsampling, on a few thousand rows."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from kedro.validation.exceptions import ModelInstantiationError
from pyspark.sql import DataFrame, Row, SparkSession

from sparkify_kedro.churn.parameters import LabelSampling, Split
from sparkify_kedro.pipelines.sampling import schemas
from sparkify_kedro.pipelines.sampling.nodes import (
    sample_as_original,
    sample_test,
    sample_train,
    select_development,
)

LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
COLUMNS = f"user_id string, bin_end bigint, page_home bigint, {', '.join(f'{name} int' for name in LABELS)}, \
at_risk boolean"

Key = tuple[str, int]


class UserTimeBin(NamedTuple):
    """A row of user_time_bins, in what matters here."""

    user_id: str
    bin_end: int
    page_home: int
    churned_in_time_bin: int
    will_churn_in_next_bin: int
    will_churn_soon: int | None
    at_risk: bool

    @property
    def key(self) -> Key:
        """What identifies the row."""
        return self.user_id, self.bin_end


def population(users: Iterable[int], bins: int) -> list[UserTimeBin]:
    """So many rows for each user; a tenth of them positive for a label, a fifth not at risk, a fifth unlabeled."""
    chance = random.Random(7)

    def row(user: int, bin_end: int) -> UserTimeBin:
        labels: list[int | None] = [int(chance.random() < 0.1) for _ in LABELS]
        if chance.random() < 0.2:
            labels[-1] = None
        return UserTimeBin(str(user), bin_end, chance.randrange(50), *labels, chance.random() < 0.8)

    return [row(user, bin_end) for user in users for bin_end in range(bins)]


ROWS = population(range(1_500), 4)
BY_KEY = {row.key: row for row in ROWS}


def table_of(spark: SparkSession, rows: Iterable[UserTimeBin]) -> DataFrame:
    """The rows as Spark's table."""
    return spark.createDataFrame(list(rows), COLUMNS)


def split_of(unit: str = "user", *, seed: int = 11, share: float = 0.2, folds: int = 3) -> Split:
    """A split whose hold-out and folds are drawn by the same unit."""
    return Split.model_validate(
        {"seed": seed, "hold_out": {"share": share, "unit": unit}, "folds": {"number": folds, "unit": unit}}
    )


LABEL = "churned_in_time_bin"


def sampling_of(
    *,
    keep: float = 0.25,
    keep_of_original: float | None = None,
    at_risk_only: bool = False,
    strategy: str = "undersample",
) -> LabelSampling:
    """A label's sampling; the original's share is the same unless it is given."""
    shares = {"keep_negatives": keep, "keep_negatives_of_original": keep_of_original or keep}
    return LabelSampling.model_validate({"at_risk_only": at_risk_only, "strategy": strategy} | shares)


class Samples(NamedTuple):
    """The samples of a label, in an order that does not depend on Spark."""

    calibration: list[Row]
    train: list[Row]
    test: list[Row]
    balanced: list[Row]
    as_original: list[Row]


def samples_of(table: DataFrame, split: Split, sampling: LabelSampling, label: str = LABEL) -> Samples:
    """The samples that the nodes make of the table."""
    development = select_development(table, split, sampling, label)
    train = sample_train(development, split, sampling, label)
    as_original = sample_as_original(table, split, sampling, label)
    test = sorted(sample_test(table, split, sampling, label).collect())
    rows = [sorted(sample.collect()) for sample in (development, train, as_original)]
    return Samples(rows[0], rows[1], test, [row for row in test if row.is_balanced], rows[2])


def keys(rows: Iterable[Row]) -> list[Key]:
    """What identifies each row."""
    return [(row.user_id, row.bin_end) for row in rows]


def users(rows: Iterable[Row]) -> set[str]:
    """The users that have any of the rows."""
    return {row.user_id for row in rows}


def assert_share(drawn: int, of: int, share: float) -> None:
    """So many drawn are within four standard deviations of the share, each drawn on its own."""
    assert of > 200, "too few to say anything"
    assert abs(drawn - of * share) <= 4 * math.sqrt(of * share * (1 - share))


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> DataFrame:
    """All rows."""
    return table_of(spark, ROWS)


@pytest.fixture(scope="module")
def by_user(table: DataFrame) -> Samples:
    """Samples with a split by user."""
    return samples_of(table, split_of("user"), sampling_of())


@pytest.fixture(scope="module")
def by_row(table: DataFrame) -> Samples:
    """Samples with a split by row."""
    return samples_of(table, split_of("row"), sampling_of())


@pytest.fixture(scope="module")
def all_by_user(table: DataFrame) -> Samples:
    """Samples with a split by user, no negatives left out."""
    return samples_of(table, split_of("user"), sampling_of(keep=1.0))


@pytest.fixture(params=["user", "row"])
def samples(spark: SparkSession, request: pytest.FixtureRequest) -> Samples:
    """Samples with a split by user, then by row."""
    return request.getfixturevalue(f"by_{request.param}")


def test_no_user_is_on_both_sides(by_user: Samples) -> None:
    assert users(by_user.train).isdisjoint(users(by_user.test))
    assert users(by_user.test)
    assert users(by_user.train)


def test_all_rows_of_a_user_are_on_one_side(all_by_user: Samples) -> None:
    """With no negatives left out, the two sides together are the table: nothing is lost, nothing comes twice."""
    assert sorted(keys(all_by_user.train) + keys(all_by_user.test)) == sorted(BY_KEY)


def test_no_user_is_in_two_folds(by_user: Samples) -> None:
    folds = defaultdict(set)
    for row in by_user.train:
        folds[row.user_id].add(row.fold)
    assert {len(seen) for seen in folds.values()} == {1}


def test_folds_are_numbered_from_zero_and_of_like_size(all_by_user: Samples, by_row: Samples) -> None:
    fold_of_user = {row.user_id: row.fold for row in all_by_user.train}
    for folds in (list(fold_of_user.values()), [row.fold for row in by_row.train]):
        assert set(folds) == {0, 1, 2}
        for fold in range(3):
            assert_share(folds.count(fold), len(folds), 1 / 3)


def test_share_of_users_is_held_out(all_by_user: Samples) -> None:
    assert_share(len(users(all_by_user.test)), 1_500, 0.2)


def test_share_of_rows_is_held_out_by_row(by_row: Samples) -> None:
    """The original's way: a user's rows go to either side, and to any fold."""
    assert_share(len(by_row.test), len(ROWS), 0.2)
    assert users(by_row.train) & users(by_row.test)
    folds = defaultdict(set)
    for row in by_row.train:
        folds[row.user_id].add(row.fold)
    assert max(len(seen) for seen in folds.values()) > 1
    assert set(keys(by_row.train)).isdisjoint(keys(by_row.test))


def test_share_of_negatives_is_kept_in_training(by_user: Samples, all_by_user: Samples, by_row: Samples) -> None:
    negatives = sum(row.label == 0 for row in all_by_user.train)
    assert_share(sum(row.label == 0 for row in by_user.train), negatives, 0.25)
    held_out = set(keys(by_row.test))
    negatives = sum(row.key not in held_out and row.churned_in_time_bin == 0 for row in ROWS)
    assert_share(sum(row.label == 0 for row in by_row.train), negatives, 0.25)


def test_other_strategies_keep_every_row_for_the_fits_to_balance(table: DataFrame) -> None:
    for strategy in ("none", "oversample", "class_weights", "smote"):
        sampling = sampling_of(strategy=strategy)
        development = select_development(table, split_of(), sampling, LABEL)
        assert sample_train(development, split_of(), sampling, LABEL).count() == development.count()


def test_negatives_are_downsampled_equally_in_every_fold(by_user: Samples, all_by_user: Samples) -> None:
    """Whether a row is kept has nothing to do with its fold."""
    for fold in range(3):
        kept, there = (
            sum(row.label == 0 and row.fold == fold for row in sample.train) for sample in (by_user, all_by_user)
        )
        assert_share(kept, there, 0.25)


def test_positives_are_all_kept(samples: Samples) -> None:
    positives = {row.key for row in ROWS if row.churned_in_time_bin == 1}
    held_out = {key for key in keys(samples.test) if key in positives}
    in_training = {key for key in keys(samples.train) if key in positives}
    assert held_out | in_training == positives
    assert held_out
    assert in_training


def test_test_keeps_its_natural_prevalence(by_user: Samples) -> None:
    """Every row of a held-out user is there, whatever its label."""
    held_out = users(by_user.test)
    assert keys(by_user.test) == sorted(row.key for row in ROWS if row.user_id in held_out)


def test_balanced_test_is_part_of_test_with_all_positives(samples: Samples) -> None:
    assert set(samples.balanced) <= set(samples.test)
    assert [row for row in samples.balanced if row.label == 1] == [row for row in samples.test if row.label == 1]
    kept, there = (sum(row.label == 0 for row in rows) for rows in (samples.balanced, samples.test))
    assert_share(kept, there, 0.25)


def test_keys_do_not_repeat(samples: Samples) -> None:
    for rows in samples:
        assert len(set(keys(rows))) == len(rows)


def test_rows_are_those_of_the_table_with_label_and_fold(samples: Samples) -> None:
    names = list(UserTimeBin._fields)
    fold, test, held_out = ["label", "fold"], ["label", "is_balanced"], ["label", "is_held_out"]
    for rows, added in zip(samples, (fold, fold, test, test, held_out), strict=True):
        assert rows[0].asDict().keys() == {*names, *added}
        for row in rows:
            assert tuple(row[name] for name in names) == BY_KEY[row.user_id, row.bin_end]
            assert row.label == row.churned_in_time_bin


def test_tables_have_the_declared_columns(table: DataFrame) -> None:
    development, test, as_original = (
        sample(table, split_of(), sampling_of(), LABEL)
        for sample in (select_development, sample_test, sample_as_original)
    )
    for schema, sample in (
        (schemas.train_rows, development),
        (schemas.train_rows, sample_train(development, split_of(), sampling_of(), LABEL)),
        (schemas.test_rows, test),
        (schemas.original_protocol_rows, as_original),
    ):
        assert schema.validate(sample) is sample
        declared = {(field.name, field.dataType) for field in schema.struct.fields}
        assert declared <= {(field.name, field.dataType) for field in sample.schema.fields}


def test_partitions_and_order_do_not_matter(spark: SparkSession, by_user: Samples, by_row: Samples) -> None:
    shuffled = table_of(spark, random.Random(3).sample(ROWS, len(ROWS)))
    for unit, expected in (("user", by_user), ("row", by_row)):
        for other in (shuffled.repartition(7), shuffled.coalesce(1)):
            assert samples_of(other, split_of(unit), sampling_of()) == expected


def test_another_seed_gives_another_sample(table: DataFrame, by_user: Samples) -> None:
    """Two seeds have as many held-out users and kept negatives in common as chance has it."""
    other = samples_of(table, split_of(seed=12), sampling_of())
    assert_share(len(users(by_user.test)), 1_500, 0.2)
    assert_share(len(users(other.test)), 1_500, 0.2)
    assert_share(len(users(other.test) & users(by_user.test)), 1_500, 0.04)
    negatives = sum(row.churned_in_time_bin == 0 for row in ROWS)
    one, two = (
        {key for key in keys(rows) if not BY_KEY[key].churned_in_time_bin} for rows in (by_user.train, other.train)
    )
    assert_share(len(one & two), negatives, (0.8 * 0.25) ** 2)


@pytest.mark.parametrize("unit", ["user", "row"])
def test_a_growing_log_keeps_assignments(spark: SparkSession, request: pytest.FixtureRequest, unit: str) -> None:
    """Rows of other users, and later rows of the same ones, change neither side nor fold nor what is kept."""
    grown: Samples = request.getfixturevalue(f"by_{unit}")
    there_before = {row.key for row in ROWS if int(row.user_id) % 3 == 0 and row.bin_end < 3}
    before = samples_of(table_of(spark, [BY_KEY[key] for key in there_before]), split_of(unit), sampling_of())
    for rows_before, rows_grown in zip(before, grown, strict=True):
        assert rows_before == [row for row in rows_grown if (row.user_id, row.bin_end) in there_before]
        assert rows_before


def test_user_is_held_out_for_every_label_or_for_none(table: DataFrame, all_by_user: Samples) -> None:
    for label in LABELS[1:]:
        test = sample_test(table, split_of(), sampling_of(), label).collect()
        assert sorted(keys(test)) == [key for key in keys(all_by_user.test) if getattr(BY_KEY[key], label) is not None]
        assert all(row.label == row[label] for row in test)


@pytest.mark.parametrize("at_risk_only", [False, True])
def test_rows_without_a_label_or_not_at_risk_are_left_out(table: DataFrame, at_risk_only: bool) -> None:
    """From all samples, and no other row is."""
    samples = samples_of(table, split_of(), sampling_of(keep=1.0, at_risk_only=at_risk_only), "will_churn_soon")
    expected = sorted(row.key for row in ROWS if row.will_churn_soon is not None and (row.at_risk or not at_risk_only))
    assert sorted(keys(samples.train) + keys(samples.test)) == expected
    assert samples.calibration == samples.train
    assert samples.balanced == samples.test
    assert keys(samples.as_original) == expected


def test_development_rows_are_all_rows_not_held_out(samples: Samples) -> None:
    """At natural prevalence: with the test rows they are the table, and the training rows are some of them."""
    assert sorted(keys(samples.calibration) + keys(samples.test)) == sorted(BY_KEY)
    assert set(samples.train) < set(samples.calibration)
    positives = [[row for row in rows if row.label == 1] for rows in (samples.train, samples.calibration)]
    assert positives[0] == positives[1]


def test_the_originals_share_applies_to_balanced_test_rows_only(table: DataFrame, by_user: Samples) -> None:
    samples = samples_of(table, split_of(), sampling_of(keep=0.25, keep_of_original=0.7))
    assert (samples.calibration, samples.train) == (by_user.calibration, by_user.train)
    assert keys(samples.test) == keys(by_user.test)
    for kept, there in ((samples.balanced, samples.test), (samples.as_original, ROWS)):
        negatives = sum((row.label if isinstance(row, Row) else row.churned_in_time_bin) == 0 for row in there)
        assert_share(sum(row.label == 0 for row in kept), negatives, 0.7)


def test_original_protocol_rows_are_split_by_row_and_downsampled(by_user: Samples) -> None:
    """Even where users are held out otherwise: that is what its scores are worth beside the honest ones."""
    rows = by_user.as_original
    sides = [[row for row in rows if row.is_held_out is is_held_out] for is_held_out in (True, False)]
    assert users(sides[0]) & users(sides[1])
    assert_share(len(sides[0]), len(rows), 0.2)
    assert {row.key for row in ROWS if row.churned_in_time_bin == 1} == set(keys([r for r in rows if r.label == 1]))
    for side in sides:
        # A quarter of the nine tenths that are negative.
        assert_share(sum(row.label for row in side), len(side), 0.1 / (0.1 + 0.9 * 0.25))


def test_a_label_cannot_be_renamed_in_its_block() -> None:
    """The key of the block is the only source of the label's name."""
    block = {
        "label": "will_churn_soon",
        "at_risk_only": False,
        "strategy": "undersample",
        "keep_negatives": 1.0,
        "keep_negatives_of_original": 1.0,
    }
    with pytest.raises(ModelInstantiationError, match="label is not a known parameter"):
        LabelSampling.model_validate(block)
