"""The forecast at several horizons, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession

from partial_reports import report
from sparkify_kedro.churn.reports import ChampionMetadata, HorizonReport
from sparkify_kedro.pipelines.survival.horizons import draw_curves, join_horizons
from sparkify_kedro.pipelines.survival.parameters import Survival
from sparkify_kedro.pipelines.survival.schemas import forecast_curves as schema

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
SURVIVAL = Survival.model_validate(PARAMETERS["survival"] | {"curves_shown": 2})
DAYS = {"month": 28, "week": 7, "forecast": 14}


def scores(spark: SparkSession, of_users: dict[str, float], day: int = 15) -> DataFrame:
    rows = [(user, datetime(2018, 11, day, tzinfo=UTC), value) for user, value in of_users.items()]
    return spark.createDataFrame(rows, "user_id string, as_of timestamp, probability double")


def metadata(label: str) -> ChampionMetadata:
    labels = {label: {"event": "cancellation", "horizon_days": DAYS[label]}}
    given = {"feature_engineering": {"labels": labels}, "label": label, "out_of_fold": {"auc_roc": DAYS[label] / 100}}
    return report(ChampionMetadata, given)


def joined(spark: SparkSession, **days: int) -> tuple[DataFrame, HorizonReport]:
    values = {
        "week": {"a": 0.1, "b": 0.3, "c": 0.2, "unseen": 0.9},
        "forecast": {"a": 0.2, "b": 0.25, "c": 0.1},
        "month": {"a": 0.4, "b": 0.5, "c": 0.15},
    }
    given: dict[str, Any] = {f"{name}_scores": scores(spark, each, days.get(name, 15)) for name, each in values.items()}
    given |= {f"{name}_metadata": metadata(name) for name in values}
    return join_horizons(list(DAYS), **given)


def test_a_longer_horizon_has_no_lower_probability(spark: SparkSession) -> None:
    table, _ = joined(spark)
    schema.validate(table)
    found = {(row.user_id, row.horizon_days): (row.probability, row.is_raised) for row in table.collect()}
    assert found == {
        ("a", 7): (0.1, False), ("a", 14): (0.2, False), ("a", 28): (0.4, False),
        ("b", 7): (0.3, False), ("b", 14): (0.3, True), ("b", 28): (0.5, False),
        ("c", 7): (0.2, False), ("c", 14): (0.2, True), ("c", 28): (0.2, True),
    }  # fmt: skip


def test_the_report_has_every_horizon_in_order(spark: SparkSession) -> None:
    _, found = joined(spark)
    assert found.as_of == "2018-11-15"
    assert [(each.label, each.horizon_days, each.users, each.raised) for each in found.horizons] == [
        ("week", 7, 3, 0), ("forecast", 14, 3, 2), ("month", 28, 3, 1)
    ]  # fmt: skip
    assert [each.expected for each in found.horizons] == pytest.approx([0.6, 0.7, 1.1])
    assert [each.promised.auc_roc for each in found.horizons] == [0.07, 0.14, 0.28]


def test_scores_of_different_days_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match=r"week as of 2018-11-14, forecast as of 2018-11-15"):
        joined(spark, week=14)


def test_the_figure_shows_the_users_with_the_highest_probability(spark: SparkSession) -> None:
    table, found = joined(spark)
    figure = draw_curves(table, found, SURVIVAL)
    assert [list(trace.y) for trace in figure.data[:2]] == [[0, 0.1, 0.2, 0.4], [0, 0.3, 0.3, 0.5]]
    assert list(figure.data[2].x) == [0, 7, 14, 28]
    assert list(figure.data[2].y) == pytest.approx([0, 0.2, 0.7 / 3, 1.1 / 3])
