"""User types: recovered where they are known, and added to rows as a reference without Spark computes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.stats import gamma, multinomial

from sparkify_kedro.churn.reports import GammaPrior, TypesAtLevel, UserTypes, UserTypesByFold
from sparkify_kedro.churn.vocabulary import TYPED_PAGES
from sparkify_kedro.learning.parameters import UserTypeSearch
from sparkify_kedro.learning.user_types import (
    EVERY_FOLD,
    TYPE_FEATURES,
    WITHOUT_FOLD,
    collect_histories,
    fit_by_fold,
    fit_session_rate,
    fit_user_types,
    with_types_by_fold,
    with_user_types,
    without_fold,
)

DAY = 86_400_000
SEARCH = UserTypeSearch(
    seed=3, most_types=5, starts=3, most_users=1_000, most_users_of_mixture=1_000, pseudo_cancellations=1.0
)
WIDTH = len(TYPED_PAGES)
SONG, ADVERT, UP, DOWN = (TYPED_PAGES.index(page) for page in ("NextSong", "Roll Advert", "Thumbs Up", "Thumbs Down"))
# Three types: those who see many adverts cancel most, then those who give many thumbs down.
SHARES = {"content": 0.5, "annoyed": 0.3, "critical": 0.2}
CANCELLATIONS = {"content": 0.005, "annoyed": 0.08, "critical": 0.03}


def page_shares(kind: str) -> np.ndarray:
    weights = np.ones(WIDTH)
    weights[SONG], weights[UP] = 60, 6
    weights[ADVERT] = 15 if kind == "annoyed" else 2
    weights[DOWN] = 8 if kind == "critical" else 1
    return weights / weights.sum()


def simulated(users: int, kinds: list[str] | None = None, seed: int = 1) -> pd.DataFrame:
    """Histories of users of known types, as ``collect_histories`` returns them, and their type."""
    random = np.random.default_rng(seed)
    kinds = kinds or list(SHARES)
    weight = np.array([SHARES[kind] for kind in kinds])
    rows: list[dict[str, Any]] = []
    for number in range(users):
        kind = str(random.choice(kinds, p=weight / weight.sum()))
        sessions = int(random.poisson(12) + 1)
        last = int(random.geometric(CANCELLATIONS[kind]))
        has_cancelled = last <= sessions
        seen = last if has_cancelled else sessions
        rows.append(
            {
                "user_id": f"{number:04d}",
                "fold": number % 3,
                "kind": kind,
                "sessions_in_history": seen,
                "sessions_at_free_in_history": seen,
                "sessions_at_paid_in_history": 0,
                "pages_at_free_in_history": random.multinomial(30 * seen, page_shares(kind)).tolist(),
                "pages_at_paid_in_history": [0] * WIDTH,
                "level_at_end": "free",
                "days": 40.0,
                "has_cancelled": has_cancelled,
            }
        )
    return pd.DataFrame(rows)


def test_known_types_are_found_and_ordered_by_risk() -> None:
    histories = simulated(600)
    found = fit_user_types(histories, 14, SEARCH)
    assert len(found.shares) == 3
    assert found.criteria.index(min(found.criteria)) == 2
    in_order = sorted(SHARES, key=lambda kind: CANCELLATIONS[kind])
    true_shares = histories["kind"].value_counts(normalize=True)
    free = found.levels["free"]
    for number, kind in enumerate(in_order):
        assert found.shares[number] == pytest.approx(true_shares[kind], abs=0.03)
        assert free.page_shares[number] == pytest.approx(page_shares(kind), abs=0.01)
        of_kind = histories[histories["kind"] == kind]
        observed = of_kind["has_cancelled"].sum() / of_kind["sessions_in_history"].sum()
        assert free.cancellations_per_session[number] == pytest.approx(observed, rel=0.25)


def test_users_who_are_all_alike_are_one_type() -> None:
    found = fit_user_types(simulated(400, ["content"]), 14, SEARCH)
    assert found.shares == [1.0]
    assert len(found.criteria) == 3  # two more have been tried, and are no better


def test_the_order_of_users_does_not_matter_to_the_result_of_a_seed() -> None:
    histories = simulated(300)
    assert fit_user_types(histories, 14, SEARCH) == fit_user_types(histories.copy(), 14, SEARCH)


def test_the_distribution_of_session_rates_is_recovered() -> None:
    random = np.random.default_rng(2)
    rates = random.gamma(shape=1.5, scale=1 / 6.0, size=4_000)
    days = random.uniform(10, 60, size=4_000)
    found = fit_session_rate(random.poisson(rates * days).astype(float), days)
    assert found.shape == pytest.approx(1.5, rel=0.1)
    assert found.days == pytest.approx(6.0, rel=0.1)


def test_users_of_a_fold_do_not_matter_to_its_types() -> None:
    """Whatever they did: also where they have all cancelled."""
    histories = simulated(300)
    others = histories["fold"] != 1
    changed = histories.assign(
        has_cancelled=histories["has_cancelled"].where(others, True),
        pages_at_free_in_history=histories["pages_at_free_in_history"].where(
            others, pd.Series([[9] * WIDTH] * len(histories))
        ),
    )
    one, other = (fit_by_fold(each, 3, 14, SEARCH) for each in (histories, changed))
    assert one.without_fold[1] == other.without_fold[1]
    assert one.without_fold[0] != other.without_fold[0]
    assert one.of_all != other.of_all


@pytest.mark.parametrize("users", [0, 1, 2])
def test_few_users_are_of_one_type(users: int) -> None:
    found = fit_user_types(simulated(2).head(users), 14, SEARCH)
    assert len(found.shares) == 1
    assert all(0 < rate < 1 for rate in found.levels["paid"].cancellations_per_session)


TYPES = UserTypes(
    horizon_days=14,
    users=10,
    cancellations=3,
    shares=[0.7, 0.3],
    pages=list(TYPED_PAGES),
    criteria=[10.0, 5.0],
    levels={
        "free": TypesAtLevel(
            page_shares=[page_shares("content").tolist(), page_shares("annoyed").tolist()],
            cancellations_per_session=[0.01, 0.1],
            switches_per_session=[0.05, 0.02],
        ),
        "paid": TypesAtLevel(
            page_shares=[page_shares("critical").tolist(), page_shares("content").tolist()],
            cancellations_per_session=[0.004, 0.03],
            switches_per_session=[0.01, 0.2],
        ),
    },
    session_rate=GammaPrior(shape=1.2, days=5.0),
)
ROW = """
    user_id string, bin_end bigint, fold int, sessions_in_history bigint, observed_days_in_history double,
    level_at_end string, churned_at bigint, sessions_at_free_in_history bigint,
    pages_at_free_in_history array<bigint>, sessions_at_paid_in_history bigint, pages_at_paid_in_history array<bigint>
"""


def rows() -> list[tuple[Any, ...]]:
    """Users with much, little and no history."""
    random = np.random.default_rng(4)
    found: list[tuple[Any, ...]] = []
    for number, (visits, level) in enumerate([(400, "free"), (400, "paid"), (12, "free"), (0, "free"), (3, "paid")]):
        free = random.multinomial(visits, page_shares("annoyed")).tolist()
        paid = random.multinomial(visits // 2, page_shares("critical")).tolist()
        found.append((f"u{number}", 100 * DAY, number % 2, visits // 20, 10.0 + number, level, None, 1, free, 1, paid))
    return found


def expected_features(row: tuple[Any, ...], types: UserTypes) -> dict[str, float]:
    """By multinomial likelihoods, and the matrix exponential, integrated over the gamma distribution."""
    sessions, days, level, free, paid = row[3], row[4], row[5], row[8], row[10]
    likelihood = np.array(
        [
            share
            * multinomial.pmf(free, sum(free), types.levels["free"].page_shares[kind])
            * multinomial.pmf(paid, sum(paid), types.levels["paid"].page_shares[kind])
            for kind, share in enumerate(types.shares)
        ]
    )
    posterior = likelihood / likelihood.sum()
    shape, prior_days = types.session_rate.shape + sessions, types.session_rate.days + days
    rate = gamma(shape, scale=1 / prior_days)
    risk = 0.0
    for kind, probability in enumerate(posterior):
        cancel = [types.levels[name].cancellations_per_session[kind] for name in ("free", "paid")]
        switch = [types.levels[name].switches_per_session[kind] for name in ("free", "paid")]
        generator = np.array(
            [
                [-(switch[0] + cancel[0]), switch[0], cancel[0]],
                [switch[1], -(switch[1] + cancel[1]), cancel[1]],
                [0, 0, 0],
            ]
        )

        def gone(per_day: float, generator: np.ndarray = generator) -> float:
            moved = expm(generator * per_day * types.horizon_days)
            return float(rate.pdf(per_day) * moved[("free", "paid").index(level), 2])

        risk += probability * quad(gone, 0, rate.ppf(1 - 1e-12), limit=200)[0]
    return {
        **{f"user_type_{number}": 0.0 for number in range(3, 7)},
        "user_type_1": posterior[0],
        "user_type_2": posterior[1],
        "log_expected_sessions_per_day": math.log(rate.mean()),
        "expected_sessions_spread": rate.std() / rate.mean(),
        "expected_sessions_in_horizon": rate.mean() * types.horizon_days,
        "log_odds_by_user_type": math.log(risk / (1 - risk)),
    }


def test_rows_get_what_follows_from_their_history(spark: SparkSession) -> None:
    table = spark.createDataFrame(rows(), ROW)
    added = with_user_types(table, TYPES)
    assert added.columns == [*table.columns, *TYPE_FEATURES]
    found = {row.user_id: row for row in added.collect()}
    for row in rows():
        for name, value in expected_features(row, TYPES).items():
            assert found[row[0]][name] == pytest.approx(value, rel=1e-6, abs=1e-9), (row[0], name)
    # Without any history, a user's type is as likely as it is among all.
    assert (found["u3"].user_type_1, found["u3"].user_type_2) == pytest.approx((0.7, 0.3))


def test_types_of_other_pages_are_refused(spark: SparkSession) -> None:
    other = TYPES.model_copy(update={"pages": [*TYPED_PAGES[:-1], "Podcast"]})
    with pytest.raises(ValueError, match="fitted on other pages than the rows count: train again"):
        with_user_types(spark.createDataFrame(rows(), ROW), other)


def test_rows_get_the_types_of_all_and_those_without_each_fold(spark: SparkSession) -> None:
    """A user without a history is of each type with its share."""
    first, second = (TYPES.model_copy(update={"shares": shares}) for shares in ([0.2, 0.8], [0.4, 0.6]))
    by_fold = UserTypesByFold(of_all=TYPES, without_fold=[first, second])
    table = spark.createDataFrame(rows(), ROW)
    added = with_types_by_fold(table, by_fold)
    assert added.columns == [*table.columns, WITHOUT_FOLD, *TYPE_FEATURES]

    def of_nobody(rows: DataFrame) -> Row:
        return rows.where("user_id = 'u3'").first()

    assert of_nobody(added).user_type_1 == pytest.approx(0.7)
    for fold, share in enumerate((0.2, 0.4)):
        assert of_nobody(without_fold(added, fold)).user_type_1 == pytest.approx(share)
        expected = with_user_types(table, by_fold.without_fold[fold]).select("user_id", *TYPE_FEATURES)
        found = without_fold(added, fold).select("user_id", *TYPE_FEATURES)
        assert sorted(found.collect()) == sorted(expected.collect())
    # The user without a history is in fold 1.
    assert of_nobody(without_fold(added, F.col("fold"))).user_type_1 == pytest.approx(0.4)
    assert of_nobody(without_fold(added, EVERY_FOLD)).user_type_1 == pytest.approx(0.7)
    assert without_fold(table, 1) is table
    with pytest.raises(ValueError, match="need the column type_features_without_fold"):
        without_fold(added.drop(WITHOUT_FOLD), 1)


def test_the_last_row_of_each_user_is_collected(spark: SparkSession) -> None:
    """The days up to a cancellation count, not those after it; of many users a sample is taken."""
    zeros = [0] * WIDTH
    table = spark.createDataFrame(
        [
            ("a", 10 * DAY, 0, 1, 10.0, "free", 12 * DAY, 1, zeros, 0, zeros),
            ("a", 20 * DAY, 0, 3, 20.0, "paid", 12 * DAY, 2, zeros, 1, zeros),
            ("b", 20 * DAY, 1, 2, 15.0, "free", None, 2, zeros, 0, zeros),
            # A cancellation on the landmark's very millisecond has not happened before it.
            ("c", 20 * DAY, 1, 2, 15.0, "free", 20 * DAY, 2, zeros, 0, zeros),
        ],
        ROW,
    )
    found = collect_histories(table, 100).set_index("user_id")
    assert found["days"].to_dict() == {"a": 12.0, "b": 15.0, "c": 15.0}
    assert found["has_cancelled"].to_dict() == {"a": True, "b": False, "c": False}
    assert found["sessions_in_history"].to_dict() == {"a": 3, "b": 2, "c": 2}
    assert found["level_at_end"]["a"] == "paid"
    assert len(collect_histories(table, 2)) == 2
