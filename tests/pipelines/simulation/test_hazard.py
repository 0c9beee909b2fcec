"""The true probability of an event, against the simulation of many users from a known state."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from random import Random
from statistics import fmean, stdev

import numpy as np
import pytest
from kedro.config import OmegaConfigLoader

from sparkify_kedro.churn.vocabulary import CANCELLATION, DOWNGRADE, UPGRADE
from sparkify_kedro.pipelines.simulation.behavior import DAY, Behavior, Clock, Habits, walk
from sparkify_kedro.pipelines.simulation.hazard import Hazard
from sparkify_kedro.pipelines.simulation.parameters import Simulation

CONF = Path(__file__).parents[3] / "conf"
RAW = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]["simulation"]
PARAMETERS = Simulation.model_validate(RAW)
POPULATIONS = tuple(PARAMETERS.populations)
LEVELS = ("free", "paid")
EVENTS = (CANCELLATION, DOWNGRADE, UPGRADE)
WEEK = 7 * DAY
USERS = 150
# A frequency strays further than this many standard errors once in 16 000 times.
STANDARD_ERRORS = 4


def test_behavior_that_changes_has_no_single_truth() -> None:
    changed = Simulation.model_validate(RAW | {"cancellation_change": {"date": "2018-11-01", "factor": 2.0}})
    with pytest.raises(ValueError, match=r"set simulation\.cancellation_change\.date to null"):
        Hazard.of(changed, "template")


def hazard(population: str = "template", page: str = CANCELLATION) -> Hazard:
    return Hazard.of(PARAMETERS, population, page)


def happens(parameters: Simulation, population: str, habits: Habits, users: int) -> Counter[str]:
    """How many of ``users`` walks have an event within 14 days, by its page, that start at any time of a week."""
    behavior, clock = Behavior.of(parameters, population), Clock.of(parameters)
    happened: Counter[str] = Counter()
    for user in range(users):
        random = Random(f"{population} {user}")
        first = clock.start + int(random.random() * WEEK)
        events = walk(habits._replace(first=first), behavior, clock._replace(end=first + 2 * WEEK), random)
        happened.update({event.state.page for event in events} & set(EVENTS))
    return happened


@cache
def happens_to_daily_users(population: str, level: str) -> Counter[str]:
    return happens(PARAMETERS, population, Habits(0, 90, DAY, level, "Logged In"), USERS)


def sessions(
    parameters: Simulation, population: str, habits: Habits, count: int
) -> Iterator[tuple[tuple[str, str], int]]:
    """Where a first session ends, and how many seconds after its first event."""
    behavior, clock, random = Behavior.of(parameters, population), Clock.of(parameters), Random(0)
    habits, clock = habits._replace(first=clock.start), clock._replace(end=clock.start + 1_000 * DAY)
    for _ in range(count):
        events = list(takewhile(lambda event: event.session == 0, walk(habits, behavior, clock, random)))
        state = events[-1].state
        yield (state.level, state.auth), events[-1].second - events[0].second


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("population", POPULATIONS)
def test_simulated_cancellations_agree_with_the_probability(population: str, level: str) -> None:
    truth = hazard(population).probability(level, "Logged In", 90, DAY)
    error = math.sqrt(truth * (1 - truth) / USERS)
    cancelled = happens_to_daily_users(population, level)[CANCELLATION]
    assert cancelled / USERS == pytest.approx(truth, abs=STANDARD_ERRORS * error)


@pytest.mark.parametrize(("level", "page"), [("free", UPGRADE), ("paid", DOWNGRADE)])
@pytest.mark.parametrize("population", POPULATIONS)
def test_simulated_changes_of_the_level_agree_with_the_probability(population: str, level: str, page: str) -> None:
    """A user who cancels before has not changed the level."""
    truth = hazard(population, page).probability(level, "Logged In", 90, DAY)
    error = math.sqrt(truth * (1 - truth) / USERS)
    changed = happens_to_daily_users(population, level)[page]
    assert changed / USERS == pytest.approx(truth, abs=STANDARD_ERRORS * error)


def test_simulated_cancellations_of_mixed_users_agree_with_the_probabilities() -> None:
    kinds = [(population, level) for population in POPULATIONS for level in LEVELS]
    truths = [hazard(population).probability(level, "Logged In", 90, DAY) for population, level in kinds]
    error = math.sqrt(sum(truth * (1 - truth) * USERS for truth in truths))
    cancelled = sum(happens_to_daily_users(*kind)[CANCELLATION] for kind in kinds)
    assert cancelled == pytest.approx(sum(truths) * USERS, abs=3 * error)


@pytest.mark.parametrize(
    ("population", "level", "auth"),
    [
        ("template", "free", "Guest"),
        ("template", "paid", "Logged Out"),
        *((population, level, "Logged In") for population in POPULATIONS for level in LEVELS),
    ],
)
def test_session_outcomes_and_durations_agree_with_simulation(population: str, level: str, auth: str) -> None:
    truth, count = hazard(population), 400
    opened = truth.standings.index((level, auth))
    standings, seconds = zip(*sessions(PARAMETERS, population, Habits(0, 90, DAY, level, auth), count), strict=True)
    ends = Counter("Cancelled" if end[1] == "Cancelled" else end for end in standings)
    for end, probability in zip((*truth.standings, "gone", "Cancelled"), truth.outcomes[opened], strict=True):
        error = math.sqrt(probability * (1 - probability) / count)
        # One session more or less than expected is no error where hardly any ends so.
        assert ends[end] / count == pytest.approx(probability, abs=STANDARD_ERRORS * error + 1 / count)
    error = stdev(seconds) / math.sqrt(count)
    assert truth.steps.seconds(90)[opened] == pytest.approx(fmean(seconds), abs=STANDARD_ERRORS * error)


def simulation_of(population: str, opening: str, rows: dict[str, dict[str, float]], **changes: object) -> Simulation:
    """One population of free users with a few transitions; every session opens with the same page."""
    return Simulation.model_validate(
        RAW
        | {
            "session_start": {"free": {"Logged In": {opening: 1}}},
            "transitions": {"free": {"Logged In": rows}},
            "populations": {population: {"share": 1, "transitions": {}}},
        }
        | changes
    )


def one_page_sessions(**changes: object) -> Simulation:
    """Sessions of one page, a twentieth of which lead to cancellation at once."""
    rows = {"Home": {"Cancel": 0.05}, "Cancel": {"Cancellation Confirmation, Cancelled": 1.0}}
    return simulation_of("one_page", "Home", rows, **changes)


@pytest.mark.parametrize("event_gap", [30, 300])
def test_pauses_overlap_with_songs(event_gap: int) -> None:
    parameters = simulation_of("songs", "NextSong", {"NextSong": {"Home": 0.8}, "Home": {"NextSong": 1.0}})
    habits = Habits(0, event_gap, DAY, "free", "Logged In")
    seconds = [duration for _, duration in sessions(parameters, "songs", habits, 4_000)]
    error = stdev(seconds) / math.sqrt(len(seconds))
    (truth,) = Hazard.of(parameters, "songs").steps.seconds(event_gap)
    assert truth == pytest.approx(fmean(seconds), abs=3 * error)


@pytest.mark.parametrize(
    "changes", [{"weekend_redraw": 0.0}, {"weekend_redraw": 0.9}, {"weekend_redraw": 0.0, "session_break_seconds": DAY}]
)
def test_weekends_and_breaks_reduce_the_sessions(changes: dict[str, object]) -> None:
    parameters, users = one_page_sessions(**changes), 1_000
    truth = Hazard.of(parameters, "one_page").probability("free", "Logged In", 1, DAY)
    error = math.sqrt(truth * (1 - truth) / users)
    cancelled = happens(parameters, "one_page", Habits(0, 1, DAY, "free", "Logged In"), users)[CANCELLATION]
    assert cancelled / users == pytest.approx(truth, abs=3 * error)


def test_sessions_without_duration_cancel_at_a_constant_rate() -> None:
    parameters = one_page_sessions(session_break_seconds=0, weekend_redraw=0.5)
    truth = Hazard.of(parameters, "one_page").probability("free", "Logged In", 1, DAY, days=10)
    assert truth == pytest.approx(1 - math.exp(-10 * 0.05 * (1 - 0.5 * 2 / 7)), rel=1e-3)


def test_a_cancelled_user_does_not_return() -> None:
    parameters = one_page_sessions()
    back = {"free": {"Cancelled": {"Cancellation Confirmation": {"Home, Logged In": 1.0}}}}
    returning = {"one_page": {"share": 1, "transitions": back}}
    truths = [Hazard.of(one, "one_page").outcomes for one in (parameters, one_page_sessions(populations=returning))]
    np.testing.assert_allclose(truths[0], [[0.95, 0, 0.05]])
    np.testing.assert_allclose(truths[1], truths[0])


@pytest.mark.parametrize("population", POPULATIONS)
def test_every_session_ends_somewhere(population: str) -> None:
    outcomes = hazard(population).outcomes
    assert outcomes.shape == (5, 7)
    assert (outcomes >= 0).all()
    np.testing.assert_allclose(outcomes.sum(axis=1), 1)


@pytest.mark.parametrize(("level", "auth"), hazard().standings)
def test_the_probability_increases_with_session_rate_and_horizon(level: str, auth: str) -> None:
    truth = hazard()
    by_gap = [truth.probability(level, auth, 90, gap * DAY) for gap in (64, 16, 4, 1, 0.25)]
    by_days = [truth.probability(level, auth, 90, 4 * DAY, days) for days in (0, 1, 14, 60, 10_000)]
    assert by_gap == sorted(set(by_gap))
    assert by_days == sorted(set(by_days))
    assert by_days[0] == 0
    assert by_days[-1] == pytest.approx(1)


@pytest.mark.parametrize("level", LEVELS)
def test_longer_pauses_make_longer_and_fewer_sessions(level: str) -> None:
    truth = hazard()
    short, long = (truth.probability(level, "Logged In", gap, DAY) for gap in (30, 300))
    assert 0.9 * short < long < short


@pytest.mark.parametrize("level", LEVELS)
def test_populations_have_the_expected_order(level: str) -> None:
    churn = {name: hazard(name).probability(level, "Logged In", 90, WEEK) for name in POPULATIONS}
    assert sorted(churn, key=churn.__getitem__) == ["happy", "template", "grumpy", "many_adverts"]


def test_an_unknown_population_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'shy' is not in simulation.populations \(template, many_adverts, grumpy"):
        Hazard.of(PARAMETERS, "shy")


@pytest.mark.parametrize(("level", "auth"), [("gold", "Logged In"), ("free", "Cancelled"), ("paid", "Guest")])
def test_a_standing_in_which_no_session_opens_is_refused(level: str, auth: str) -> None:
    with pytest.raises(ValueError, match=f"no session starts as '{level}, {auth}'; known are: free, Guest; "):
        hazard().probability(level, auth, 90, DAY)


@pytest.mark.parametrize(("event_gap", "session_gap", "days"), [(0, DAY, 14), (90, -1, 14), (90, DAY, -1)])
def test_invalid_gaps_and_days_are_refused(event_gap: float, session_gap: float, days: float) -> None:
    with pytest.raises(ValueError, match="gaps must be positive and days must not be negative"):
        hazard().probability("free", "Logged In", event_gap, session_gap, days)


def test_a_session_that_ends_where_none_opens_is_refused() -> None:
    starts = {level: dict(by_auth) for level, by_auth in RAW["session_start"].items()}
    del starts["paid"]["Logged Out"]
    with pytest.raises(ValueError, match=r"may end as 'paid, Logged Out', which simulation.session_start lacks"):
        Hazard.of(Simulation.model_validate(RAW | {"session_start": starts}), "template")
