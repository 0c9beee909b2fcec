"""From a log and the champions to scores, a list of users at risk, and a drift report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import (
    ChampionMetadata,
    ColumnStability,
    DriftReport,
    HistoryShares,
    LogSpan,
    ScoredUsers,
)
from sparkify_kedro.churn.vocabulary import KEYS, MILLISECONDS_PER_DAY
from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.learning.profile import (
    SCORE,
    Profile,
    count_in_intervals,
    expected_index,
    population_stability_index,
    without_history,
)
from sparkify_kedro.learning.scoring_snapshot import scoring_snapshot
from sparkify_kedro.learning.search import probability

from .champions import champion_of, champions_of, check_match
from .parameters import Scoring
from .reasons import strongest_reasons
from .schemas import probability_of

logger = logging.getLogger(__name__)

# Shifted features that a warning lists; the report has all of them.
_LISTED = 5


def cut_at_as_of(events: DataFrame, log_span: LogSpan, scoring: Scoring) -> tuple[DataFrame, LogSpan]:
    """Drop everything from the as-of date on.

    Args:
        events: one row per event.
        log_span: the log's first and last event.
        scoring: the as-of date.

    Returns:
        The events before the date, and the time that they cover: from ``first_ts`` up to but excluding ``last_ts`` (ms
        since the epoch), so that a user who cancels with the last event of the log counts as gone.

    Raises:
        ValueError: where the date does not lie inside the log.
    """
    first, last, as_of = log_span.first_ts, log_span.last_ts, scoring.as_of_ts
    if first is None or last is None:
        raise InputDataError("the log to score has no valid event: see scoring.ingestion_report")
    if as_of is None:
        return events, LogSpan(first_ts=first, last_ts=last + 1)
    # The midnight at the end of the log's last day is allowed, too.
    if not first < as_of <= last + MILLISECONDS_PER_DAY:
        raise ValueError(
            f"scoring.as_of is {scoring.as_of}, and the log covers {_time(first)} to {_time(last)}: choose a day "
            "inside it"
        )
    # The table is partitioned by day, so later days are not read.
    known = (F.col("event_date") < F.lit(scoring.as_of)) & (F.col("ts") < as_of)
    return events.where(known), LogSpan(first_ts=first, last_ts=as_of)


def select_current_bins(
    user_time_bins: DataFrame, known_span: LogSpan, feature_engineering: FeatureEngineering
) -> DataFrame:
    """The rows to score: each user's last completed bin, without users who have cancelled.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        known_span: the time that the events cover.
        feature_engineering: the length of a bin.

    Returns:
        At most one row per user.
    """
    return scoring_snapshot(user_time_bins, known_span.last_ts or 0, feature_engineering.time_bin_days)


def score_users(
    current_bins: DataFrame,
    scoring: Scoring,
    feature_engineering: FeatureEngineering,
    labels: Sequence[str],
    **champions: PipelineModel | ChampionMetadata,
) -> DataFrame:
    """The calibrated probability of every label, and the rank of each user by one of them.

    Args:
        current_bins: one row per user.
        scoring: the label to rank by.
        feature_engineering: the parameters that the rows were made with.
        labels: the labels.
        champions: ``{label}_champion`` and ``{label}_champion_metadata`` of every label.

    Returns:
        One row per user: ``time_bin``, ``probability_<label>`` per label, ``rank`` (1 is the highest risk; users of
        equal probability by id) and ``decile`` (1 to 10).

    Raises:
        ValueError: where a champion was trained with other features or parameters.
    """
    by_label = champions_of(labels, champions)
    leading = champion_of(scoring.users_at_risk.rank_by, by_label)
    scored = current_bins
    for label, champion in by_label.items():
        check_match(champion, current_bins.columns, feature_engineering.model_dump(mode="json"))
        scored = champion.model.transform(scored).select(*scored.columns, probability().alias(probability_of(label)))
    by_risk = Window.orderBy(F.desc(probability_of(leading.metadata.label)), "user_id")
    rank, users = F.row_number().over(by_risk), F.count(F.lit(1)).over(Window.partitionBy())
    return scored.select(
        *KEYS,
        *(probability_of(label) for label in by_label),
        rank.alias("rank"),
        (F.floor((rank - 1) * 10 / users) + 1).cast("int").alias("decile"),
    )


def list_users_at_risk(
    churn_scores: DataFrame,
    current_bins: DataFrame,
    feature_registry: FeatureRegistry,
    scoring: Scoring,
    labels: Sequence[str],
    **champions: PipelineModel | ChampionMetadata,
) -> pd.DataFrame:
    """The users at highest risk, with reasons.

    Args:
        churn_scores: one row per user.
        current_bins: the rows that were scored.
        feature_registry: the definitions of the features.
        scoring: which users to list, and the number of reasons.
        labels: the labels.
        champions: ``{label}_champion`` and ``{label}_champion_metadata`` of every label.

    Returns:
        One row per listed user by rank: the scores and the strongest reasons in words. Collects
        ``scoring.users_at_risk.most`` rows at most.
    """
    rule = scoring.users_at_risk
    champion = champion_of(rule.rank_by, champions_of(labels, champions))
    score = F.col(probability_of(rule.rank_by))
    listed = F.col("rank") <= rule.top if rule.top is not None else score >= F.lit(rule.probability)
    chosen = churn_scores.where(listed & (F.col("rank") <= rule.most))
    rows = chosen.join(current_bins.drop("time_bin"), on="user_id", how="inner").orderBy("rank").toPandas()
    reasons = strongest_reasons(rows, champion, feature_registry, rule.reasons)
    first = ["rank", "user_id"]
    return rows[[*first, *(name for name in churn_scores.columns if name not in first)]].join(reasons)


def report_drift(
    churn_scores: DataFrame,
    current_bins: DataFrame,
    user_time_bins: DataFrame,
    feature_registry: FeatureRegistry,
    scoring: Scoring,
    *,
    labels: Sequence[str],
    **champions: PipelineModel | ChampionMetadata,
) -> DriftReport:
    """Compare the scored rows with the rows that the leading champion was trained on.

    Args:
        churn_scores: one row per user.
        current_bins: the rows that were scored.
        user_time_bins: all rows, to account for the users who were not scored.
        feature_registry: in which features drift raises no warning.
        scoring: the label that ranks, and the limit for warnings.
        labels: the labels.
        champions: ``{label}_champion`` and ``{label}_champion_metadata`` of every label.

    Returns:
        The report; warnings are logged, too: on the score, on categories, and on features whose distribution does not
        shift as a log grows. Collects a dozen numbers per feature.
    """
    metadata = champion_of(scoring.users_at_risk.rank_by, champions_of(labels, champions)).metadata
    rank_by = F.col(probability_of(metadata.label)).alias(SCORE)
    rows = current_bins.join(churn_scores.select("user_id", rank_by), on="user_id", how="inner").cache()
    try:
        summary = rows.agg(
            F.count(F.lit(1)).alias("scored"),
            F.avg(without_history().cast("int")).alias("share_without_history"),
            *(F.sort_array(F.collect_set(name)).alias(name) for name in metadata.categories),
        ).collect()[0]
        stability = _stability(rows, metadata.profile) if summary.scored else {}
    finally:
        rows.unpersist()
    users = user_time_bins.agg(
        F.count_distinct("user_id").alias("in_log"),
        F.count_distinct(F.when(F.col("churned_at").isNotNull(), F.col("user_id"))).alias("gone"),
    ).collect()[0]
    unseen = {name: sorted(set(summary[name]) - set(seen)) for name, seen in metadata.categories.items()}
    watched = {
        name: column
        for name, column in stability.items()
        if name == SCORE or not feature_registry.features[name].moves_with_time
    }
    without_users = (
        [] if summary.scored else ["no user was scored: no active user has an event in the last completed bin"]
    )
    warnings = [*without_users, *_warnings(watched, unseen, scoring.drift.warn_above)]
    for sentence in warnings:
        logger.warning("Drift: %s", sentence)
    return DriftReport(
        label=metadata.label,
        model=metadata.model,
        as_of=str(scoring.as_of or "the end of the log"),
        users=ScoredUsers(
            in_log=users.in_log,
            gone=users.gone,
            scored=summary.scored,
            without_events_in_last_bin=users.in_log - users.gone - summary.scored,
        ),
        warnings=warnings,
        warn_above=scoring.drift.warn_above,
        stability=stability,
        unseen=unseen,
        share_without_history=HistoryShares(
            training=metadata.share_without_history, scored=summary.share_without_history
        ),
    )


def _stability(rows: DataFrame, profile: Profile) -> dict[str, ColumnStability]:
    """Per column of the profile: index, expected index and share of rows outside the range of the training rows."""
    counts = count_in_intervals(rows, {name: column.edges for name, column in profile.items()})
    outside = rows.agg(
        *(
            F.avg((~F.col(name).between(F.lit(column.min), F.lit(column.max))).cast("int")).alias(name)
            for name, column in profile.items()
        )
    ).collect()[0]
    return {
        name: ColumnStability(
            index=population_stability_index(column.counts, counts[name]),
            by_chance=expected_index(column.counts, counts[name]),
            share_outside_range=outside[name],
        )
        for name, column in profile.items()
    }


def _warnings(
    stability: Mapping[str, ColumnStability], unseen: Mapping[str, list[str]], warn_above: float
) -> list[str]:
    shifted = {name: column.index for name, column in stability.items() if column.index > warn_above + column.by_chance}
    strongest = sorted(shifted, key=lambda name: -shifted[name])
    listed = ", ".join(f"{name} ({shifted[name]:.2f})" for name in strongest[:_LISTED])
    more = f" and {len(strongest) - _LISTED} more" if len(strongest) > _LISTED else ""
    warnings = [
        f"{name} has values that do not occur in training: {', '.join(values)}"
        for name, values in unseen.items()
        if values
    ]
    if shifted:
        warnings.insert(
            0, f"the scored rows differ from the training rows: population stability index of {listed}{more}"
        )
    return warnings


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1_000, tz=UTC).isoformat(timespec="seconds")
