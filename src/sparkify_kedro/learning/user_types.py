"""User types: what the pages that a user visits, the pace of sessions and the level tell about a cancellation.

Users are taken to be of a few types. A type has, at each level (free, paid), its own shares of pages, and its own
cancellations and changes of level per session. Which type a user is, and how many sessions a day to expect, follows
from the user's history by Bayes' rule, and from both the probability of a cancellation within the horizon.

* Pages: a mixture of multinomial distributions in which pages compete within a level, fitted by expectation
  maximization (Dempster, Laird and Rubin 1977); the number of types has the lowest Bayesian information criterion
  (Schwarz 1978, "Estimating the dimension of a model").
* Sessions: a Poisson process per user, whose rates have a gamma distribution over users (Greenwood and Yule 1920), so
  that a user's own rate has one too.
* Cancellation: with the rates of a type, a user moves between free, paid and gone at every session. With a rate r of
  sessions a user is still there after H days with probability c exp(m r H) + (1 - c) exp(n r H), where m and n are the
  eigenvalues of the changes between free and paid; the mean over the gamma distribution of r (shape A, rate B) replaces
  exp(m r H) by (1 - m H / B) ** -A.

Everything is fitted on users, never on rows of users who are scored with it: see ``UserTypesByFold``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

from sparkify_kedro.churn.hash_sampling import uniform_hash
from sparkify_kedro.churn.reports import GammaPrior, TypesAtLevel, UserTypes, UserTypesByFold
from sparkify_kedro.churn.vocabulary import DOWNGRADE, LEVELS, MILLISECONDS_PER_DAY, TYPED_PAGES, UPGRADE

from .curves import Array
from .parameters import MOST_TYPES, UserTypeSearch

# The columns that ``with_user_types`` adds, in the order of the feature registry.
TYPE_FEATURES = (
    *(f"user_type_{number}" for number in range(1, MOST_TYPES + 1)),
    "log_expected_sessions_per_day",
    "expected_sessions_spread",
    "expected_sessions_in_horizon",
    "log_odds_by_user_type",
)
WITHOUT_FOLD = "type_features_without_fold"
# Instead of a fold that was left out: none was.
EVERY_FOLD = -1

# As if every type had made that many visits like those of all users.
_PSEUDO_VISITS, _PSEUDO_VISITS_OF_SEEDS = 5.0, 50.0
# Fewer users could each become a type of their own.
_LEAST_USERS_PER_TYPE = 10
_MOST_ITERATIONS = 200
# Expectation maximization has converged when the log-likelihood per user grows by less.
_TOLERANCE = 1e-4
_LEAST_RISK = 1e-6


class _Mixture(NamedTuple):
    """Shares of types, log probabilities of pages (types x levels * pages), and the log-likelihood of all users."""

    shares: Array
    log_pages: Array
    log_likelihood: float

    def log_joint(self, visits: Array) -> Array:
        """The logarithm of each type's share times the likelihood of each user's visits: users x types."""
        joint: Array = visits @ self.log_pages.T + np.log(self.shares)
        return joint

    def posterior(self, visits: Array) -> Array:
        """The probability of each type: users x types."""
        joint = self.log_joint(visits)
        shares: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return shares


def collect_histories(user_time_bins: DataFrame, most: int) -> pd.DataFrame:
    """The last row of each user: what has been seen of the user by then, and whether it ends with a cancellation.

    Args:
        user_time_bins: one row per (user_id, bin_end), and ``fold``.
        most: the number of users to collect; of more, a sample by hash.

    Returns:
        One row per user, in the order of their ids: ``fold``, counts of the history, the days it covers, and
        ``has_cancelled``.
    """
    place = ["bin_end", "fold", "sessions_in_history", "observed_days_in_history", "churned_at", "level_at_end"]
    counts = [f"{name}_at_{level}_in_history" for level in LEVELS for name in ("sessions", "pages")]
    last = (
        user_time_bins.groupBy("user_id")
        .agg(F.max(F.struct(*place, *counts)).alias("last"))
        .select("user_id", "last.*")
    )
    collected = last.orderBy(uniform_hash(0, "user types", "user"), "user_id").limit(most).toPandas()
    users = collected.sort_values("user_id", ignore_index=True)
    has_cancelled = users["churned_at"].notna() & (users["churned_at"] < users["bin_end"])
    since = ((users["bin_end"] - users["churned_at"]) / MILLISECONDS_PER_DAY).where(has_cancelled, 0.0).astype(float)
    days = (users["observed_days_in_history"] - since).clip(lower=0.0)
    return users.assign(has_cancelled=has_cancelled, days=days)


def fit_by_fold(histories: pd.DataFrame, folds: int, horizon_days: int, search: UserTypeSearch) -> UserTypesByFold:
    """Fit the types on all users, and once without the users of each fold.

    Args:
        histories: one row per user, as ``collect_histories`` returns them.
        folds: the number of folds.
        horizon_days: the days in which a cancellation is predicted.
        search: how to fit.
    """
    return UserTypesByFold(
        of_all=fit_user_types(histories, horizon_days, search),
        without_fold=[
            fit_user_types(histories[histories["fold"] != fold], horizon_days, search) for fold in range(folds)
        ],
    )


def fit_user_types(histories: pd.DataFrame, horizon_days: int, search: UserTypeSearch) -> UserTypes:
    """Fit the types, the distribution of session rates, and each type's cancellations and changes of level.

    Args:
        histories: one row per user, as ``collect_histories`` returns them.
        horizon_days: the days in which a cancellation is predicted.
        search: how to fit.

    Returns:
        The types in the order of their cancellations per session.
    """
    visits = _visits(histories)
    sample = np.sort(np.random.default_rng(search.seed).permutation(len(visits))[: search.most_users_of_mixture])
    mixture, criteria = _select_mixture(visits[sample], search)
    posterior = mixture.posterior(visits)
    cancelled = histories["has_cancelled"].to_numpy(dtype=float)
    is_paid = (histories["level_at_end"] == "paid").to_numpy(dtype=float)
    sessions = {level: histories[f"sessions_at_{level}_in_history"].to_numpy(dtype=float) for level in LEVELS}
    at_any_level = np.sum(list(sessions.values()), axis=0)
    order = np.argsort(_per_session(posterior, cancelled, at_any_level, search), kind="stable")
    levels = {}
    for position, level in enumerate(LEVELS):
        first = position * len(TYPED_PAGES)
        at_level = slice(first, first + len(TYPED_PAGES))
        switches = visits[:, first + TYPED_PAGES.index(UPGRADE if level == "free" else DOWNGRADE)]
        gone = cancelled * (is_paid if level == "paid" else 1 - is_paid)
        levels[level] = TypesAtLevel(
            page_shares=np.exp(mixture.log_pages[order, at_level]).tolist(),
            cancellations_per_session=_per_session(posterior, gone, sessions[level], search)[order].tolist(),
            switches_per_session=_per_session(posterior, switches, sessions[level], search)[order].tolist(),
        )
    return UserTypes(
        horizon_days=horizon_days,
        users=len(histories),
        cancellations=int(cancelled.sum()),
        shares=mixture.shares[order].tolist(),
        pages=list(TYPED_PAGES),
        criteria=criteria,
        levels=levels,
        session_rate=fit_session_rate(
            histories["sessions_in_history"].to_numpy(dtype=float), histories["days"].to_numpy(dtype=float)
        ),
    )


def fit_session_rate(sessions: Array, days: Array) -> GammaPrior:
    """The gamma distribution of sessions per day over users, by maximum likelihood.

    The number of sessions in a user's days then has a negative binomial distribution.

    Args:
        sessions: by user.
        days: the days in which they were counted, by user.
    """
    seen = days > 0
    sessions, days = sessions[seen], days[seen]
    if len(sessions) < 2 or sessions.sum() == 0:
        return GammaPrior(shape=1.0, days=(float(days.sum()) + 1) / (float(sessions.sum()) + 1))
    mean = sessions.sum() / days.sum()

    def loss(logarithms: Array) -> float:
        shape, prior_days = np.exp(logarithms)
        return -float(
            np.sum(
                gammaln(shape + sessions)
                - gammaln(shape)
                + shape * np.log(prior_days)
                - (shape + sessions) * np.log(prior_days + days)
            )
        )

    # Bounds keep the distribution proper where all users are alike.
    found = minimize(loss, np.log([1.0, 1.0 / mean]), method="L-BFGS-B", bounds=[(-7.0, 7.0), (-7.0, 12.0)])
    shape, prior_days = np.exp(found.x)
    return GammaPrior(shape=float(shape), days=float(prior_days))


def with_user_types(rows: DataFrame, types: UserTypes) -> DataFrame:
    """Add ``TYPE_FEATURES`` to rows of ``user_time_bins``, from the history of the row alone.

    Args:
        rows: with the counts of the history by level, ``observed_days_in_history`` and ``level_at_end``.
        types: fitted on other users, or on all that were not held out.

    Returns:
        The rows with the probability of each type (0 for those beyond the number of types), the expected sessions and
        their spread (the standard deviation of the rate as a share of its mean), and the log-odds of a cancellation
        within the horizon. Where a user has no type yet, the probabilities are the shares of the types.

    Raises:
        ValueError: where the types were fitted on other pages than those that rows count now.
    """
    if tuple(types.pages) != TYPED_PAGES:
        raise ValueError("the user types were fitted on other pages than the rows count: train again")
    number = len(types.shares)
    # In steps, because Spark would otherwise compute what several columns use once for each of them.
    joint = rows.withColumn("_log_joint", F.array(*(_log_joint(types, each) for each in range(number))))
    odds = [F.exp(F.get("_log_joint", F.lit(each)) - F.array_max("_log_joint")) for each in range(number)]
    posterior = joint.withColumn("_odds", F.array(*odds)).withColumn(
        "_total", reduce(Column.__add__, (F.get("_odds", F.lit(each)) for each in range(number)))
    )
    prior = types.session_rate
    known = posterior.withColumns(
        {
            **{
                name: F.get("_odds", F.lit(each)) / F.col("_total") if each < number else F.lit(0.0)
                for each, name in enumerate(TYPE_FEATURES[:MOST_TYPES])
            },
            "_shape": F.col("sessions_in_history") + F.lit(prior.shape),
            "_days": F.col("observed_days_in_history") + F.lit(prior.days),
        }
    )
    gone = [F.col(TYPE_FEATURES[each]) * (1 - _still_there(types, each)) for each in range(number)]
    risk = F.least(F.greatest(reduce(Column.__add__, gone), F.lit(_LEAST_RISK)), F.lit(1 - _LEAST_RISK))
    per_day = F.col("_shape") / F.col("_days")
    return (
        known.withColumn("_risk", risk)
        .withColumns(
            {
                "log_expected_sessions_per_day": F.log(per_day),
                "expected_sessions_spread": 1 / F.sqrt("_shape"),
                "expected_sessions_in_horizon": per_day * types.horizon_days,
                "log_odds_by_user_type": F.log(F.col("_risk") / (1 - F.col("_risk"))),
            }
        )
        .drop("_log_joint", "_odds", "_total", "_shape", "_days", "_risk")
    )


def with_types_by_fold(rows: DataFrame, types: UserTypesByFold) -> DataFrame:
    """Add ``TYPE_FEATURES`` by the types of all users, and ``WITHOUT_FOLD``: the same by the types without each fold.

    Returns:
        The rows with ``TYPE_FEATURES`` and with an array of them for each fold.
    """
    columns = rows.columns
    for fold, without in enumerate(types.without_fold):
        features = F.array(*(F.col(name) for name in TYPE_FEATURES)).alias(f"_without_{fold}")
        rows = with_user_types(rows, without).select(*columns, features)
        columns = rows.columns
    folds = F.array(*(F.col(f"_without_{fold}") for fold in range(len(types.without_fold))))
    in_fold_order = rows.withColumn(WITHOUT_FOLD, folds).drop(
        *(name for name in columns if name.startswith("_without_"))
    )
    return with_user_types(in_fold_order, types.of_all)


def without_fold(rows: DataFrame, fold: int | Column) -> DataFrame:
    """The rows with ``TYPE_FEATURES`` by the types that were fitted without a fold; as they are if they have no types.

    Args:
        rows: as ``with_types_by_fold`` returns them.
        fold: a number, or a column, such as that of each row's own fold, for features out of fold; ``EVERY_FOLD`` for
            the types that were fitted on all folds.

    Raises:
        ValueError: where the rows have types, but only those that have seen every fold.
    """
    if WITHOUT_FOLD not in rows.columns:
        if set(TYPE_FEATURES) & set(rows.columns):
            raise ValueError(f"rows with features of user types need the column {WITHOUT_FOLD}, too")
        return rows
    left_out = F.lit(fold) if isinstance(fold, int) else fold
    features, is_every = F.get(WITHOUT_FOLD, left_out), left_out == EVERY_FOLD
    return rows.withColumns(
        {
            name: F.when(is_every, F.col(name)).otherwise(F.get(features, F.lit(place)))
            for place, name in enumerate(TYPE_FEATURES)
        }
    )


def _visits(histories: pd.DataFrame) -> Array:
    """Visits by user and page, the levels side by side: users x (levels * pages)."""
    levels = [histories[f"pages_at_{level}_in_history"].tolist() for level in LEVELS]
    width = len(TYPED_PAGES)
    return np.hstack([np.array(visits, dtype=float).reshape(len(histories), width) for visits in levels])


def _select_mixture(visits: Array, search: UserTypeSearch) -> tuple[_Mixture, list[float]]:
    """The mixture with the lowest criterion, and the criteria of 1, 2, … types, until two in a row are no lower."""
    random = np.random.default_rng(search.seed)
    mixtures, criteria = [_one_type(visits)], [_criterion(_one_type(visits), len(visits))]
    for types in range(2, min(search.most_types, len(visits) // _LEAST_USERS_PER_TYPE) + 1):
        starts = [_fit_mixture(visits, types, random) for _ in range(search.starts)]
        mixtures.append(max(starts, key=lambda each: each.log_likelihood))
        criteria.append(_criterion(mixtures[-1], len(visits)))
        if types > 2 and min(criteria[-2:]) > min(criteria[:-2]):
            break
    return mixtures[int(np.argmin(criteria))], criteria


def _criterion(mixture: _Mixture, users: int) -> float:
    types = len(mixture.shares)
    parameters = types - 1 + types * len(LEVELS) * (len(TYPED_PAGES) - 1)
    return parameters * math.log(max(users, 2)) - 2 * mixture.log_likelihood


def _one_type(visits: Array) -> _Mixture:
    """All users alike, as where there are none."""
    pooled = _shares_within_levels(visits.sum(axis=0, keepdims=True) + 1)
    mixture = _Mixture(np.ones(1), np.log(pooled), 0.0)
    return mixture._replace(log_likelihood=float(mixture.log_joint(visits).sum()))


def _fit_mixture(visits: Array, types: int, random: np.random.Generator) -> _Mixture:
    """Expectation maximization, started from as many users drawn at random as there are types."""
    pooled = np.exp(_one_type(visits).log_pages)
    seeds = random.choice(len(visits), size=types, replace=False)
    mixture = _Mixture(np.full(types, 1 / types), _log_pages(visits[seeds], pooled, _PSEUDO_VISITS_OF_SEEDS), -math.inf)
    for _ in range(_MOST_ITERATIONS):
        joint = mixture.log_joint(visits)
        total = logsumexp(joint, axis=1, keepdims=True)
        log_likelihood = float(total.sum())
        if log_likelihood - mixture.log_likelihood < _TOLERANCE * len(visits):
            return mixture._replace(log_likelihood=log_likelihood)
        posterior = np.exp(joint - total)
        shares = (posterior.sum(axis=0) + 1) / (len(visits) + types)
        mixture = _Mixture(shares, _log_pages(posterior.T @ visits, pooled, _PSEUDO_VISITS), log_likelihood)
    return mixture


def _log_pages(visits: Array, pooled: Array, pseudo_visits: float) -> Array:
    logarithms: Array = np.log(_shares_within_levels(visits + pseudo_visits * pooled))
    return logarithms


def _shares_within_levels(visits: Array) -> Array:
    """The shares of the pages among the visits at the same level."""
    by_level = visits.reshape(len(visits), len(LEVELS), len(TYPED_PAGES))
    shares: Array = (by_level / by_level.sum(axis=2, keepdims=True)).reshape(len(visits), -1)
    return shares


def _per_session(posterior: Array, events: Array, sessions: Array, search: UserTypeSearch) -> Array:
    """Events per session of each type, shrunk toward those of all types as if some events more had been seen."""
    overall = (events.sum() + 0.5) / (sessions.sum() + 1)
    pseudo = search.pseudo_cancellations
    rates: Array = (posterior.T @ events + pseudo) / (posterior.T @ sessions + pseudo / overall)
    return np.minimum(rates, 1.0)


def _log_joint(types: UserTypes, number: int) -> Column:
    """The logarithm of a type's share times the likelihood of the visits."""
    levels = [
        F.aggregate(
            F.zip_with(
                f"pages_at_{level}_in_history",
                F.array(*(F.lit(math.log(share)) for share in at_level.page_shares[number])),
                lambda visits, logarithm: visits * logarithm,
            ),
            F.lit(0.0),
            lambda total, term: total + term,
        )
        for level, at_level in types.levels.items()
    ]
    return reduce(Column.__add__, levels, F.lit(math.log(types.shares[number])))


def _still_there(types: UserTypes, number: int) -> Column:
    """The probability that a user of a type has not cancelled within the horizon, by the level of the row."""
    free, paid = _decays(types.levels, number)
    return F.when(F.col("level_at_end") == "paid", _survival(paid, types)).otherwise(_survival(free, types))


def _survival(decay: tuple[float, float, float], types: UserTypes) -> Column:
    weight, slow, fast = decay

    def kept(eigenvalue: float) -> Column:
        return F.pow(1 - F.lit(eigenvalue * types.horizon_days) / F.col("_days"), -F.col("_shape"))

    return weight * kept(slow) + (1 - weight) * kept(fast)


def _decays(levels: Mapping[str, TypesAtLevel], number: int) -> tuple[tuple[float, float, float], ...]:
    """For a start at free and at paid: c, and the eigenvalues m and n of the changes per session (see the module)."""
    cancel = [levels[level].cancellations_per_session[number] for level in LEVELS]
    switch = [levels[level].switches_per_session[number] for level in LEVELS]
    leave = [one + other for one, other in zip(cancel, switch, strict=True)]
    root = math.sqrt((leave[0] - leave[1]) ** 2 + 4 * switch[0] * switch[1])
    slow, fast = (-(leave[0] + leave[1]) + root) / 2, (-(leave[0] + leave[1]) - root) / 2
    return tuple(((-gone - fast) / (slow - fast), slow, fast) for gone in cancel)
