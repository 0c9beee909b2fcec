"""Survival curves of known lifetimes: by hand, and exponential ones of users whom the log finds already registered."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.churn.reports import LogSpan, SurvivalCurve, SurvivalReport
from sparkify_kedro.pipelines.survival.figure import draw_survival
from sparkify_kedro.pipelines.survival.nodes import EVERYONE, estimate_survival, observe_lifetimes
from sparkify_kedro.pipelines.survival.parameters import Survival
from sparkify_kedro.pipelines.survival.schemas import lifetimes as schema

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
SURVIVAL = Survival.model_validate(PARAMETERS["survival"])
MAC, IPHONE = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4)", "Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2)"
CANCEL = "Cancellation Confirmation"


def ms(month: int, day: int, hour: int = 0) -> int:
    return int(datetime(2018, month, day, hour, tzinfo=UTC).timestamp() * 1_000)


SPAN = LogSpan(first_ts=ms(10, 1), last_ts=ms(11, 30) - 1)


def test_users_are_under_observation_from_the_log_on(spark: SparkSession) -> None:
    """One registered 10 days before the log and cancels, one within it and stays, one cancels at registration."""
    rows = [
        ("old", ms(10, 5), ms(9, 21), "Home", "free", MAC),
        ("old", ms(10, 11, 12), ms(9, 21), CANCEL, "paid", IPHONE),
        ("new", ms(10, 21), ms(10, 20), "Home", "paid", IPHONE),
        ("new", ms(10, 25), ms(10, 20), "Home", "free", MAC),
        ("never", ms(10, 3), ms(10, 3), CANCEL, "free", MAC),
    ]
    columns = "user_id string, ts bigint, registration bigint, page string, level string, user_agent string"
    table = observe_lifetimes(spark.createDataFrame(rows, columns), SPAN)
    schema.validate(table)
    found = {row.user_id: tuple(row)[1:] for row in table.collect()}
    assert found == {
        "old": (10.0, 20.5, 1, "2018-09", "free", "mac"),
        "new": (0.0, 41.0, 0, "2018-10", "paid", "iphone"),
    }


def observed(spark: SparkSession, table: pd.DataFrame) -> DataFrame:
    whole = table.assign(user_id=[str(number) for number in range(len(table))])
    for name, value in (("cohort", "2018-09"), ("level", "free"), ("device", "mac")):
        whole[name] = table.get(name, value)
    return spark.createDataFrame(whole[schema.struct.names], schema.struct)


def estimated(spark: SparkSession, table: pd.DataFrame, **changes: int) -> SurvivalReport:
    return estimate_survival(observed(spark, table), SURVIVAL.model_copy(update=changes))


def by_hand(table: pd.DataFrame, start: int, day: int) -> float:
    """The product of Kaplan and Meier, day by day, over users who were under observation before it."""
    share = 1.0
    for each in range(start + 1, day + 1):
        under = (np.floor(table["entry_days"]) < each) & (np.floor(table["exit_days"]) + 1 >= each)
        gone = under & (np.floor(table["exit_days"]) + 1 == each) & (table["cancelled"] == 1)
        share *= 1 - gone.sum() / under.sum()
    return share


def exponential(seed: int, users: int = 1_500, mean: float = 60.0) -> pd.DataFrame:
    """Exponential lifetimes; each user registered at any time before a log of 40 days, which saw those still there."""
    draw = np.random.default_rng(seed)
    age, life = draw.uniform(0, 50, users), draw.exponential(mean, users)
    table = pd.DataFrame({"entry_days": age, "exit_days": np.minimum(life, age + 40.0)})
    return table.assign(cancelled=(life < age + 40).astype(int))[life > age].reset_index(drop=True)


def everyone(report: SurvivalReport) -> SurvivalCurve:
    return report.curves[EVERYONE][EVERYONE]


def test_curves_are_the_product_by_hand(spark: SparkSession) -> None:
    table = exponential(1, users=200)
    curve = everyone(estimated(spark, table))
    start = curve.points[0].day
    assert curve.points[0].share == 1.0
    for point in curve.points[1:]:
        assert point.share == pytest.approx(by_hand(table, start, point.day))
        under = (np.floor(table["entry_days"]) < point.day) & (np.floor(table["exit_days"]) + 1 >= point.day)
        assert point.at_risk == under.sum() >= SURVIVAL.fewest_at_risk
        low, high = point.interval
        assert 0 <= low <= point.share <= high <= 1


def test_the_truth_of_exponential_lifetimes_is_inside_the_band(spark: SparkSession) -> None:
    """Whoever took the users for new would see far too many stay: half of them had survived the first weeks already."""
    inside, naive = [], []
    for seed in range(5):
        table = exponential(seed)
        curve = everyone(estimated(spark, table))
        start = curve.points[0].day
        for point in curve.points[5::10]:
            truth = math.exp(-(point.day - start) / 60.0)
            inside.append(point.interval[0] <= truth <= point.interval[1])
        if seed > 1:
            continue
        shifted = table.assign(entry_days=0.0)
        naive.append(everyone(estimated(spark, shifted)).points[40].share)
    assert np.mean(inside) > 0.85
    assert np.mean(naive) > math.exp(-40 / 60.0) + 0.1


def test_the_restricted_mean_is_that_of_exponential_lifetimes(spark: SparkSession) -> None:
    held, errors = [], []
    for seed in range(5):
        mean = everyone(estimated(spark, exponential(seed))).restricted_mean
        length = mean.to_day - mean.from_day
        # A day counts whole for who leaves in it: half a day more than the integral.
        truth = 60.0 * (1 - math.exp(-length / 60.0)) + (1 - math.exp(-length / 60.0)) / 2
        held.append(mean.interval[0] <= truth <= mean.interval[1])
        errors.append(mean.days - truth)
    assert sum(held) >= 4
    assert np.mean(errors) == pytest.approx(0, abs=2.0)


def test_a_curve_goes_only_where_enough_users_are_observed(spark: SparkSession) -> None:
    """Five users at an age of 0 to 5 days, thirty from 20 to 60 of whom ten cancel on day 30, and a gap between."""
    early = pd.DataFrame({"entry_days": [0.0] * 5, "exit_days": [5.5] * 5, "cancelled": 1})
    late = pd.DataFrame(
        {"entry_days": [20.0] * 30, "exit_days": [29.5] * 10 + [60.2] * 20, "cancelled": [1] * 10 + [0] * 20}
    )
    curve = everyone(estimated(spark, pd.concat([early, late]), fewest_at_risk=20))
    assert (curve.points[0].day, curve.points[-1].day) == (20, 61)
    assert (curve.users, curve.cancellations) == (30, 10)
    shares = {point.day: point.share for point in curve.points}
    assert shares[29] == 1.0
    assert shares[30] == shares[61] == pytest.approx(2 / 3)
    # Whole until day 30, then two thirds.
    assert curve.restricted_mean.days == pytest.approx(10 + 31 * 2 / 3)
    # Greenwood: the area from day 30 on, times the square root of 10 / (30 * 20).
    spread = 1.96 * 31 * 2 / 3 * math.sqrt(10 / (30 * 20))
    assert curve.restricted_mean.interval[0] == pytest.approx(curve.restricted_mean.days - spread)


def test_all_may_cancel_on_the_last_day(spark: SparkSession) -> None:
    table = pd.DataFrame({"entry_days": [0.0] * 30, "exit_days": [9.5] * 30, "cancelled": 1})
    curve = everyone(estimated(spark, table))
    assert curve.points[-1].share == 0.0
    assert curve.restricted_mean.days == 10


def test_few_users_have_no_curve(spark: SparkSession) -> None:
    found = estimated(spark, exponential(1, users=10))
    assert found.curves == {EVERYONE: {}, "cohort": {}, "level": {}, "device": {}}
    assert found.users > 0
    nothing = estimated(spark, exponential(1, users=10).head(0).assign(cohort="", level="", device=""))
    assert (nothing.users, nothing.cancellations) == (0, 0)
    assert set(draw_survival(nothing)) == {EVERYONE, "cohort", "level", "device"}


def test_groups_that_differ_are_told_apart(spark: SparkSession) -> None:
    same = exponential(1, users=800)
    even = estimated(spark, same.assign(level=np.where(np.arange(len(same)) % 2, "paid", "free")))
    level = even.differences["level"]
    assert level.p_value is not None
    assert level.p_value > 0.01
    assert level.groups == ["free", "paid"]
    two = pd.concat(
        [exponential(1, users=400).assign(level="free"), exponential(2, users=400, mean=25).assign(level="paid")]
    )
    differ = estimated(spark, two).differences["level"]
    assert differ.p_value is not None
    assert differ.p_value < 1e-6
    assert set(even.curves["level"]) == {"free", "paid"}


def test_only_the_newest_cohorts_stand_alone(spark: SparkSession) -> None:
    table = exponential(1, users=900)
    months = [f"2018-{month:02}" for month in range(4, 10)]
    report = estimated(spark, table.assign(cohort=[months[place % 6] for place in range(len(table))]), cohorts=2)
    assert set(report.curves["cohort"]) == {"earlier", "2018-08", "2018-09"}
    assert sum(curve.users for curve in report.curves["cohort"].values()) <= len(table)
    earlier, newest = report.curves["cohort"]["earlier"].users, report.curves["cohort"]["2018-09"].users
    assert 3 * newest < earlier < 5 * newest


def test_what_is_not_compared_has_a_reason(spark: SparkSession) -> None:
    found = estimated(spark, exponential(1, users=200)).differences
    assert "seen at different ages" in str(found["cohort"].reason)
    assert "fewer than two groups have 5 cancellations" in str(found["device"].reason)
    assert found["device"].p_value is None


def test_figures_have_the_users_at_risk_beneath(spark: SparkSession) -> None:
    table = exponential(1, users=300)
    report = estimated(spark, table.assign(device=np.where(np.arange(len(table)) % 2, "mac", "<b>")))
    figures = draw_survival(report)
    lines = [trace for trace in figures["device"].data if trace.mode == "lines" and trace.name]
    assert {trace.name for trace in lines if not trace.fill} == {"mac", "&lt;b&gt;"}
    beneath = [trace for trace in figures["everyone"].data if trace.mode == "text"]
    points = {point.day: point.at_risk for point in everyone(report).points}
    assert [text for text in beneath[0].text if text] == [f"{points[day]:,}" for day in beneath[0].x if day in points]
