"""The exploration of a small log that was counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import plotly.graph_objects as go
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkify_kedro.pipelines.exploration import nodes
from sparkify_kedro.pipelines.exploration.parameters import Exploration

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
START = 1_538_352_000_000  # 2018-10-01, a Monday, midnight UTC
EXPLORATION = Exploration(session_minutes=[30, 90], pages=2, cohorts=1)

# user, session, day, minute, page, level
LINES = [
    ("ann", 1, 0, 0, "NextSong", "free"),
    ("ann", 1, 0, 10, "NextSong", "free"),
    ("ann", 1, 0, 29, "Home", "free"),
    ("ann", 2, 8, 0, "NextSong", "paid"),
    ("ann", 2, 8, 90, "Cancellation Confirmation", "paid"),
    ("bob", 3, 0, 60, "NextSong", "paid"),
    ("bob", 3, 0, 61, "Home", "paid"),
    ("bob", 3, 0, 61, "NextSong", "paid"),
    ("bob", 4, 6, 120, "Home", "free"),
    ("cy", 5, 9, 1439, "NextSong", "free"),
    ("cy", 5, 9, 1439, "<b>Page</b>", "free"),
]
REGISTERED = {"ann": datetime(2018, 7, 5, tzinfo=UTC), "bob": datetime(2018, 9, 9, tzinfo=UTC)}


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    rows = []
    for place, (user, session, day, minute, page, level) in enumerate(LINES):
        registered = REGISTERED.get(user, datetime(2018, 9, 30, tzinfo=UTC))
        ts = START + day * DAY + minute * MINUTE
        milliseconds = int(registered.timestamp()) * 1_000
        rows.append((user, session, place, ts, date(2018, 10, 1 + day), page, level, milliseconds))
    schema = (
        "user_id string, session_id long, item_in_session int, ts long, event_date date, page string, level string, "
        "registration long"
    )
    return spark.createDataFrame(rows, schema).cache()


def records(table: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in table.itertuples(index=False)]


def test_sessions_are_counted_by_their_length(events: DataFrame) -> None:
    table = nodes.session_lengths(events, [90, 30])
    assert records(table) == [
        ("cancels", 0, 1, 0.5), ("cancels", 2, 1, 0.5), ("stays", 0, 3, 1.0),
    ]  # fmt: skip
    figure = nodes.draw_sessions(events, EXPLORATION)
    cancels, stays = figure.data
    assert list(cancels.x) == ["under 30 min", "30 min to 1.5 h", "1.5 h and more"]
    assert (list(cancels.y), list(stays.y)) == ([0.5, 0, 0.5], [1, 0, 0])


def test_users_are_active_in_the_weeks_of_their_events(events: DataFrame) -> None:
    table = nodes.retention(events, 1)
    assert records(table) == [
        # ann, of July; bob and cy, of September.
        ("2018-09", 0, 1, 2, 0.5), ("2018-09", 1, 1, 2, 0.5), ("earlier", 0, 1, 1, 1.0), ("earlier", 1, 1, 1, 1.0),
    ]  # fmt: skip
    assert set(nodes.retention(events, 5)["cohort"]) == {"2018-07", "2018-09"}
    (heat,) = nodes.draw_retention(events, EXPLORATION).data
    # Plotly draws upward: the earliest cohort is on top.
    assert list(heat.y) == ["2018-09 (2)", "earlier (1)"]
    assert [list(row) for row in heat.z] == [[0.5, 0.5], [1.0, 1.0]]


def test_transitions_are_within_sessions_and_most_visited_pages(events: DataFrame) -> None:
    assert records(nodes.transitions(events, 2)) == [
        ("cancels", "NextSong", "Home", 1, 0.5),
        ("cancels", "NextSong", "NextSong", 1, 0.5),
        # Two events at the same time are in the order of their numbers.
        ("stays", "Home", "NextSong", 1, 1.0),
        ("stays", "NextSong", "Home", 1, 1.0),
    ]
    everything = nodes.transitions(events, 9)
    assert ("stays", "NextSong", "<b>Page</b>", 1, 0.5) in records(everything)
    figure = nodes.draw_transitions(events, Exploration(session_minutes=[1], pages=9, cohorts=1))
    assert "&lt;b&gt;Page&lt;/b&gt;" in figure.data[0].x
    assert figure.data[0].z[list(figure.data[0].y).index("NextSong")][
        list(figure.data[0].x).index("Home")
    ] == pytest.approx(1 / 3)


def test_songs_are_counted_by_weekday_and_hour(events: DataFrame) -> None:
    assert records(nodes.listening_by_week(events)) == [
        ("cancels", 0, 0, 2, 2 / 3), ("cancels", 1, 0, 1, 1 / 3), ("stays", 0, 1, 2, 2 / 3), ("stays", 2, 23, 1, 1 / 3),
    ]  # fmt: skip
    cancels, stays = nodes.draw_week(events).data
    assert cancels.z[0][0] == pytest.approx(2 / 3)
    assert (stays.z[0][1], stays.z[2][23], stays.z[6][5]) == (pytest.approx(2 / 3), pytest.approx(1 / 3), 0)


def test_users_flow_from_their_first_level_to_their_last(events: DataFrame) -> None:
    assert records(nodes.level_flows(events)) == [("free", "free", 1), ("free", "gone", 1), ("paid", "free", 1)]
    (flows,) = nodes.draw_level_flows(events).data
    labels = list(flows.node.label)
    assert labels == ["begins free: 2", "begins paid: 1", "ends free: 2", "ends paid: 0", "ends gone: 1"]
    links = zip(flows.link.source, flows.link.target, flows.link.value, strict=True)
    assert {(labels[one][:11], labels[other][:9], users) for one, other, users in links} == {
        ("begins free", "ends free", 1), ("begins free", "ends gone", 1), ("begins paid", "ends free", 1),
    }  # fmt: skip


def test_an_empty_log_has_figures(events: DataFrame) -> None:
    nothing = events.limit(0)
    drawn = [
        nodes.draw_sessions(nothing, EXPLORATION),
        nodes.draw_retention(nothing, EXPLORATION),
        nodes.draw_transitions(nothing, EXPLORATION),
        nodes.draw_week(nothing),
        nodes.draw_level_flows(nothing),
    ]
    assert all(isinstance(figure, go.Figure) and figure.layout.meta["how_to_read"] for figure in drawn)
