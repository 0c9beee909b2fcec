"""The observer of the log, against the truth about simulated users."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from sklearn.metrics import roc_auc_score

from sparkify_kedro.pipelines.simulation.behavior import DAY, Behavior, Clock, Habits, walk
from sparkify_kedro.pipelines.simulation.hazard import Hazard
from sparkify_kedro.pipelines.simulation.nodes import _user
from sparkify_kedro.pipelines.simulation.observer import observed_probabilities
from sparkify_kedro.pipelines.simulation.parameters import Simulation

CONF = Path(__file__).parents[3] / "conf"
RAW = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")["parameters"]["simulation"]
PARAMETERS = Simulation.model_validate(RAW | {"users": 300})
CLOCK = Clock.of(PARAMETERS)
COLUMNS = ["user_id", "ts", "session_id", "item_in_session", "page", "level", "registration"]
LANDMARK = (CLOCK.start + 42 * DAY) * 1_000


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return pd.DataFrame([_user(number, PARAMETERS) for number in range(PARAMETERS.users)])


@pytest.fixture(scope="module")
def events(users: pd.DataFrame) -> pd.DataFrame:
    """The events in which users are logged in, as ingestion keeps them."""
    behaviors = {name: Behavior.of(PARAMETERS, name) for name in PARAMETERS.populations}
    rows = []
    for user in users.itertuples():
        habits = Habits(user.first_seen, user.event_gap_seconds, user.session_gap_seconds, user.level, user.auth)
        for event in walk(habits, behaviors[user.population], CLOCK, Random(f"events {user.user_id}")):
            if event.state.auth in ("Logged In", "Cancelled"):
                ts, state = event.second * 1_000, event.state
                rows.append((user.user_id, ts, event.session, event.item, state.page, state.level, user.registration))
    return pd.DataFrame(rows, columns=COLUMNS).assign(registration=lambda rows: rows["registration"] * 1_000)


@pytest.fixture(scope="module")
def rows(events: pd.DataFrame) -> pd.DataFrame:
    """The users who are there at the landmark, with what they do within 14 days."""
    known = events[events["ts"] < LANDMARK]
    gone = set(known.loc[known["page"] == "Cancellation Confirmation", "user_id"])
    later = events[events["ts"].between(LANDMARK, LANDMARK + 14 * DAY * 1_000 - 1)]
    cancelled = set(later.loc[later["page"] == "Cancellation Confirmation", "user_id"])
    there = sorted(set(known["user_id"]) - gone)
    return pd.DataFrame({"user_id": there, "bin_end": LANDMARK}).assign(
        label=lambda rows: rows["user_id"].isin(cancelled).astype(int)
    )


def truth(users: pd.DataFrame, events: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    last = events[events["ts"] < LANDMARK].groupby("user_id").last()
    hazards = {name: Hazard.of(PARAMETERS, name) for name in PARAMETERS.populations}
    known = rows.merge(users.drop(columns="level"), on="user_id").merge(last[["page", "level"]], on="user_id")
    return np.array(
        [
            hazards[user.population].probability(
                user.level,
                "Logged Out" if user.page == "Logout" else "Logged In",
                user.event_gap_seconds,
                user.session_gap_seconds,
            )
            for user in known.itertuples()
        ]
    )


def test_the_observer_is_right_on_average_and_knows_less_than_the_truth(
    users: pd.DataFrame, events: pd.DataFrame, rows: pd.DataFrame
) -> None:
    observed, true = observed_probabilities(events, rows, PARAMETERS), truth(users, events, rows)
    assert observed.mean() == pytest.approx(true.mean(), rel=0.15)
    # What is expected under an estimate varies less than the truth, and is close to it.
    assert observed.std() < true.std()
    assert np.corrcoef(np.log(observed), np.log(true))[0, 1] > 0.7
    assert roc_auc_score(rows["label"], observed) > 0.6


def test_events_at_the_landmark_or_later_are_not_known(events: pd.DataFrame, rows: pd.DataFrame) -> None:
    known = observed_probabilities(events[events["ts"] < LANDMARK], rows, PARAMETERS)
    assert observed_probabilities(events, rows, PARAMETERS) == pytest.approx(known)


@pytest.mark.faults
def test_the_order_of_rows_is_kept(events: pd.DataFrame, rows: pd.DataFrame) -> None:
    shuffled = rows.sample(frac=1, random_state=1)
    found = observed_probabilities(events, shuffled, PARAMETERS)
    expected = pd.Series(observed_probabilities(events, rows, PARAMETERS), index=rows["user_id"])
    assert found == pytest.approx(expected[shuffled["user_id"]].to_numpy())


def test_a_user_who_sees_many_adverts_is_recognized() -> None:
    """Of two users with as many sessions, the one who behaves like the population that cancels more."""
    sessions = []
    for user, page in (("adverts", "Roll Advert"), ("songs", "NextSong")):
        for session in range(6):
            for item, name in enumerate(["NextSong", page] * 10):
                ts = (CLOCK.start + session * 5 * DAY + item * 240) * 1_000
                sessions.append((user, ts, session, item, name, "free", 0))
    log = pd.DataFrame(sessions, columns=COLUMNS)
    both = pd.DataFrame({"user_id": ["adverts", "songs"], "bin_end": LANDMARK})
    many, few = observed_probabilities(log, both, PARAMETERS)
    assert many > 2 * few
