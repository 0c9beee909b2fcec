"""From the champion to scores of the users at risk, a list of those at highest risk, and a drift report."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.landmarks import as_of_ts, rows_at_risk
from sparkify_kedro.churn.parameters import FeatureEngineering
from sparkify_kedro.churn.reports import (
    ChampionMetadata,
    ColumnStability,
    DriftReport,
    HistoryShares,
    LogSpan,
    ScoredUsers,
)
from sparkify_kedro.churn.vocabulary import day_of
from sparkify_kedro.framework.errors import InputDataError
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.profile import (
    SCORE,
    Profile,
    count_in_intervals,
    expected_index,
    population_stability_index,
    without_history,
)
from sparkify_kedro.learning.reasons import with_reasons
from sparkify_kedro.learning.search import probability
from sparkify_kedro.learning.user_types import with_user_types

from .champions import check_champion, check_rows
from .parameters import Scoring

logger = logging.getLogger(__name__)

# Shifted features that a warning lists; the report has all of them.
_LISTED = 5


def select_rows_to_score(
    user_time_bins: DataFrame,
    log_span: LogSpan,
    champion_metadata: ChampionMetadata,
    feature_engineering: FeatureEngineering,
) -> DataFrame:
    """The rows to score: the users at risk at the as-of date, and at the level that the champion's label is about.

    Args:
        user_time_bins: one row per (user_id, bin_end).
        log_span: the log's first and last event.
        champion_metadata: the champion's label, and the user types that its features come from.
        feature_engineering: the as-of date, and the labels.

    Returns:
        One row per user, with the features of user types if the champion takes any.

    Raises:
        InputDataError: where the log has no valid event.
        SkipError: where the rows are the time bins of each user's own, which end at no common date.
    """
    if log_span.first_ts is None:
        raise InputDataError("the log to score has no valid event: see its ingestion_report")
    if feature_engineering.anchor != "as_of":
        raise SkipError(
            "users are scored at the as-of date, where their own time bins (feature_engineering.anchor: registration) "
            "do not end"
        )
    rows = rows_at_risk(user_time_bins, as_of_ts(log_span, feature_engineering))
    if (level := feature_engineering.labels[champion_metadata.label].level) is not None:
        rows = rows.where(F.col("level_at_end") == level)
    types = champion_metadata.user_types
    return rows if types is None else with_user_types(rows, types)


def score_users(
    rows_to_score: DataFrame,
    champion: PipelineModel,
    champion_metadata: ChampionMetadata,
    feature_engineering: FeatureEngineering,
    label: str,
) -> DataFrame:
    """The calibrated probability that the label's event happens to a user within the horizon, and the rank by it.

    Args:
        rows_to_score: one row per user.
        champion: the champion of the label.
        champion_metadata: its features and the parameters that they were made with.
        feature_engineering: the parameters that the rows were made with.
        label: the label, such as a cancellation.

    Returns:
        One row per user: ``as_of`` and ``horizon_days``, ``probability`` of the event in these days, ``rank`` (1
        is the highest; users of equal probability by id) and ``decile`` (1 to 10).

    Raises:
        ValueError: where the champion was trained with other features or parameters.
    """
    check_champion(label, champion, champion_metadata)
    check_rows(champion_metadata, rows_to_score.columns, feature_engineering.model_dump(mode="json"))
    by_risk = Window.orderBy(F.desc("probability"), "user_id")
    rank, users = F.row_number().over(by_risk), F.count(F.lit(1)).over(Window.partitionBy())
    scored = champion.transform(rows_to_score).select("user_id", "bin_end", probability().alias("probability"))
    return scored.select(
        "user_id",
        F.timestamp_millis("bin_end").alias("as_of"),
        F.lit(champion_metadata.horizon_days).alias("horizon_days"),
        "probability",
        rank.alias("rank"),
        (F.floor((rank - 1) * 10 / users) + 1).cast("int").alias("decile"),
    )


def list_users_at_risk(  # noqa: PLR0913, PLR0917 - everything that a line of the list shows
    churn_scores: DataFrame,
    rows_to_score: DataFrame,
    champion: PipelineModel,
    champion_metadata: ChampionMetadata,
    feature_registry: FeatureRegistry,
    reason_themes: ReasonThemes,
    scoring: Scoring,
) -> pd.DataFrame:
    """The users at highest risk, with reasons.

    Args:
        churn_scores: one row per user.
        rows_to_score: the rows that were scored.
        champion: the champion.
        champion_metadata: its features, and their profile.
        feature_registry: the definitions of the features.
        reason_themes: the words of the reasons.
        scoring: which users to list, and the number of reasons.

    Returns:
        One row per listed user by rank: the scores and the strongest reasons in words. Collects
        ``scoring.users_at_risk.most`` rows at most.
    """
    rule = scoring.users_at_risk
    listed = F.col("rank") <= rule.top if rule.top is not None else F.col("probability") >= F.lit(rule.probability)
    chosen = churn_scores.where(listed & (F.col("rank") <= rule.most))
    first = ["rank", "user_id"]
    ordered = chosen.select(*first, *(name for name in churn_scores.columns if name not in first))
    return with_reasons(
        ordered, rows_to_score, champion, champion_metadata, feature_registry, reason_themes, rule.reasons
    )


def report_drift(
    churn_scores: DataFrame,
    rows_to_score: DataFrame,
    user_time_bins: DataFrame,
    champion_metadata: ChampionMetadata,
    feature_registry: FeatureRegistry,
    scoring: Scoring,
) -> DriftReport:
    """Compare the scored rows with the rows that the champion was trained on.

    Args:
        churn_scores: one row per user.
        rows_to_score: the rows that were scored.
        user_time_bins: all rows, to account for the users who were not scored.
        champion_metadata: the profile of the training rows.
        feature_registry: in which features drift raises no warning.
        scoring: the limit for warnings.

    Returns:
        The report; warnings are logged, too: on the score, on categories, and on features whose distribution does not
        shift as a log grows. Collects a dozen numbers per feature.
    """
    metadata = champion_metadata
    scores = churn_scores.select("user_id", F.col("probability").alias(SCORE))
    rows = rows_to_score.join(scores, on="user_id", how="inner").cache()
    try:
        summary = rows.agg(
            F.count(F.lit(1)).alias("scored"),
            F.max("bin_end").alias("as_of"),
            F.count_if(F.col("sessions_in_time_bin") == 0).alias("inactive"),
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
    without_users = [] if summary.scored else ["no user was scored: there is none at risk at the as-of date"]
    warnings = [*without_users, *_warnings(watched, unseen, scoring.drift.warn_above)]
    for sentence in warnings:
        logger.warning("Drift: %s", sentence)
    return DriftReport(
        label=metadata.label,
        model=metadata.model,
        as_of=None if summary.as_of is None else str(day_of(summary.as_of)),
        users=ScoredUsers(
            in_log=users.in_log,
            gone=users.gone,
            scored=summary.scored,
            inactive=summary.inactive,
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
