"""Simulated users and their event log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from .behavior import Chain, Clock, Event, Habits, walk
from .parameters import Simulation
from .people import FIRST_NAMES, LAST_NAMES, LOCATIONS, USER_AGENTS

USERS_SCHEMA = """
    user_id string, population string, event_gap_seconds double, session_gap_seconds double, first_seen long,
    registration long, level string, auth string, gender string, first_name string, last_name string,
    location string, user_agent string, first_session long
"""
EVENTS_SCHEMA = """
    ts long, userId string, sessionId long, page string, auth string, method string, status long, level string,
    itemInSession long, location string, userAgent string, lastName string, firstName string, registration long,
    gender string, artist string, song string, length double
"""
# The first users of the public log are numbered from 2.
FIRST_USER_ID = 2
EVENTS_PER_BATCH = 100_000


def simulate_users(parameters: Simulation) -> DataFrame:
    """Draw the users; each depends only on the seed and the user's number.

    Args:
        parameters: the simulation's parameters.

    Returns:
        One row per user: the population, the user's mean gaps between events and between sessions (seconds), the first
        possible activity and the registration (seconds since the epoch), the initial level and login state, and
        personal data.
    """

    def draw(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield pd.DataFrame([_user(int(number), parameters) for number in batch["id"]])

    # This node has no input dataframe, so it uses the session that the hooks have started.
    return SparkSession.builder.getOrCreate().range(parameters.users).mapInPandas(draw, USERS_SCHEMA)


def simulate_events(simulated_users: DataFrame, parameters: Simulation) -> DataFrame:
    """Simulate the events of every user from the start to the end of the log.

    Args:
        simulated_users: one row per user, as drawn by ``simulate_users``.
        parameters: the simulation's parameters.

    Returns:
        One row per event with the 18 columns of the public log, ordered by time, in ``files`` partitions.
    """

    def live(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        clock = Clock.of(parameters)
        chains = {name: Chain.of(parameters, name) for name in parameters.populations}
        rows: list[dict[str, Any]] = []
        for batch in batches:
            for user in batch.to_dict("records"):
                habits = Habits(
                    first=user["first_seen"],
                    event_gap=user["event_gap_seconds"],
                    session_gap=user["session_gap_seconds"],
                    level=user["level"],
                    auth=user["auth"],
                )
                random = Random(f"{parameters.seed} events {user['user_id']}")
                for event in walk(habits, chains[user["population"]], clock, random):
                    rows.append(_line(event, {str(name): value for name, value in user.items()}, parameters))
                if len(rows) >= EVENTS_PER_BATCH:
                    yield pd.DataFrame(rows)
                    rows = []
        if rows:
            yield pd.DataFrame(rows)

    # Rows that are equal in these columns are equal in all, so the order of the log is deterministic.
    order = [F.col(name) for name in ("ts", "userId", "sessionId", "itemInSession", "page", "auth", "level")]
    start, end = Clock.of(parameters)[:2]
    time_slice = F.floor((F.col("ts") / 1_000 - start) * parameters.files / (end - start)).cast("int")
    return (
        simulated_users.mapInPandas(live, EVENTS_SCHEMA)
        # Not repartitionByRange: Spark would run the simulation twice, once to sample the ranges.
        .repartitionById(parameters.files, time_slice)
        .sortWithinPartitions(*order)
    )


def _user(number: int, parameters: Simulation) -> dict[str, Any]:
    random = Random(f"{parameters.seed} user {number}")
    clock = Clock.of(parameters)
    age = parameters.account_age_days
    user: dict[str, Any] = {
        "user_id": str(FIRST_USER_ID + number),
        "population": _population(number, parameters),
        # exp(N(0, 1) - 1/2) has mean 1.
        "event_gap_seconds": parameters.event_gap_seconds * math.exp(random.gauss(0, 1) - 0.5),
        "session_gap_seconds": parameters.session_gap_seconds * math.exp(random.gauss(0, 1) - 0.5),
        "first_seen": clock.start,
        "registration": clock.start - _seconds(min(random.expovariate(1 / age.mean), age.max)),
        "level": _weighted(parameters.initial_level, random),
        "auth": _weighted(parameters.initial_auth, random),
        "gender": random.choice(sorted(FIRST_NAMES)),
        "last_name": random.choice(LAST_NAMES),
        "location": random.choice(LOCATIONS),
        "user_agent": random.choice(USER_AGENTS),
        # Session ids are unique per user only, as in the public log.
        "first_session": random.randrange(1, parameters.users + 1),
    }
    user["first_name"] = random.choice(FIRST_NAMES[user["gender"]])
    if random.random() < parameters.registered_inside_log:
        arrival = clock.start + int(random.random() * (clock.end - clock.start))
        user |= {"first_seen": arrival, "registration": arrival, "level": "free", "auth": "Guest"}
    return user


def _line(event: Event, user: dict[str, Any], parameters: Simulation) -> dict[str, Any]:
    page = parameters.pages[event.state.page]
    line = {
        "ts": event.second * 1_000,
        "userId": "",
        "sessionId": user["first_session"] + event.session,
        "page": event.state.page,
        "auth": event.state.auth,
        "method": page.method,
        "status": page.status,
        "level": event.state.level,
        "itemInSession": event.item,
        "location": None,
        "userAgent": None,
        "lastName": None,
        "firstName": None,
        "registration": None,
        "gender": None,
        "artist": event.song.artist if event.song else None,
        "song": event.song.title if event.song else None,
        "length": event.song.length if event.song else None,
    }
    if event.state.auth in ("Logged In", "Cancelled"):
        line |= {
            "userId": user["user_id"],
            "location": user["location"],
            "userAgent": user["user_agent"],
            "lastName": user["last_name"],
            "firstName": user["first_name"],
            "registration": user["registration"] * 1_000,
            "gender": user["gender"],
        }
    return line


def _population(number: int, parameters: Simulation) -> str:
    """Assign consecutive numbers to each population by its share, so every log has the same mix."""
    total = sum(population.share for population in parameters.populations.values())
    position = (number + 0.5) / parameters.users * total
    for name, population in parameters.populations.items():
        position -= population.share
        if position < 0:
            return name
    return name


def _weighted(weights: Mapping[Any, float], random: Random) -> str:
    return str(random.choices(list(weights), weights=list(weights.values()))[0])


def _seconds(days: float) -> int:
    return int(timedelta(days=days).total_seconds())
