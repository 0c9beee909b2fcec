"""From stored scores and a log that goes on to what came of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from pydantic import ValidationError
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.reports import (
    JudgedRun,
    LogSpan,
    MonitoringReport,
    RankingScores,
    WaitingRun,
)
from sparkify_kedro.churn.vocabulary import CANCELLATION, MILLISECONDS_PER_DAY, day_of
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.learning.parameters import Evaluation

from .parameters import Monitoring
from .schemas import judged_scores as judged_scores_schema
from .verdict import judge

logger = logging.getLogger(__name__)

Stored = Mapping[str, Callable[[], Any]]
# "Boston-Cambridge-Newton, MA-NH": the first state; other places are taken as they are written.
_STATE = r", ([A-Z]{2})(-[A-Z]{2})*$"


def judge_scores(
    stored_scores: Stored, stored_rows: Stored, events: DataFrame, log_span: LogSpan, run_so_far: RunSoFar
) -> DataFrame:
    """Put what came beside every stored probability.

    Args:
        stored_scores: a function per earlier run that loads its scores.
        stored_rows: the same of the rows that were scored.
        events: one row per event, of a log that goes on.
        log_span: the log's first and last event.
        run_so_far: this run, whose own scores are left out.

    Returns:
        One row per run and user: the score; ``label``, whether the user has cancelled within the horizon (null where
        the log does not cover it); whether the log knows the user; level, device and gender at the as-of date as far as
        the scored rows are stored, and the region.
    """
    scored = [
        _with_segments(load(), stored_rows.get(run)).withColumn("run", F.lit(run))
        for run, load in stored_scores.items()
        if run != run_so_far.run_id
    ]
    if not scored:
        return events.sparkSession.createDataFrame([], judged_scores_schema.struct)
    users = events.groupBy("user_id").agg(
        F.min(F.when(F.col("page") == CANCELLATION, F.col("ts"))).alias("churned_at"),
        F.max_by("location", "ts").alias("location"),
        F.lit(True).alias("is_in_log"),
    )
    as_of = F.unix_millis("as_of")
    horizon_end = as_of + F.col("horizon_days") * MILLISECONDS_PER_DAY
    first, last = log_span.first_ts or 0, log_span.last_ts or 0
    is_covered = (F.lit(first) <= as_of) & (horizon_end <= F.lit(last + 1))
    happens = F.coalesce(F.col("churned_at").between(as_of, horizon_end - 1), F.lit(False))
    state = F.regexp_extract("location", _STATE, 1)
    judged = reduce(DataFrame.unionByName, scored).join(users, on="user_id", how="left")
    return judged.withColumns(
        {
            "is_known": F.coalesce("is_in_log", F.lit(False)),
            "label": F.when(is_covered, happens.cast("int")),
            "region": F.when(state != "", state).otherwise(F.col("location")),
        }
    ).select(*judged_scores_schema.struct.names)


def _with_segments(scores: DataFrame, load_rows: Callable[[], DataFrame] | None) -> DataFrame:
    """Scores with level, device and gender of the rows that were scored; null where these are not stored."""
    of_row: dict[str, Column] = {
        "level": F.col("level_at_end"),
        "device": F.col("device"),
        "gender": F.when(F.col("is_male") == 1, "male").otherwise("female or unknown"),
    }
    if load_rows is None:
        return scores.withColumns(dict.fromkeys(of_row, F.lit(None).cast("string")))
    rows = load_rows().select("user_id", *(column.alias(name) for name, column in of_row.items()))
    return scores.join(rows, on="user_id", how="left")


def watch_forecasts(
    judged_scores: DataFrame,
    stored_metadata: Stored,
    stored_drift: Stored,
    log_span: LogSpan,
    monitoring: Monitoring,
    evaluation: Evaluation,
) -> MonitoringReport:
    """Say of every scoring run whether its forecasts were right, and of the newest what to do about the champion.

    Args:
        judged_scores: one row per run and user.
        stored_metadata: a function per run that loads the champion's description: what it promised.
        stored_drift: the same of a run's comparison with the training rows, which names the champion.
        log_span: the log's last event.
        monitoring: how many runs to judge, and the limits.
        evaluation: how to evaluate, and how many scores to collect at most.

    Returns:
        The report; the verdict is logged, as a warning where it is not to keep the champion. Collects the scores of at
        most ``monitoring.most_runs`` runs and, of these, up to ``evaluation.max_rows``.
    """
    by_run = judged_scores.groupBy("run").agg(
        # A number: Python would show a timestamp in the time zone of the machine.
        F.first(F.unix_millis("as_of")).alias("as_of"),
        F.first("horizon_days").alias("horizon_days"),
        F.count(F.lit(1)).alias("users"),
        F.avg(F.col("is_known").cast("int")).alias("known"),
        F.count("label").alias("labeled"),
    )
    promised, drift = _promised(stored_metadata), {run: load() for run, load in stored_drift.items()}
    judged: list[JudgedRun] = []
    waiting: list[WaitingRun] = []
    collected = 0
    for run in sorted(by_run.collect(), key=lambda row: (row.as_of, row.run), reverse=True):
        of_drift = drift.get(run.run, {})
        ends = day_of(run.as_of + run.horizon_days * MILLISECONDS_PER_DAY)
        about = {
            "run": run.run,
            "as_of": str(day_of(run.as_of)),
            "horizon_end": str(ends),
            "users": run.users,
            "drift_warnings": of_drift.get("warnings"),
        }
        if reason := _why_not(run, log_span, monitoring):
            waiting.append(WaitingRun(**about, reason=reason))
        elif len(judged) < monitoring.most_runs and collected + run.users <= evaluation.max_rows:
            collected += run.users
            rows = judged_scores.where(F.col("run") == run.run).orderBy("rank").toPandas()
            model = of_drift.get("model")
            judged.append(judge(rows, promised.get(model), {**about, "model": model}, monitoring, evaluation))
    report = MonitoringReport(judged=judged, waiting=waiting)
    if report.newest is not None:
        is_kept = report.newest.verdict == "keep"
        said = f"{report.newest.came}: {report.newest.verdict} the champion"
        logger.log(logging.INFO if is_kept else logging.WARNING, "Monitoring: %s", said)
    return report


def _promised(stored_metadata: Stored) -> dict[str, RankingScores]:
    """The scores out of fold of each champion that is still described, by the model's id.

    A description of an earlier release may lack what this one reads: then the promise is not known.
    """
    promised = {}
    for load in stored_metadata.values():
        described = load()
        with suppress(KeyError, ValidationError):
            promised[described["model"]] = RankingScores.model_validate(described["out_of_fold"])
    return promised


def _why_not(run: Any, log_span: LogSpan, monitoring: Monitoring) -> str | None:
    """Why the outcome of a run is not known; None where it is."""
    if run.known < monitoring.fewest_users_known:
        return f"only {run.known:.0%} of its users are in this log, which seems to be another one"
    if log_span.first_ts is not None and run.as_of < log_span.first_ts:
        return f"this log begins later, on {day_of(log_span.first_ts)}"
    if run.labeled == 0:
        last = "empty" if log_span.last_ts is None else f"to {day_of(log_span.last_ts)}"
        return f"its horizon is not over in this log ({last})"
    return None
