"""From scores to the number of users to contact, what it is worth, and the list of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.churn.reports import ChampionMetadata, DecisionReport, FirstUsers, HeldOutUsers
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.skipping import SkipError
from sparkify_kedro.learning.curves import Array
from sparkify_kedro.learning.evaluation import collect_scored
from sparkify_kedro.learning.expected_events import counts_among_first
from sparkify_kedro.learning.parameters import Evaluation
from sparkify_kedro.learning.reasons import with_reasons

from .parameters import Decision

# Points of the curve.
_POINTS = 60
CONTACT, HOLD_OUT = "contact", "hold out"


def weigh_contacts(
    churn_scores: DataFrame,
    champion_metadata: ChampionMetadata,
    decision: Decision,
    evaluation: Evaluation,
    **of_algorithms: DataFrame,
) -> DecisionReport:
    """For each number of users, the highest probabilities first: expected events, recall, saves and value.

    Args:
        churn_scores: one row per user.
        champion_metadata: the champion's algorithm.
        decision: how many users to list, and what a contact costs and brings.
        evaluation: how many scores to collect at most, bootstrap samples, and the seed.
        of_algorithms: per algorithm, ``{algorithm}_out_of_fold`` (rows that the models of the search have not seen) and
            ``{algorithm}_predictions`` (held-out rows).

    Returns:
        The report. Collects the scores of at most ``evaluation.max_rows`` users and rows.

    Raises:
        SkipError: where no user was scored, or more than can be collected, or the champion's scores are not given.
    """
    algorithm = champion_metadata.algorithm
    if f"{algorithm}_predictions" not in of_algorithms:
        raise SkipError(f"the champion is a {algorithm}, whose scores only --pipelines=all_algorithms takes")
    scores = churn_scores.orderBy("rank").limit(evaluation.max_rows + 1).toPandas()
    if not 0 < len(scores) <= evaluation.max_rows:
        raise SkipError(
            f"contacts are weighed for 1 to {evaluation.max_rows:,} scored users (modeling.evaluation.max_rows), and "
            f"there are {'none' if scores.empty else 'more'}"
        )
    probabilities = scores["probability"].to_numpy()
    worth = _worth_contacting(probabilities, decision)
    number, rule = _chosen(decision, worth, len(scores))
    numbers = sorted({*np.unique(np.geomspace(1, len(scores), _POINTS).round().astype(int)).tolist(), number})
    learned = collect_scored(of_algorithms[f"{algorithm}_out_of_fold"], evaluation)
    samples = counts_among_first(probabilities, numbers, learned, evaluation)
    curve = [_first(count, probabilities, samples[:, position], decision) for position, count in enumerate(numbers)]
    tested = of_algorithms[f"{algorithm}_predictions"].select(*KEYS, "label", "score")
    return DecisionReport(
        label=champion_metadata.label,
        model=champion_metadata.model,
        as_of=str(scores["as_of"].iloc[0].date()),
        horizon_days=champion_metadata.horizon_days,
        users=len(scores),
        chosen=curve[numbers.index(number)],
        rule=rule,
        worth_contacting=worth,
        hold_out_share=decision.hold_out_share,
        save_rate=decision.save_rate,
        value_of_a_customer=decision.value_of_a_customer,
        cost_per_contact=decision.cost_per_contact,
        curve=curve,
        held_out=_held_out(collect_scored(tested, evaluation), [count / len(scores) for count in numbers]),
    )


def _worth_contacting(probabilities: Array, decision: Decision) -> int | None:
    """How many of the first users bring more than their contacts cost; None where the value is not known."""
    if decision.value_of_a_churner is None:
        return None
    return int((probabilities * decision.value_of_a_churner >= decision.cost_per_contact).sum())


def _chosen(decision: Decision, worth: int | None, users: int) -> tuple[int, str]:
    """How many users to list, and why."""
    if decision.contacts is not None:
        number, rule = decision.contacts, "the number in the parameters, decision.contacts"
    elif decision.budget is not None:
        contacted = decision.budget / decision.cost_per_contact
        number = int(contacted / (1 - decision.hold_out_share) + 1e-9)
        rule = f"as many as a budget of {decision.budget:,g} pays for"
    else:
        number, rule = worth or 0, "as many as are worth a contact"
    if number > users:
        number, rule = users, f"all users, which are fewer than {rule.removeprefix('as many as ')}"
    return number, rule


def _first(number: int, probabilities: Array, counts: Array, decision: Decision) -> FirstUsers:
    expected = float(probabilities[:number].sum())
    low, high = np.percentile(counts, [2.5, 97.5])
    contacted = 1 - decision.hold_out_share
    saves = None if decision.save_rate is None else decision.save_rate * expected * contacted
    value = None
    if decision.value_of_a_churner is not None:
        value = (decision.value_of_a_churner * expected - decision.cost_per_contact * number) * contacted
    return FirstUsers(
        users=number,
        expected=expected,
        interval=(float(low), float(high)),
        recall=expected / max(float(probabilities.sum()), 1e-12),
        saves=saves,
        value=value,
    )


def _held_out(rows: pd.DataFrame, shares: list[float]) -> list[HeldOutUsers]:
    """What the same shares of the held-out rows have in them, the highest scores first at each landmark."""
    if not rows["label"].sum():
        return []
    ranked = rows.sort_values(["bin_end", "score", "user_id"], ascending=[True, False, True])
    of_landmark = ranked.groupby("bin_end")
    position = (of_landmark.cumcount() + 0.5) / of_landmark["label"].transform("size")
    found = []
    for share in shares:
        first = ranked["label"][position <= share]
        events = int(first.sum())
        found.append(
            HeldOutUsers(share=share, rows=len(first), events=events, recall=events / int(ranked["label"].sum()))
        )
    return found


def list_contacts(  # noqa: PLR0913, PLR0917 - everything that a line of the list shows
    churn_scores: DataFrame,
    rows_to_score: DataFrame,
    champion: PipelineModel,
    champion_metadata: ChampionMetadata,
    feature_registry: FeatureRegistry,
    reason_themes: ReasonThemes,
    decision_report: DecisionReport,
    decision: Decision,
) -> pd.DataFrame:
    """The users to contact, and those among them who are held out.

    Args:
        churn_scores: one row per user.
        rows_to_score: the rows that were scored.
        champion: the champion.
        champion_metadata: its features, and their profile.
        feature_registry: the definitions of the features.
        reason_themes: the words of the reasons.
        decision_report: how many users were chosen.
        decision: the share that is held out, and the number of reasons.

    Returns:
        One row per user by rank: ``probability``, ``group`` (contact or hold out: by chance, the same for a user in
        every list), ``treatment`` (empty, to be filled in by who contacts) and the reasons. Collects at most
        ``decision.most`` rows.
    """
    listed = min(decision_report.chosen.users, decision.most)
    chance = uniform_hash(decision.seed, "decision hold-out", "user")
    group = F.when(chance < decision.hold_out_share, HOLD_OUT).otherwise(CONTACT)
    chosen = churn_scores.where(F.col("rank") <= listed).select(
        "rank", "user_id", "probability", group.alias("group"), F.lit("").alias("treatment")
    )
    return with_reasons(
        chosen, rows_to_score, champion, champion_metadata, feature_registry, reason_themes, decision.reasons
    )
