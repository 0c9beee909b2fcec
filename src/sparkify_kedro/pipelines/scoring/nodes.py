"""From a log and the champions to scores, a list of users at risk, and a word on drift."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry
from sparkify_kedro.learning.profile import (
    SCORE,
    count_in_intervals,
    index_by_chance,
    population_stability_index,
    without_history,
)
from sparkify_kedro.learning.scoring_snapshot import MILLISECONDS_PER_DAY, last_completed_bins
from sparkify_kedro.learning.search import probability

from .champions import champion_of, check_match, pair_up
from .parameters import Scoring
from .reasons import strongest_reasons
from .schemas import KEYS, probability_of

logger = logging.getLogger(__name__)

# Shifted features that a warning names; the report has them all.
_NAMED = 5


def cut_at_as_of(events: DataFrame, log_span: dict[str, Any], scoring: Scoring) -> tuple[DataFrame, dict[str, Any]]:
    """Forget everything from the as-of date on.

    Args:
        events: one row per event.
        log_span: the log's first and last moment.
        scoring: the as-of date.

    Returns:
        The events before the date, and the time that they cover: from ``first_ts`` until just before ``last_ts`` (ms
        since the epoch), so that whoever cancels with the log's last event is gone.

    Raises:
        ValueError: where the date does not lie inside the log.
    """
    first, last, as_of = log_span["first_ts"], log_span["last_ts"], scoring.as_of_ts
    if first is None:
        raise ValueError("the log to score has no valid event: look at scoring.ingestion_report for what it has")
    if as_of is None:
        return events, {"first_ts": first, "last_ts": last + 1}
    # The midnight that ends the log's last day is a day to name, too.
    if not first < as_of <= last + MILLISECONDS_PER_DAY:
        raise ValueError(
            f"scoring.as_of is {scoring.as_of}, and the log reaches from {_moment(first)} to {_moment(last)}: name a "
            "day inside it"
        )
    # The day is a partition of the table, so that later days are not even opened.
    known = (F.col("event_date") < F.lit(scoring.as_of)) & (F.col("ts") < as_of)
    return events.where(known), {"first_ts": first, "last_ts": as_of}


def select_current_bins(user_time_bins: DataFrame, known_span: dict[str, Any], feature_engineering: Any) -> DataFrame:
    """The rows to score: each user's last completed bin, without users who are gone.

    Args:
        user_time_bins: one row per (user_id, time_bin).
        known_span: how far the log reaches.
        feature_engineering: the length of a bin.

    Returns:
        At most one row per user.
    """
    return last_completed_bins(user_time_bins, known_span["last_ts"], feature_engineering.time_bin_days)


def score_users(
    current_bins: DataFrame, scoring: Scoring, feature_engineering: Any, *models_and_cards: Any
) -> DataFrame:
    """The calibrated probability of every label, and where users stand by one of them.

    Args:
        current_bins: one row per user.
        scoring: the label to rank by.
        feature_engineering: the parameters that the rows were made with.
        models_and_cards: the champion and the champion's card of every label, in turn.

    Returns:
        One row per user: ``time_bin`` (the bin scored), ``probability_<label>`` per label, ``rank`` (1 is most at risk;
        equal probabilities in the order of users) and ``decile`` (1 to 10).

    Raises:
        ValueError: where a champion was trained with other features or parameters than it is given.
    """
    champions = pair_up(models_and_cards)
    leading = champion_of(scoring.users_at_risk.rank_by, champions)
    scored = current_bins
    for label, champion in champions.items():
        check_match(champion, current_bins.columns, feature_engineering.model_dump(mode="json"))
        scored = champion.model.transform(scored).select(*scored.columns, probability().alias(probability_of(label)))
    by_risk = Window.orderBy(F.desc(probability_of(leading.card["label"])), "user_id")
    rank, users = F.row_number().over(by_risk), F.count(F.lit(1)).over(Window.partitionBy())
    return scored.select(
        *KEYS,
        *(probability_of(label) for label in champions),
        rank.alias("rank"),
        (F.floor((rank - 1) * 10 / users) + 1).cast("int").alias("decile"),
    )


def list_users_at_risk(
    churn_scores: DataFrame,
    current_bins: DataFrame,
    feature_registry: FeatureRegistry,
    scoring: Scoring,
    *models_and_cards: Any,
) -> pd.DataFrame:
    """The users to act on, and why.

    Args:
        churn_scores: one row per user.
        current_bins: the rows that were scored.
        feature_registry: what each feature is called.
        scoring: whom to list, and how many reasons to give.
        models_and_cards: the champion and the champion's card of every label, in turn.

    Returns:
        One row per listed user, in order of risk: the scores and the strongest reasons in words. Collects
        ``scoring.users_at_risk.most`` rows at the most.
    """
    rule = scoring.users_at_risk
    champion = champion_of(rule.rank_by, pair_up(models_and_cards))
    score = F.col(probability_of(rule.rank_by))
    listed = F.col("rank") <= rule.top if rule.top is not None else score >= rule.probability
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
    *models_and_cards: Any,
) -> dict[str, Any]:
    """Compare the scored rows with the rows that the leading champion was trained on.

    Args:
        churn_scores: one row per user.
        current_bins: the rows that were scored.
        user_time_bins: all rows, to account for the users who were not scored.
        feature_registry: says in which features drift raises no warning.
        scoring: the label that ranks, and from when on to warn.
        models_and_cards: the champion and the champion's card of every label, in turn.

    Returns:
        ``label``, and ``model``, the champion's own id; ``users`` (in the log, gone, without an event in their last
        bin, scored), ``stability`` (per feature and for the score: the population stability index, what chance alone
        gives it, and the share of rows outside the range seen in training; empty where nobody was scored), ``unseen``
        (categories that training has not seen), ``share_without_history`` of training and of scored rows, and
        ``warnings`` in words, which are logged too: on the score, categories, and features whose distribution does not
        move by itself as a log grows. Collects a dozen numbers per feature.
    """
    champion = champion_of(scoring.users_at_risk.rank_by, pair_up(models_and_cards))
    card = champion.card
    rank_by = F.col(probability_of(card["label"])).alias(SCORE)
    rows = current_bins.join(churn_scores.select("user_id", rank_by), on="user_id", how="inner").cache()
    try:
        told = rows.agg(
            F.count(F.lit(1)).alias("scored"),
            F.avg(without_history().cast("int")).alias("share_without_history"),
            *(F.sort_array(F.collect_set(name)).alias(name) for name in card["categories"]),
        ).first()
        stability = _stability(rows, card["profile"]) if told.scored else {}
    finally:
        rows.unpersist()
    users = user_time_bins.agg(
        F.count_distinct("user_id").alias("in_log"),
        F.count_distinct(F.when(F.col("churned_at").isNotNull(), F.col("user_id"))).alias("gone"),
    ).first()
    unseen = {name: sorted(set(told[name]) - set(seen)) for name, seen in card["categories"].items()}
    watched = {
        name: line
        for name, line in stability.items()
        if name == SCORE or not feature_registry.features[name].moves_with_time
    }
    nobody = [] if told.scored else ["nobody was scored: no user who is there has an event in a last completed bin"]
    warnings = [*nobody, *_warnings(watched, unseen, scoring.drift.warn_above)]
    for sentence in warnings:
        logger.warning("Drift: %s", sentence)
    return {
        "label": card["label"],
        "model": card["model"],
        "as_of": str(scoring.as_of or "the end of the log"),
        "users": {
            **users.asDict(),
            "scored": told.scored,
            "without_events_in_last_bin": users.in_log - users.gone - told.scored,
        },
        "warnings": warnings,
        "warn_above": scoring.drift.warn_above,
        "stability": stability,
        "unseen": unseen,
        "share_without_history": {"training": card["share_without_history"], "scored": told.share_without_history},
    }


def _stability(rows: DataFrame, profile: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Per column of the profile: index, index by chance and share outside the training rows' range."""
    counts = count_in_intervals(rows, {name: line["edges"] for name, line in profile.items()})
    outside = rows.agg(
        *(
            F.avg((~F.col(name).between(line["min"], line["max"])).cast("int")).alias(name)
            for name, line in profile.items()
        )
    ).first()
    return {
        name: {
            "index": population_stability_index(line["counts"], counts[name]),
            "by_chance": index_by_chance(line["counts"], counts[name]),
            "share_outside_range": outside[name],
        }
        for name, line in profile.items()
    }


def _warnings(stability: dict[str, dict[str, float]], unseen: dict[str, list[str]], warn_above: float) -> list[str]:
    shifted = {
        name: line["index"] for name, line in stability.items() if line["index"] > warn_above + line["by_chance"]
    }
    strongest = sorted(shifted, key=lambda name: -shifted[name])
    found = ", ".join(f"{name} ({shifted[name]:.2f})" for name in strongest[:_NAMED])
    more = f" and {len(strongest) - _NAMED} more" if len(strongest) > _NAMED else ""
    return [
        *(
            [f"the rows scored are not like those of the training: population stability index of {found}{more}"]
            if shifted
            else []
        ),
        *(
            f"{name} has values that training has not seen: {', '.join(values)}"
            for name, values in unseen.items()
            if values
        ),
    ]


def _moment(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1_000, tz=UTC).isoformat(timespec="seconds")
