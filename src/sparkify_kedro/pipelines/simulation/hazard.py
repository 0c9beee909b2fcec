"""What a simulated user's churn truly hangs on: the probability of cancelling within some days, without simulating.

No model of the log can be expected to rank users between sessions better than this probability does: whatever else
happens to them is chance.

A session is an absorbing Markov chain over the pages: ``N = (I - Q)^-1``, its fundamental matrix, holds the expected
visits to each state, and from these follow where a session ends and how long it takes (Kemeny and Snell, Finite Markov
Chains, chapter 3). Sessions and the waits between them follow each other as a semi-Markov process, taken here as a
Markov chain in continuous time with generator ``G``, so that ``expm(G t)`` holds the probabilities of being in each
stage after a time ``t`` (Norris, Markov Chains, chapter 2).

Approximations:

* A session with the break after it lasts an exponentially distributed time with the right mean, whatever it leads to.
* A song lasts as long as the mean song, at most one pause passes while it plays, and a session's first song is waited
  for like any other.
* Weekends thin the sessions by their share of the week, as if the thinning were spread over it: right over whole weeks,
  and over other horizons on average over the days they may start on. The breaks that a redraw adds are left out.
* The daily swing moves sessions within their day and changes nothing else.

Over 14 days the probability is about 2 % of itself too high for users who come several times a day and within 1 % for
those who come once a day or less, as far as thousands of walks for each of several populations, levels and gaps tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.linalg import expm

from sparkify_kedro.churn.vocabulary import SONG

from .behavior import DAY, Chain, Choice, State
from .parameters import Simulation
from .songs import draw_song

WEEKEND_SHARE = 2 / 7

# The level and the login state in which a session opens or ends.
Standing = tuple[str, str]


class Steps(NamedTuple):
    """Expected steps of a session by what they wait for: arrays with a place for each standing it may open in."""

    redirects: np.ndarray
    pauses: np.ndarray
    songs: np.ndarray
    songs_after_pause: np.ndarray

    def seconds(self, event_gap: float) -> np.ndarray:
        """Expected seconds from a session's first event to its last, at a mean pause of ``event_gap`` seconds.

        A step to a redirect takes a second and a step to a song the rest of the song before it: all of it, or, after a
        pause ``X`` of mean ``a``, the part of length ``L`` that is left: ``E[max(L - X, 0)] = L - a (1 - exp(-L/a))``.
        """
        song = _mean_song_seconds()
        heard_in_pause = event_gap * -np.expm1(-song / event_gap)
        seconds: np.ndarray = (
            self.redirects + self.pauses * event_gap + self.songs * song - self.songs_after_pause * heard_in_pause
        )
        return seconds


class Hazard(NamedTuple):
    """How often and how users of a population cancel.

    ``standings`` are the n pairs of level and login state in which a session may open. ``outcomes`` (n x (n + 1)) are
    the probabilities that a session opened in each ends in each, and in the last column that it ends in cancellation;
    rows sum to 1. ``sessions_kept`` is the share of session starts that weekends leave.
    """

    standings: tuple[Standing, ...]
    outcomes: np.ndarray
    steps: Steps
    session_break: float
    sessions_kept: float

    @classmethod
    def of(cls, parameters: Simulation, population: str) -> Hazard:
        """Compute once per population what does not depend on the user.

        Raises:
            ValueError: where there is no such population, or a session may end where none opens.
        """
        if population not in parameters.populations:
            known = ", ".join(parameters.populations)
            raise ValueError(f"'{population}' is not in simulation.populations ({known})")
        chain = Chain.of(parameters, population)
        standings, states = tuple(chain.openings), _states(chain)
        openings = _matrix([chain.openings[standing] for standing in standings], states)
        transitions = _matrix([_onward(chain, state) for state in states], states)
        visits = _expected_visits(openings, transitions)
        return cls(
            standings=standings,
            outcomes=_outcomes(visits * (1 - transitions.sum(axis=1)), standings, states),
            steps=_steps(openings, transitions, visits, states, chain.redirects),
            session_break=parameters.session_break_seconds,
            sessions_kept=1 - parameters.weekend_redraw * WEEKEND_SHARE,
        )

    def churn_probability(
        self, level: str, auth: str, event_gap_seconds: float, session_gap_seconds: float, days: float = 14
    ) -> float:
        """The probability that a user who waits for the next session cancels within some days.

        Args:
            level: the user's level, ``free`` or ``paid``.
            auth: the user's login state, ``Logged In``, ``Logged Out`` or ``Guest``.
            event_gap_seconds: the user's own mean pause between events.
            session_gap_seconds: the user's own mean pause between sessions.
            days: the horizon, from now.

        Returns:
            A probability.

        Raises:
            ValueError: where no session opens in this level and login state, a gap is not positive or days are
                negative.
        """
        if (level, auth) not in self.standings:
            known = "; ".join(", ".join(standing) for standing in self.standings)
            raise ValueError(f"no session opens as '{level}, {auth}', only as one of: {known}")
        if event_gap_seconds <= 0 or session_gap_seconds <= 0 or days < 0:
            raise ValueError("gaps must be positive and days must not be negative")
        generator = self._generator(event_gap_seconds, session_gap_seconds)
        return float(expm(generator * days * DAY)[self.standings.index((level, auth)), -1])

    def _generator(self, event_gap: float, session_gap: float) -> np.ndarray:
        """Rates per second between n times waiting, n times in a session, and cancelled: (2n + 1) x (2n + 1)."""
        count = len(self.standings)
        # A session of a single event with no break would be over at once; a second keeps its rate finite.
        in_session = np.maximum(self.steps.seconds(event_gap) + self.session_break, 1)
        to_waiting, to_cancelled = self.outcomes[:, :-1], self.outcomes[:, -1]
        rates = np.zeros((2 * count + 1, 2 * count + 1))
        rates[:count, count:-1] = np.eye(count) * self.sessions_kept / session_gap
        rates[count:-1, :count] = to_waiting / in_session[:, None]
        rates[count:-1, -1] = to_cancelled / in_session
        return rates - np.diag(rates.sum(axis=1))


def _states(chain: Chain) -> list[State]:
    choices = [*chain.openings.values(), *chain.transitions.values()]
    return sorted({*chain.transitions, *(state for choice in choices for state in choice.outcomes)})


def _onward(chain: Chain, state: State) -> Choice | None:
    """Where a session goes from a state; nowhere once cancelled."""
    return None if state.auth == "Cancelled" else chain.transitions.get(state)


def _matrix(choices: Sequence[Choice | None], states: list[State]) -> np.ndarray:
    """Probabilities of each choice (rows) to lead to each state (columns)."""
    column = {state: position for position, state in enumerate(states)}
    matrix = np.zeros((len(choices), len(states)))
    for row, choice in zip(matrix, choices, strict=True):
        if choice is not None:
            row[[column[state] for state in choice.outcomes]] = np.diff(choice.cumulative, prepend=0)
    return matrix


def _expected_visits(openings: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """Openings times the fundamental matrix: expected visits to each state (columns) by opening (rows)."""
    return np.linalg.solve((np.eye(len(transitions)) - transitions).T, openings.T).T


def _outcomes(ends: np.ndarray, standings: tuple[Standing, ...], states: list[State]) -> np.ndarray:
    """Add the probabilities to end in each state up to those to end in each standing, and in cancellation."""
    outcomes = np.zeros((len(standings), len(standings) + 1))
    for state, probabilities in zip(states, ends.T, strict=True):
        if state.auth == "Cancelled":
            outcomes[:, -1] += probabilities
        elif (state.level, state.auth) in standings:
            outcomes[:, standings.index((state.level, state.auth))] += probabilities
        elif (probabilities > 1e-9).any():
            raise ValueError(
                f"a session may end as '{state.level}, {state.auth}', which simulation.session_start lacks"
            )
    return outcomes


def _steps(
    openings: np.ndarray, transitions: np.ndarray, visits: np.ndarray, states: list[State], redirects: frozenset[str]
) -> Steps:
    """Count a session's expected steps; the visit it opens with is not one, for it takes no time."""
    is_song = np.array([state.page == SONG for state in states])
    is_redirect = np.array([state.page in redirects for state in states])
    is_pause = ~is_song & ~is_redirect
    entries = visits - openings
    return Steps(
        redirects=entries @ is_redirect,
        pauses=entries @ is_pause,
        songs=entries @ is_song,
        songs_after_pause=(visits * is_pause) @ (transitions @ is_song),
    )


@cache
def _mean_song_seconds(plays: int = 10_000) -> float:
    """Mean whole seconds of a play, from enough of them to be within half a second or so."""
    random = Random(0)
    return fmean(int(draw_song(random).length) for _ in range(plays))
