"""The true survival of simulated users lies inside the band of the curve that their log gives."""

from __future__ import annotations

import numpy as np
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.churn.reports import LogSpan
from sparkify_kedro.churn.vocabulary import midnight
from sparkify_kedro.pipelines.simulation.hazard import Hazard
from sparkify_kedro.pipelines.simulation.nodes import simulate_events, simulate_users
from sparkify_kedro.pipelines.simulation.parameters import Simulation
from sparkify_kedro.pipelines.survival.nodes import EVERYONE, estimate_survival, observe_lifetimes
from sparkify_kedro.pipelines.survival.parameters import Survival

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
AGE, DAYS = 30, (7, 14, 21, 28, 35, 42, 49, 56)

pytestmark = pytest.mark.faults


def test_the_truth_of_simulated_users_is_inside_the_band(spark: SparkSession) -> None:
    """All registered 30 days before the log, so that days since registration are days of the log, 30 later."""
    inside = []
    for seed in range(3):
        everybody_then = {"account_age_days": {"mean": 1e9, "max": AGE}, "registered_inside_log": 0.0}
        given = PARAMETERS["simulation"] | everybody_then | {"users": 500, "seed": seed}
        settings = Simulation.model_validate(given)
        users = simulate_users(settings).toPandas()
        raw = simulate_events(spark.createDataFrame(users), settings).where(F.col("userId") != "")
        events = raw.select(
            F.col("userId").alias("user_id"),
            "ts",
            "registration",
            "page",
            "level",
            F.col("userAgent").alias("user_agent"),
        )
        span = LogSpan(first_ts=midnight(settings.start), last_ts=midnight(settings.end) - 1)
        survival = Survival.model_validate(PARAMETERS["survival"])
        curve = estimate_survival(observe_lifetimes(events, span), survival).curves[EVERYONE][EVERYONE]
        points = {point.day - AGE: point for point in curve.points}
        hazards = {name: Hazard.of(settings, name) for name in settings.populations}
        for days in DAYS:
            cancelled = [
                hazards[user.population].probability(
                    user.level, user.auth, user.event_gap_seconds, user.session_gap_seconds, days
                )
                for user in users.itertuples()
            ]
            low, high = points[days].interval
            inside.append(low <= 1 - np.mean(cancelled) <= high)
    assert np.mean(inside) >= 0.85
