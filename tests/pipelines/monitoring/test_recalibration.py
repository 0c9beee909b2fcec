"""A champion gets a new calibration: on scores whose truth is known, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from scipy.special import expit

from partial_reports import report
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.learning.calibration import Calibration, expose_margin, fit_calibration
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.profile import SCORE
from sparkify_kedro.learning.search import probability
from sparkify_kedro.pipelines.monitoring.parameters import Monitoring
from sparkify_kedro.pipelines.monitoring.recalibration import recalibrate_champion
from sparkify_kedro.pipelines.monitoring.schemas import judged_scores as schema

PARAMETERS = OmegaConfigLoader("conf", base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20})
MONITORING = Monitoring.model_validate(PARAMETERS["monitoring"])
LABEL, RUN, AS_OF = "will_churn_in_next_bin", "the run", datetime(2018, 11, 15, tzinfo=UTC)


def drawn(seed: int, factor: float, number: int = 3_000) -> pd.DataFrame:
    """Users whose odds rise with a feature, times a factor."""
    draw = np.random.default_rng(seed)
    feature = draw.normal(size=number)
    label = draw.random(number) < expit(feature - 2.5 + np.log(factor))
    ids = [f"user {each:05}" for each in range(number)]
    return pd.DataFrame({"user_id": ids, "bin_end": 1, "feature": feature, "label": label.astype(float)})


@pytest.fixture(scope="module")
def champion(spark: SparkSession) -> PipelineModel:
    rows = spark.createDataFrame(drawn(1, factor=1.0))
    assembler = VectorAssembler(inputCols=["feature"], outputCol="features")
    classifier = LogisticRegression().fit(assembler.transform(rows))
    stages = [assembler, *expose_margin(classifier)]
    margins = PipelineModel(stages).transform(rows).select("margin", "label")
    return PipelineModel([*stages, fit_calibration(margins).model])


@pytest.fixture(scope="module")
def metadata(champion: PipelineModel) -> ChampionMetadata:
    profile = {"edges": [0.05, 0.1], "counts": [1, 1, 1], "min": 0.01, "max": 0.5, "mean": 0.1}
    engineering = {"labels": {LABEL: {"event": "cancellation", "horizon_days": 14}}, "time_bin_days": 14}
    return report(
        ChampionMetadata,
        {
            "label": LABEL, "model": champion.uid, "cost_ratio": 5.0, "threshold": 0.2,
            "profile": {SCORE: profile, "feature": profile}, "feature_engineering": engineering,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(spark: SparkSession, champion: PipelineModel) -> tuple[DataFrame, DataFrame]:
    """Rows of which three times as many (in odds) cancel as the champion expects; and an older run's scores."""
    table = drawn(2, factor=3.0)
    rows = spark.createDataFrame(table.drop(columns="label")).cache()
    scored = champion.transform(rows).select("user_id", probability().alias("probability")).toPandas()
    new = judged(table.merge(scored, on="user_id"), RUN, AS_OF)
    old = judged(table.assign(probability=0.5).head(50), "an older run", datetime(2018, 11, 1, tzinfo=UTC))
    waiting = judged(
        table.assign(probability=0.5, label=None).head(50), "a newer run", datetime(2018, 12, 1, tzinfo=UTC)
    )
    table = pd.concat([new, old, waiting])
    both = [tuple(row[name] for name in schema.struct.names) for row in table.astype(object).to_dict("records")]
    return rows, spark.createDataFrame(both, schema.struct).cache()


def judged(table: pd.DataFrame, run: str, as_of: datetime) -> pd.DataFrame:
    label = [None if pd.isna(value) else int(value) for value in table["label"]]
    moment = pd.Series([as_of] * len(table), index=table.index, dtype=object)
    known = {"run": run, "as_of": moment, "horizon_days": 14, "rank": 1, "decile": 1, "is_known": True}
    named = table[["user_id", "probability"]].assign(**known, level="paid", device="mac", gender="male", region="CA")
    return named.assign(label=pd.Series(label, index=table.index, dtype=object))


def recalibrated(
    champion: PipelineModel,
    metadata: ChampionMetadata,
    outcomes: tuple[DataFrame, DataFrame],
    model: str | None = None,
    **changes: Any,
) -> tuple[PipelineModel, ChampionMetadata]:
    rows, scores = outcomes
    drift = {run: lambda: {"model": model or champion.uid} for run in (RUN, "an older run")}
    monitoring = MONITORING.model_copy(update=changes)
    return recalibrate_champion(champion, metadata, scores, {RUN: lambda: rows}, drift, monitoring, EVALUATION)


def test_a_new_calibration_finds_the_truth_and_keeps_the_ranking(
    spark: SparkSession, champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    model, described = recalibrated(champion, metadata, outcomes)
    others = spark.createDataFrame(drawn(3, factor=3.0))
    before, after = (
        each.transform(others).select("label", "feature", probability().alias("p")).toPandas()
        for each in (champion, model)
    )
    came = before["label"].sum()
    assert before["p"].sum() < 0.6 * came
    assert after["p"].sum() == pytest.approx(came, rel=0.1)
    truth = expit(after["feature"] - 2.5 + np.log(3))
    assert np.abs(after["p"] - truth).max() < 0.06
    assert (before["p"].rank() == after["p"].rank()).all()
    assert model.stages[:-1] == champion.stages[:-1]

    note = described.recalibration
    assert note is not None
    assert (note.run, note.as_of, note.horizon_end, note.users) == (RUN, "2018-11-15", "2018-11-29", 3_000)
    assert note.from_model == champion.uid != described.model == model.uid
    assert note.events == drawn(2, factor=3.0)["label"].sum()
    assert note.expected == pytest.approx(before["p"].sum(), rel=0.15)
    new = Calibration(model.stages[-1])
    assert (note.after.slope, note.after.intercept) == (new.slope, new.intercept)
    old = Calibration(champion.stages[-1])
    assert (note.before.slope, note.before.intercept) == (old.slope, old.intercept)
    # The log-odds rise by about the logarithm of 3.
    assert note.after.intercept - note.before.intercept == pytest.approx(np.log(3), abs=0.3)


def test_the_profile_of_the_scores_moves_along(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    """The users who had a probability below an edge are still those below it."""
    model, described = recalibrated(champion, metadata, outcomes)
    rows, _ = outcomes
    shares = {}
    for each, profile in ((champion, metadata.profile[SCORE]), (model, described.profile[SCORE])):
        scores = each.transform(rows).select(probability().alias("p")).toPandas()["p"]
        shares[each.uid] = [(scores <= edge).mean() for edge in [*profile.edges, profile.min, profile.max]]
    assert shares[champion.uid] == pytest.approx(shares[model.uid])
    assert described.profile["feature"] == metadata.profile["feature"]
    # Five needless contacts cost as much as a missed churner: contacting from 1/6 on is cheapest.
    assert described.threshold == pytest.approx(1 / 6, abs=0.06)


def test_another_champion_is_not_recalibrated(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    with pytest.raises(ValueError, match=r"are of the champion an earlier one, and the present one is"):
        recalibrated(champion, metadata, outcomes, model="an earlier one")


def test_few_cancellations_are_not_enough(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    with pytest.raises(ValueError, match=r"a calibration needs 5000 \(monitoring\.fewest_positives\)"):
        recalibrated(champion, metadata, outcomes, fewest_positives=5_000)


def test_without_a_known_outcome_there_is_nothing_to_fit(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    rows, scores = outcomes
    with pytest.raises(ValueError, match=r"^no stored scores have a known outcome in this log"):
        recalibrated(champion, metadata, (rows, scores.where("label IS NULL")))


def test_rows_that_are_gone_are_named(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    rows, scores = outcomes
    with pytest.raises(ValueError, match=r"run an older run has scored are no longer stored"):
        recalibrated(champion, metadata, (rows, scores.where("run = 'an older run'")), fewest_positives=2)


def test_scores_that_rank_nobody_are_refused(
    champion: PipelineModel, metadata: ChampionMetadata, outcomes: tuple[DataFrame, DataFrame]
) -> None:
    """Those who cancel have the lowest probabilities."""
    rows, scores = outcomes
    upside_down = scores.selectExpr(
        *(name for name in schema.struct.names if name != "label"),
        "CASE WHEN label IS NOT NULL THEN int(probability < 0.05) END AS label",
    )
    with pytest.raises(ValueError, match=r"no longer rank the users: train it again"):
        recalibrated(champion, metadata, (rows, upside_down))
