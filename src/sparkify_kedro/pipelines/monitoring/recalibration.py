"""A new calibration for a champion whose users are ranked well, but whose probabilities are too high or too low."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegressionModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.special import expit, logit

from sparkify_kedro.churn.reports import CalibrationCoefficients, ChampionMetadata, ColumnProfile, Recalibration
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY, day_of
from sparkify_kedro.learning.calibration import MARGIN, Calibration, fit_calibration
from sparkify_kedro.learning.evaluation import cheapest_threshold, collect_scored
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.profile import SCORE
from sparkify_kedro.learning.search import probability

from .nodes import Stored
from .parameters import Monitoring


def recalibrate_champion(  # noqa: PLR0913, PLR0917 - a champion, and what came of its scores
    champion_to_recalibrate: PipelineModel,
    metadata_to_recalibrate: ChampionMetadata,
    judged_scores: DataFrame,
    stored_rows: Stored,
    stored_drift: Stored,
    monitoring: Monitoring,
    evaluation: Evaluation,
) -> tuple[PipelineModel, ChampionMetadata]:
    """Fit slope and intercept of the champion's sigmoid again, on the newest scores whose outcome is known.

    Features, classifier and ranking stay as they are.

    Args:
        champion_to_recalibrate: the present champion.
        metadata_to_recalibrate: its description.
        judged_scores: one row per run and user, with what came.
        stored_rows: a function per run that loads the rows that were scored.
        stored_drift: the same of a run's comparison with the training rows, which names the champion.
        monitoring: how many events are enough.
        evaluation: how many scores to collect at most, and what a missed churner costs.

    Returns:
        The new champion, and its description, which says what the calibration was fitted on.

    Raises:
        ValueError: where no outcome is known, too few events came, the scores are another champion's, or they do not
            rank the users at all.
    """
    metadata, label = metadata_to_recalibrate, metadata_to_recalibrate.label
    run = _newest(judged_scores)
    if run.events < monitoring.fewest_positives or run.events == run.users:
        raise ValueError(
            f"{run.events} of {run.users} users scored as of {day_of(run.as_of)} have cancelled: a calibration needs "
            f"{monitoring.fewest_positives} (monitoring.fewest_positives), and as many who stayed; wait for more, or "
            f"train {label} again, with kedro run"
        )
    if run.run not in stored_rows or run.run not in stored_drift:
        raise ValueError(f"the rows that run {run.run} has scored are no longer stored: score again, and wait")
    model = stored_drift[run.run]()["model"]
    if model != metadata.model:
        raise ValueError(
            f"the newest scores with a known outcome (run {run.run}, as of {day_of(run.as_of)}) are of the champion "
            f"{model}, and the present one is {metadata.model}: wait until the horizon of its own scores is over"
        )
    known = judged_scores.where((F.col("run") == run.run) & F.col("label").isNotNull())
    rows = stored_rows[run.run]().join(known.select("user_id", "label"), on="user_id", how="inner")
    *others, last = champion_to_recalibrate.stages
    margins = PipelineModel(others).transform(rows).select(*KEYS, MARGIN, F.col("label").cast("double").alias("label"))
    before, calibration = Calibration(cast(LogisticRegressionModel, last)), fit_calibration(margins)
    if calibration.slope == 0 or before.slope == 0:
        raise ValueError(f"the scores of {label} no longer rank the users: train it again, with kedro run")
    champion = PipelineModel([*others, calibration.model])
    scores = calibration.model.transform(margins).select(
        *KEYS, F.col("label").cast("int"), probability().alias("score")
    )
    return champion, metadata.model_copy(
        update={
            "model": champion.uid,
            "threshold": cheapest_threshold(collect_scored(scores, evaluation), metadata.cost_ratio),
            "profile": {**metadata.profile, SCORE: _moved(metadata.profile[SCORE], before, calibration)},
            "recalibration": Recalibration(
                run=run.run,
                as_of=str(day_of(run.as_of)),
                horizon_end=str(day_of(run.as_of + run.horizon_days * MILLISECONDS_PER_DAY)),
                users=run.users,
                events=run.events,
                expected=run.expected,
                from_model=metadata.model,
                before=CalibrationCoefficients(slope=before.slope, intercept=before.intercept),
                after=CalibrationCoefficients(slope=calibration.slope, intercept=calibration.intercept),
            ),
        }
    )


def _newest(judged_scores: DataFrame) -> Any:
    """The run whose scores are the newest with a known outcome, with its counts.

    Raises:
        ValueError: where there is none.
    """
    newest = (
        judged_scores.where(F.col("label").isNotNull())
        .groupBy("run", F.unix_millis("as_of").alias("as_of"), "horizon_days")
        .agg(F.count("label").alias("users"), F.sum("label").alias("events"), F.sum("probability").alias("expected"))
        .orderBy(F.desc("as_of"), F.desc("run"))
        .first()
    )
    if newest is None:
        raise ValueError(
            "no stored scores have a known outcome in this log: wait for one that goes on to the end of their horizon, "
            "and run kedro run --pipelines=ingestion,monitoring on it"
        )
    return newest


def _moved(profile: ColumnProfile, before: Calibration, after: Calibration) -> ColumnProfile:
    """The profile of the scores after recalibration: the sigmoids rise, so each interval keeps its rows."""

    def moved(score: float) -> float:
        margin = (logit(np.clip(score, 1e-12, 1 - 1e-12)) - before.intercept) / before.slope
        return float(expit(after.slope * margin + after.intercept))

    return profile.model_copy(
        update={
            "edges": [moved(edge) for edge in profile.edges],
            "min": None if profile.min is None else moved(profile.min),
            "max": None if profile.max is None else moved(profile.max),
            "mean": None,
        }
    )
