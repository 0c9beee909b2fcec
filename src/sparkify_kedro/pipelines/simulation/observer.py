"""The probability of an event for an observer who knows every parameter of the simulation, and of a user only the log.

Between this and the true hazard lies what a log cannot tell: a user's population and mean pauses are known to the
hazard, and only estimated by the observer. So the observer is the limit for models of the log.

By Bayes' rule, from a user's events before a landmark:

* the population, from the transitions within sessions and the pages on which they end;
* the mean pause between sessions, on a grid of its distribution over users, from past pauses and the one under way;
* the mean pause between events, which matters little: its mean after the pauses seen.

Approximations: steps in which the user is logged out are not in the events, so transitions across them are not used;
the weekend lengthens pauses evenly over the week, as for the hazard.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import norm

from sparkify_kedro.churn.vocabulary import CANCELLATION, SONG, midnight

from .behavior import Chain, Choice, State
from .hazard import Hazard
from .parameters import Simulation

# Points of the grids of mean pauses.
_SESSION_GAPS, _EVENT_GAPS = 40, 12


class Evidence(NamedTuple):
    """What is known of a user at a landmark.

    ``log_population`` is the log-likelihood of each population; ``sessions`` and ``waited`` are completed pauses before
    sessions and all seconds waited; ``event_gap`` is the mean pause between events in seconds; ``level`` and ``auth``
    are those of the next session.
    """

    log_population: np.ndarray
    sessions: np.ndarray
    waited: np.ndarray
    event_gap: np.ndarray
    level: np.ndarray
    auth: np.ndarray


def observed_probabilities(
    events: pd.DataFrame, rows: pd.DataFrame, parameters: Simulation, days: float = 14, page: str = CANCELLATION
) -> np.ndarray:
    """The probability that an event happens to a user within a number of days, for each row.

    Args:
        events: ``user_id``, ``ts`` and ``registration`` (ms since the epoch), ``session_id``, ``item_in_session``,
            ``page`` and ``level``.
        rows: ``user_id`` and ``bin_end`` (ms since the epoch), the landmark; users with an event before it.
        parameters: of the simulation.
        days: the horizon.
        page: the event, by its page.

    Returns:
        A probability per row, in the order of the rows.
    """
    evidence = _collect(events, rows, parameters)
    populations = list(parameters.populations)
    shares = np.array([parameters.populations[name].share for name in populations])
    log_population = evidence.log_population + np.log(shares / shares.sum())
    population = np.exp(log_population - logsumexp(log_population, axis=1, keepdims=True))
    gaps = _quantiles(parameters.session_gap_seconds, _SESSION_GAPS)
    hazards = {name: Hazard.of(parameters, name, page) for name in populations}
    mean_pause = gaps / next(iter(hazards.values())).sessions_kept
    log_gap = -evidence.sessions[:, None] * np.log(mean_pause) - evidence.waited[:, None] / mean_pause
    gap = np.exp(log_gap - logsumexp(log_gap, axis=1, keepdims=True))
    event_gaps = _quantiles(parameters.event_gap_seconds, _EVENT_GAPS)
    nearest = np.abs(np.log(evidence.event_gap)[:, None] - np.log(event_gaps)).argmin(axis=1)
    result = np.zeros(len(rows))
    kinds = list(zip(evidence.level.tolist(), evidence.auth.tolist(), nearest.tolist(), strict=True))
    for kind in dict.fromkeys(kinds):
        level, auth, event = kind
        place = np.array([each == kind for each in kinds])
        for number, name in enumerate(populations):
            of_gaps = np.array([hazards[name].probability(level, auth, event_gaps[event], each, days) for each in gaps])
            result[place] += population[place, number] * (gap[place] @ of_gaps)
    return result


def _quantiles(mean: float, number: int) -> np.ndarray:
    """Points of equal weight of exp(N(0, 1) - 1/2) times the mean."""
    middle = (np.arange(number) + 0.5) / number
    points: np.ndarray = mean * np.exp(norm.ppf(middle) - 0.5)
    return points


def _collect(events: pd.DataFrame, rows: pd.DataFrame, parameters: Simulation) -> Evidence:
    """The evidence at each row, in the order of the rows."""
    ordered = events.sort_values(["user_id", "ts", "session_id", "item_in_session"], ignore_index=True)
    steps = _steps(ordered, parameters)
    known = pd.concat([ordered[["user_id", "ts", "page", "level"]], steps], axis=1)
    of_user = known.groupby("user_id")
    sums = of_user[list(steps.columns)].cumsum().add_suffix("_so_far")
    known = pd.concat([known, sums], axis=1).sort_values("ts", kind="stable")
    place = rows.assign(place=np.arange(len(rows))).sort_values("bin_end")
    found = pd.merge_asof(
        place[["user_id", "bin_end", "place"]],
        known,
        left_on="bin_end",
        right_on="ts",
        by="user_id",
        allow_exact_matches=False,
    ).sort_values("place")
    under_way = ((found["bin_end"] - found["ts"]) / 1_000 - parameters.session_break_seconds).clip(lower=0)
    pauses, seconds = found["pauses_so_far"], found["paused_so_far"]
    # The prior is worth one pause of the median user.
    median = parameters.event_gap_seconds * math.exp(-0.5)
    return Evidence(
        log_population=found[[f"{name}_so_far" for name in parameters.populations]].to_numpy(),
        sessions=found["sessions_so_far"].to_numpy(),
        waited=(found["waited_so_far"] + under_way).to_numpy(),
        event_gap=((seconds + median) / (pauses + 1)).to_numpy(),
        level=found["level"].to_numpy(),
        auth=np.where(found["page"] == "Logout", "Logged Out", "Logged In"),
    )


def _steps(events: pd.DataFrame, parameters: Simulation) -> pd.DataFrame:
    """What each event adds to the evidence: it is known as soon as the event itself is."""
    before = events.shift(1)
    is_first = events["user_id"] != before["user_id"]
    same_session = ~is_first & (events["session_id"] == before["session_id"])
    adjacent = same_session & (events["item_in_session"] == before["item_in_session"] + 1)
    new_session = ~is_first & ~same_session
    elapsed = (events["ts"] - before["ts"]) / 1_000
    # A user who was there at the start of the log has waited since then; others begin with their registration.
    has_waited = is_first & (events["registration"] < midnight(parameters.start))
    since_start = ((events["ts"] - midnight(parameters.start)) / 1_000).clip(lower=0)
    redirects = {name for name, page in parameters.pages.items() if 300 <= page.status < 400}
    pauses = adjacent & ~before["page"].isin({SONG, *redirects})
    columns = {
        "sessions": (new_session | has_waited).astype(float),
        "waited": (elapsed - parameters.session_break_seconds).clip(lower=0).where(new_session, 0.0)
        + since_start.where(has_waited, 0.0),
        "pauses": pauses.astype(float),
        "paused": elapsed.where(pauses, 0.0),
    }
    pairs = pd.DataFrame(
        {
            "page": before["page"].where(adjacent | new_session),
            "level": before["level"].where(adjacent | new_session),
            "next_page": events["page"].where(adjacent),
            "next_level": events["level"].where(adjacent),
        }
    ).fillna("")
    codes, distinct = pd.factorize(pd.MultiIndex.from_frame(pairs))
    for name in parameters.populations:
        chain = Chain.of(parameters, name)
        table = np.array([_log_step(chain, *step) for step in distinct])
        columns[name] = pd.Series(table[codes], index=events.index)
    return pd.DataFrame(columns)


def _log_step(chain: Chain, page: str, level: str, next_page: str, next_level: str) -> float:
    """The log-probability of a step, or of the end of a session where there is no next page; 0 where unknown."""
    choice: Choice | None = chain.transitions.get(State(page, "Logged In", level))
    if choice is None or (not next_page and page == "Logout"):
        return 0.0
    chances = dict(zip(choice.outcomes, np.diff(choice.cumulative, prepend=0), strict=True))
    if not next_page:
        return math.log(max(1 - choice.cumulative[-1], 1e-9))
    auth = "Cancelled" if next_page == "Cancellation Confirmation" else "Logged In"
    return math.log(max(chances.get(State(next_page, auth, next_level), 0.0), 1e-9))
