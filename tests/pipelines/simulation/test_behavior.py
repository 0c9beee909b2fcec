"""Invariants of the simulated events of one user."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from kedro.config import OmegaConfigLoader

from sparkify_kedro.pipelines.simulation.behavior import Behavior, Chain, Clock, Event, Habits, State, walk
from sparkify_kedro.pipelines.simulation.parameters import Simulation
from sparkify_kedro.pipelines.simulation.songs import draw_song

CONF = Path(__file__).parents[3] / "conf"
RAW = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]["simulation"]
PARAMETERS = Simulation.model_validate(RAW)
START = int(datetime(2018, 10, 1, tzinfo=UTC).timestamp())


def events_of(
    seed: int, population: str = "template", parameters: Simulation = PARAMETERS, **changes: Any
) -> list[Event]:
    habits = Habits(first=START, event_gap=90, session_gap=86_400, level="free", auth="Logged In")._replace(**changes)
    behavior, clock = Behavior.of(parameters, population), Clock.of(parameters)
    return list(walk(habits, behavior, clock, Random(seed)))


@pytest.mark.parametrize("seed", range(5))
def test_time_never_runs_back_and_stays_inside_the_log(seed: int) -> None:
    events = events_of(seed)
    seconds = [event.second for event in events]
    assert seconds == sorted(seconds)
    assert seconds[0] >= START
    assert seconds[-1] < int(datetime(2018, 12, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("seed", range(5))
def test_sessions_are_numbered_without_gaps_and_half_an_hour_apart(seed: int) -> None:
    events = events_of(seed)
    for before, after in pairwise(events):
        if after.session == before.session:
            assert after.item == before.item + 1
        else:
            assert (after.session, after.item) == (before.session + 1, 0)


def test_only_transitions_of_the_table_occur() -> None:
    chain = Chain.of(PARAMETERS, "template")
    events = events_of(1)
    for before, after in pairwise(events):
        if after.session == before.session:
            assert after.state in chain.transitions[before.state].outcomes


def test_level_and_login_state_carry_over_to_the_next_session() -> None:
    events = events_of(2, session_gap=7_200)
    openings = [(a, b) for a, b in pairwise(events) if b.session != a.session]
    assert openings
    for last, first in openings:
        assert (first.state.level, first.state.auth) == (last.state.level, last.state.auth)


def test_a_factor_makes_the_page_cancel_as_many_times_as_likely() -> None:
    """At the expense of all else, the end of the session included, in proportion."""
    usual, often = (Chain.of(PARAMETERS, "template", factor).transitions for factor in (1.0, 3.0))
    settings = State("Settings", "Logged In", "free")
    for state, choice in usual.items():
        before, after = (np.diff([0, *each.cumulative, 1]) for each in (choice, often[state]))
        is_cancel = [to.page == "Cancel" for to in choice.outcomes] + [False]
        assert after[is_cancel] == pytest.approx(3 * before[is_cancel])
        others = ~np.array(is_cancel)
        kept = (1 - after[is_cancel].sum()) / (1 - before[is_cancel].sum())
        assert after[others] == pytest.approx(kept * before[others], abs=1e-12)
    assert any(to.page == "Cancel" for to in usual[settings].outcomes)


def test_behavior_changes_on_the_day_and_not_before() -> None:
    day = datetime(2018, 10, 20, tzinfo=UTC)
    change = {"date": day.date().isoformat(), "factor": 50.0}
    changed = Simulation.model_validate(RAW | {"cancellation_change": change})
    gone = {}
    for parameters in (PARAMETERS, changed):
        walks = [events_of(seed, parameters=parameters, session_gap=40_000) for seed in range(10)]
        gone[parameters.cancellation_change.date] = sum(walk[-1].state.auth == "Cancelled" for walk in walks)
        for seed, events in enumerate(walks):
            usual = [event for event in events_of(seed, session_gap=40_000) if event.second < day.timestamp()]
            assert events[: len(usual)] == usual
    assert gone[None] < 8 < gone[day.date()]


def test_a_cancelled_user_never_returns() -> None:
    walks = [events_of(seed, "many_adverts", session_gap=7_200) for seed in range(20)]
    cancelled = [w for w in walks if any(event.state.auth == "Cancelled" for event in w)]
    assert cancelled
    for events in cancelled:
        assert [event.state.auth == "Cancelled" for event in events].count(True) == 1
        assert events[-1].state.page == "Cancellation Confirmation"


def test_a_redirect_takes_a_second_and_a_song_is_heard_to_its_end() -> None:
    events = events_of(3)
    redirects = seconds_of_songs = 0
    for before, after in pairwise(events):
        if after.session != before.session:
            continue
        if after.state.page in ("Thumbs Up", "Add Friend", "Logout"):
            assert after.second == before.second + 1
            redirects += 1
        if before.song and after.song:
            assert after.second == before.second + int(before.song.length)
            seconds_of_songs += 1
    assert redirects and seconds_of_songs


def test_a_guest_arrives_at_once_and_others_after_a_pause() -> None:
    assert events_of(4, auth="Guest")[0].second == START
    assert events_of(4)[0].second > START


def test_half_of_the_weekend_starts_are_redrawn() -> None:
    """Without the redraw 2 of 7 sessions start on a weekend; with it about 1 of 6."""

    def weekend_share(redraw: float) -> float:
        clock = Clock.of(PARAMETERS)._replace(weekend_redraw=redraw)
        habits = Habits(START, 90, 90 * 86_400, "free", "Logged In")
        random = Random(0)
        starts = [clock.next_session(START, habits, random) for _ in range(4_000)]
        return sum(datetime.fromtimestamp(s, UTC).weekday() >= 5 for s in starts) / len(starts)

    assert weekend_share(0.0) == pytest.approx(2 / 7, abs=0.03)
    assert weekend_share(0.5) == pytest.approx(1 / 6, abs=0.03)


def test_a_population_differs_from_the_template_only_where_it_says_so() -> None:
    template, happy = (Chain.of(PARAMETERS, name).transitions for name in ("template", "happy"))
    song = State("NextSong", "Logged In", "paid")
    assert template.keys() == happy.keys()
    assert template[song] != happy[song]
    logged_out = State("Home", "Logged Out", "free")
    assert template[logged_out] == happy[logged_out]


def test_a_table_that_names_an_unknown_page_is_refused_by_name() -> None:
    changed = PARAMETERS.model_dump()
    changed["populations"]["happy"]["transitions"] = {"free": {"Logged In": {"Home": {"Hoem": 0.1}}}}
    with pytest.raises(ValueError, match="page 'Hoem'"):
        Chain.of(Simulation.model_validate(changed), "happy")


def test_a_row_above_one_is_refused() -> None:
    changed = PARAMETERS.model_dump()
    changed["populations"]["happy"]["transitions"] = {"free": {"Logged In": {"Home": {"NextSong": 1.0}}}}
    with pytest.raises(ValueError, match="sum to more than 1"):
        Chain.of(Simulation.model_validate(changed), "happy")


def test_few_artists_get_most_plays() -> None:
    """With density falling as 1 / sqrt(rank), the first per cent of the artists gets a tenth of all plays."""
    random = Random(0)
    plays = Counter(draw_song(random).artist for _ in range(20_000))
    first_percent = sum(count for _, count in plays.most_common(9))
    assert first_percent / 20_000 == pytest.approx(0.1, abs=0.02)


def test_the_same_song_has_the_same_length() -> None:
    random = Random(1)
    lengths: dict[tuple[str, str], set[float]] = {}
    for _ in range(20_000):
        song = draw_song(random)
        lengths.setdefault((song.artist, song.title), set()).add(song.length)
    assert max(map(len, lengths.values())) == 1
