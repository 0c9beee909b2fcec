"""The behavior of a simulated user: a random walk over pages, in sessions, until the log ends or the user cancels.

The model follows the open eventsim generator: a Markov chain over (page, login state, level), in which the probability
missing from a row's sum ends the session, and exponential pauses between events and between sessions, with means per
user. Pure Python, one user at a time, without Spark.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from itertools import accumulate
from random import Random
from typing import NamedTuple

from sparkify_kedro.churn.vocabulary import SONG, midnight

from .parameters import Simulation, TransitionTable
from .songs import Song, draw_song

DAY = 86_400
CANCEL = "Cancel"


class State(NamedTuple):
    """A state of the Markov chain."""

    page: str
    auth: str
    level: str


class Choice(NamedTuple):
    """Outcomes with their cumulative probabilities, which may sum to less than 1."""

    outcomes: list[State]
    cumulative: list[float]

    def draw(self, random: Random) -> State | None:
        """Draw an outcome; None with the probability that the outcomes lack to 1."""
        position = bisect_right(self.cumulative, random.random())
        return self.outcomes[position] if position < len(self.outcomes) else None


class Event(NamedTuple):
    """An event: seconds since the epoch, session, position in the session, state, and the song if one starts."""

    second: int
    session: int
    item: int
    state: State
    song: Song | None


class Habits(NamedTuple):
    """A user's mean pauses and initial state.

    ``first`` is in seconds since the epoch; ``event_gap`` and ``session_gap`` are mean seconds between two events and
    between two sessions.
    """

    first: int
    event_gap: float
    session_gap: float
    level: str
    auth: str


class Clock(NamedTuple):
    """The time window of the log, in seconds since the epoch, and the daily and weekly pattern of session starts."""

    start: int
    end: int
    session_break: int
    swing_seconds: float
    swing_offset: float
    weekend_redraw: float

    @classmethod
    def of(cls, parameters: Simulation) -> Clock:
        """Create the clock from the parameters."""
        return cls(
            start=_midnight(parameters.start),
            end=_midnight(parameters.end),
            session_break=parameters.session_break_seconds,
            swing_seconds=parameters.daily_swing.strength * DAY,
            swing_offset=parameters.daily_swing.offset_hours * 3_600,
            weekend_redraw=parameters.weekend_redraw,
        )

    def _swing(self, second: int) -> int:
        phase = 2 * math.pi * (second % DAY - self.swing_offset) / DAY
        return int(second + self.swing_seconds * math.sin(phase))

    def next_session(self, after: int, habits: Habits, random: Random) -> int:
        """Draw the start (seconds since the epoch) of the session that follows the last event."""
        start = after
        while True:
            drawn = self._swing(start + self.session_break + int(random.expovariate(1 / habits.session_gap)))
            if drawn <= after:
                continue
            start = drawn
            # 1970-01-01 was a Thursday, so days 2 and 3 modulo 7 are Saturday and Sunday.
            is_weekend = start // DAY % 7 in (2, 3)
            if not (is_weekend and random.random() < self.weekend_redraw):
                return start


class Chain(NamedTuple):
    """The transitions of a population, the initial states of sessions, and the pages that redirect within a second."""

    transitions: dict[State, Choice]
    openings: dict[tuple[str, str], Choice]
    redirects: frozenset[str]

    @classmethod
    def of(cls, parameters: Simulation, population: str, cancel_factor: float = 1.0) -> Chain:
        """Create the chain of a population: the common table, updated with the entries of the population.

        Args:
            parameters: the tables.
            population: the name of the population.
            cancel_factor: how many times as likely the page Cancel is, at the expense of all else.

        Raises:
            ValueError: where a table names a page that ``simulation.pages`` lacks, or a row sums to more than 1.
        """
        rows = _rows(parameters.transitions)
        for state, row in _rows(parameters.populations[population].transitions).items():
            rows[state] = rows.get(state, {}) | row
        rows = {state: _with_cancel(row, cancel_factor) for state, row in rows.items()}
        known = parameters.pages
        for state, row in rows.items():
            for reached in (state, *row):
                if reached.page not in known:
                    raise ValueError(
                        f"simulation.transitions names the page '{reached.page}', which simulation.pages lacks"
                    )
            if sum(row.values()) > 1 + 1e-9:
                raise ValueError(f"simulation.transitions of '{population}' from {tuple(state)} sum to more than 1")
        openings = {
            (level, auth): {State(page, auth, level): weight for page, weight in pages.items()}
            for level, by_auth in parameters.session_start.items()
            for auth, pages in by_auth.items()
        }
        return cls(
            transitions={state: _choice(row) for state, row in rows.items()},
            openings={key: _choice(row, total=sum(row.values())) for key, row in openings.items()},
            redirects=frozenset(name for name, page in known.items() if 300 <= page.status < 400),
        )


class Behavior(NamedTuple):
    """The chain of a population, and another one from a time on (seconds since the epoch), if it changes."""

    chain: Chain
    later: Chain
    changes_at: float

    @classmethod
    def of(cls, parameters: Simulation, population: str) -> Behavior:
        """Create the behavior of a population.

        Raises:
            ValueError: as ``Chain.of``.
        """
        change, chain = parameters.cancellation_change, Chain.of(parameters, population)
        if change.date is None:
            return cls(chain, chain, math.inf)
        return cls(chain, Chain.of(parameters, population, change.factor), _midnight(change.date))

    def at(self, second: int) -> Chain:
        """The chain at a time."""
        return self.chain if second < self.changes_at else self.later


def walk(habits: Habits, behavior: Behavior, clock: Clock, random: Random) -> Iterator[Event]:
    """Generate the events of one user, in order.

    Args:
        habits: the user's mean pauses and initial state.
        behavior: that of the user's population.
        clock: the time window of the log.
        random: the random number generator of the user.

    Yields:
        Events with non-decreasing seconds, all before the clock's end.
    """
    level, auth = habits.level, habits.auth
    # A guest starts at once; a registered user returns after a pause between sessions.
    is_new = auth == "Guest"
    second = habits.first if is_new else clock.next_session(habits.first - clock.session_break, habits, random)
    session = 0
    while second < clock.end and auth != "Cancelled":
        chain = behavior.at(second)
        state = chain.openings[level, auth].draw(random)
        item, song_end = 0, 0
        while state is not None and second < clock.end:
            song = draw_song(random) if state.page == SONG else None
            if song:
                song_end = second + int(song.length)
            yield Event(second, session, item, state, song)
            level, auth, chain = state.level, state.auth, behavior.at(second)
            state = chain.transitions[state].draw(random) if state in chain.transitions else None
            item += 1
            if state is None:
                break
            if state.page in chain.redirects:
                second += 1
            elif state.page == SONG and song_end:
                # If the pause is longer than the song, the next song starts after the pause.
                second = max(second, song_end)
            else:
                second += int(random.expovariate(1 / habits.event_gap))
        second = clock.next_session(second, habits, random)
        session += 1


def _with_cancel(row: dict[State, float], factor: float) -> dict[State, float]:
    """The row with the page Cancel so many times as likely, and all else, the end of the session too, less likely."""
    before = sum(chance for to, chance in row.items() if to.page == CANCEL)
    if factor == 1 or before == 0:
        return row
    others = (1 - before * factor) / (1 - before)
    return {to: chance * (factor if to.page == CANCEL else others) for to, chance in row.items()}


def _rows(table: TransitionTable) -> dict[State, dict[State, float]]:
    return {
        State(page, auth, level): {_target(name, auth, level): chance for name, chance in row.items()}
        for level, by_auth in table.items()
        for auth, by_page in by_auth.items()
        for page, row in by_page.items()
    }


def _target(name: str, auth: str, level: str) -> State:
    """Parse ``Home`` (same login state and level), ``Home, paid`` or ``Home, Logged Out`` (one of them changes)."""
    page, _, change = name.partition(", ")
    if change in ("free", "paid"):
        return State(page, auth, change)
    return State(page, change or auth, level)


def _choice(row: dict[State, float], total: float = 1.0) -> Choice:
    return Choice(list(row), [chance / total for chance in accumulate(row.values())])


def _midnight(day: date) -> int:
    return midnight(day) // 1_000
