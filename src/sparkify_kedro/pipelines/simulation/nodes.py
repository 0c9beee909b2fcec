"""Simulated users and their event log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from .behavior import Behavior, Clock, Event, Habits, walk
from .parameters import Simulation
from .people import FIRST_NAMES, LAST_NAMES, LOCATIONS, USER_AGENTS

USERS_SCHEMA = """
    user_id string, population string, event_gap_seconds double, session_gap_seconds double, first_seen long,
    registration long, level string, auth string, gender string, first_name string, last_name string,
    location string, user_agent string, first_session long
"""
EVENT_COLUMNS = {
    "ts": "long", "userId": "string", "sessionId": "long", "page": "string", "auth": "string", "method": "string",
    "status": "long", "level": "string", "itemInSession": "long", "location": "string", "userAgent": "string",
    "lastName": "string", "firstName": "string", "registration": "long", "gender": "string", "artist": "string",
    "song": "string", "length": "double",
}  # fmt: skip
EVENTS_SCHEMA = ", ".join(f"{name} {kind}" for name, kind in EVENT_COLUMNS.items())
_ARROW_TYPES = {"long": pa.int64(), "string": pa.string(), "double": pa.float64()}
# The values of an event, in the order of the columns.
Row = tuple[Any, ...]
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

    def live(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        clock = Clock.of(parameters)
        behaviors = {name: Behavior.of(parameters, name) for name in parameters.populations}
        rows: list[Row] = []
        for batch in batches:
            for user in batch.to_pylist():
                habits = Habits(
                    first=user["first_seen"],
                    event_gap=user["event_gap_seconds"],
                    session_gap=user["session_gap_seconds"],
                    level=user["level"],
                    auth=user["auth"],
                )
                random = Random(f"{parameters.seed} events {user['user_id']}")
                rows += _lines(walk(habits, behaviors[user["population"]], clock, random), user, parameters)
                if len(rows) >= EVENTS_PER_BATCH:
                    yield _batch(rows)
                    rows = []
        if rows:
            yield _batch(rows)

    # Rows that are equal in these columns are equal in all, so the order of the log is deterministic.
    order = [F.col(name) for name in ("ts", "userId", "sessionId", "itemInSession", "page", "auth", "level")]
    start, end = Clock.of(parameters)[:2]
    time_slice = F.floor((F.col("ts") / 1_000 - start) * parameters.files / (end - start)).cast("int")
    return (
        simulated_users.mapInArrow(live, EVENTS_SCHEMA)
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


def _lines(events: Iterable[Event], user: Mapping[str, Any], parameters: Simulation) -> Iterator[Row]:
    """The values of each event, in the order of the columns; a user who is not logged in is not known."""
    user_id, others = user["user_id"], [user[name] for name in ("location", "user_agent", "last_name", "first_name")]
    known = (*others, user["registration"] * 1_000, user["gender"])
    unknown = (None,) * len(known)
    pages = {name: (page.method, page.status) for name, page in parameters.pages.items()}
    first_session = user["first_session"]
    for second, session, item, (page, auth, level), song in events:
        is_known = auth in ("Logged In", "Cancelled")
        yield (
            second * 1_000, user_id if is_known else "", first_session + session, page, auth, *pages[page], level, item,
            *(known if is_known else unknown), *(song or (None, None, None)),
        )  # fmt: skip


def _batch(rows: list[Row]) -> pa.RecordBatch:
    types = [_ARROW_TYPES[kind] for kind in EVENT_COLUMNS.values()]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, list(EVENT_COLUMNS))


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
