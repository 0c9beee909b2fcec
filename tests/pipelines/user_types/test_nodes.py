"""User types are fitted on users who are not held out alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.churn.hash_sampling import fold_of, is_held_out
from sparkify_kedro.churn.parameters import FeatureEngineering, Split
from sparkify_kedro.churn.vocabulary import TYPED_PAGES
from sparkify_kedro.learning.parameters import UserTypeSearch
from sparkify_kedro.pipelines.user_types.nodes import add_user_types, fit_user_types
from sparkify_kedro.pipelines.user_types.schemas import typed_user_time_bins

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
ENGINEERING = FeatureEngineering.model_validate(PARAMETERS["feature_engineering"])
SPLIT = Split.model_validate(PARAMETERS["sampling"]["split"] | {"folds": {"number": 2, "unit": "user"}})
SEARCH = UserTypeSearch.model_validate(PARAMETERS["user_types"])
COLUMNS = """
    user_id string, bin_end bigint, sessions_in_history bigint, observed_days_in_history double, level_at_end string,
    churned_at bigint, sessions_at_free_in_history bigint, pages_at_free_in_history array<bigint>,
    sessions_at_paid_in_history bigint, pages_at_paid_in_history array<bigint>
"""


def table(spark: SparkSession) -> DataFrame:
    random, rows = np.random.default_rng(1), []
    for user in range(60):
        many_adverts = np.where(np.arange(len(TYPED_PAGES)) == TYPED_PAGES.index("Roll Advert"), 20, 1 + user % 2)
        pages = random.poisson(many_adverts).tolist()
        gone = 90 if user % 4 == 0 else None
        row: list[Any] = [f"u{user}", 100, 3, 14.0, "free", gone, 3, pages, 0, [0] * len(TYPED_PAGES)]
        rows.append(tuple(row))
    return spark.createDataFrame(rows, COLUMNS).cache()


def fit(rows: DataFrame) -> Any:
    return fit_user_types(rows, SPLIT, ENGINEERING, SEARCH)


def test_held_out_users_and_those_of_a_fold_do_not_matter_to_their_types(spark: SparkSession) -> None:
    """Whatever they have done: a future that is planted into their history changes nothing."""
    rows = table(spark)
    ours = fit(rows)
    assert ours.of_all.users == rows.where(~is_held_out(SPLIT)).count() < 60

    def planted(where: Any) -> DataFrame:
        planted = F.array(*(F.lit(99).cast("bigint") for _ in TYPED_PAGES))
        return rows.withColumns(
            {
                "pages_at_free_in_history": F.when(where, planted).otherwise(F.col("pages_at_free_in_history")),
                "churned_at": F.when(where, F.lit(95)).otherwise(F.col("churned_at")),
            }
        )

    assert fit(planted(is_held_out(SPLIT))) == ours
    other = fit(planted(fold_of(SPLIT) == 1))
    assert other.without_fold[1] == ours.without_fold[1]
    assert other.without_fold[0] != ours.without_fold[0]
    assert other.of_all != ours.of_all


def test_partitions_and_the_order_of_rows_do_not_matter(spark: SparkSession) -> None:
    rows = table(spark)
    assert fit(rows.orderBy(F.desc("user_id")).repartition(3)) == fit(rows)


def test_every_row_gets_its_types(spark: SparkSession) -> None:
    rows = table(spark)
    added = typed_user_time_bins.validate(add_user_types(rows, fit(rows)))
    assert added.count() == rows.count()
    assert {len(row[0]) for row in added.select("type_features_without_fold").collect()} == {2}


def test_a_table_without_users_is_possible(spark: SparkSession) -> None:
    nobody = table(spark).limit(0)
    types = fit(nobody)
    assert types.of_all.shares == [1.0]
    assert add_user_types(nobody, types).count() == 0
