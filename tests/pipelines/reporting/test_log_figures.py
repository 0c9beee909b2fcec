"""Figures of a small log that was counted by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from partial_reports import report
from sparkify_kedro.churn.reports import Comparison
from sparkify_kedro.framework.skipping import Skipped
from sparkify_kedro.pipelines.reporting.log_figures import (
    churn_by_bin,
    draw_activity,
    draw_churn_by_tenure,
    draw_class_balance,
    draw_listening,
    draw_pages,
    listening_by_hour,
    most_played,
    wilson_interval,
)
from sparkify_kedro.pipelines.reporting.parameters import Reporting

DAY, HOUR = 86_400_000, 3_600_000
START = 1_538_352_000_000  # 2018-10-01, midnight UTC
REPORTING = Reporting.model_validate(
    {
        "pages": 3, "songs": 2, "tenure_bins": 3, "features": 5, "users_at_risk": 2,
        "published": {"original": {}, "rerun": {}},
    }
)  # fmt: skip

# user, day, hour, page, level, song
LINES = [
    ("ann", 0, 1, "NextSong", "free", "A"),
    ("ann", 0, 1, "NextSong", "free", "B"),
    ("ann", 1, 23, "NextSong", "free", "A"),
    ("ann", 1, 23, "Thumbs Up", "free", None),
    ("ann", 2, 0, "Cancellation Confirmation", "free", None),
    ("bob", 0, 1, "NextSong", "paid", "A"),
    ("bob", 0, 2, "Submit Downgrade", "paid", None),
    ("bob", 0, 3, "NextSong", "free", "C"),
    ("cy", 2, 5, "NextSong", "paid", "<script>"),
    ("cy", 2, 5, "<b>New Page</b>", "paid", None),
]


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    rows = [
        (
            user,
            START + day * DAY + hour * HOUR,
            date(2018, 10, 1 + day),
            page,
            level,
            f"by {song}" if song else None,
            song,
        )
        for user, day, hour, page, level, song in LINES
    ]
    schema = "user_id string, ts bigint, event_date date, page string, level string, artist string, song string"
    return spark.createDataFrame(rows, schema).coalesce(1).cache()


def test_events_and_users_are_counted_per_day(events: DataFrame) -> None:
    volume, users = draw_activity(events)
    days = ["2018-10-01", "2018-10-02", "2018-10-03"]
    assert (list(volume.data[0].x), list(volume.data[0].y)) == (days, [5, 2, 3])
    by_level = {trace.name: list(trace.y) for trace in users.data}
    # Bob was paid and free on the first day, and counts under both.
    assert by_level == {"free": [2, 1, 1], "paid": [1, 0, 1]}


def test_pages_are_shown_per_1000_songs_and_escaped(events: DataFrame) -> None:
    figure = draw_pages(events, REPORTING)
    (bars,) = figure.data
    assert len(bars.y) == 3
    shown = dict(zip(bars.y, bars.x, strict=True))
    assert shown["&lt;b&gt;New Page&lt;/b&gt;"] == pytest.approx(1_000 / 6)
    assert "NextSong" not in shown
    assert "6 songs" in figure.layout.title.text


def test_a_log_without_songs_has_a_figure(events: DataFrame) -> None:
    silent = events.where("page = 'Thumbs Up'")
    assert list(draw_pages(silent, REPORTING).data[0].x) == [0]
    assert draw_listening(silent).data == ()
    draw_listening(events.limit(0)).to_json()
    draw_pages(events.limit(0), REPORTING).to_json()


def test_listening_is_averaged_over_the_days_a_group_was_active(events: DataFrame) -> None:
    table = listening_by_hour(events).set_index(["level", "outcome", "hour"])
    # Ann churns: three songs on three days on which she was active.
    assert table.loc[("free", "churns", 1), "songs_per_day"] == pytest.approx(2 / 3)
    assert table.loc[("free", "churns", 23), "songs_per_day"] == pytest.approx(1 / 3)
    # Bob downgraded; his song as a free user counts for that level alone.
    assert table.loc[("free", "downgrades", 3), ["songs", "days", "users"]].tolist() == [1, 1, 1]
    assert table.loc[("paid", "downgrades", 1), "songs_per_day"] == 1
    assert table.loc[("paid", "stays", 5), "songs_per_day"] == 1
    assert table["songs"].sum() == 6


def test_the_originals_plot_has_a_panel_per_level_and_a_line_per_outcome(events: DataFrame) -> None:
    figure = draw_listening(events)
    names = [trace.name for trace in figure.data]
    assert names == [
        "churns, free (1 users)", "downgrades, free (1 users)", "downgrades, paid (1 users)", "stays, paid (1 users)",
    ]  # fmt: skip
    line = figure.data[0]
    assert list(line.x) == list(range(24))
    assert sum(line.y) == pytest.approx(1)
    assert [title.text for title in figure.layout.annotations] == ["while free", "while paid"]


def test_most_played_songs(events: DataFrame) -> None:
    assert most_played(events, REPORTING) == [
        {"artist": "by A", "song": "A", "plays": 3},
        {"artist": "by <script>", "song": "<script>", "plays": 1},
    ]


def test_churn_by_bin_counts_late_bins_together(spark: SparkSession) -> None:
    rows = [("a", 0, 0), ("b", 0, 1), ("c", 1, 0), ("d", 2, 1), ("e", 7, 0), ("f", 9, 0)]
    bins = spark.createDataFrame(rows, "user_id string, time_bin int, churned_in_time_bin int")
    table = churn_by_bin(bins, 2)
    assert table[["time_bin", "users", "churned"]].to_numpy().tolist() == [[0, 2, 1], [1, 1, 0], [2, 3, 1]]
    figure = draw_churn_by_tenure(bins, 14, REPORTING)
    line = figure.data[1]
    assert (list(line.x), list(line.text)) == (["0", "1", "2+"], ["1 of 2 users", "0 of 1 users", "1 of 3 users"])


@pytest.mark.parametrize(
    ("positives", "rows", "low", "high"), [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)]
)
def test_wilson_interval(positives: int, rows: int, low: float, high: float) -> None:
    """As tabulated for ten rows."""
    found = wilson_interval(pd.Series([positives / rows]), pd.Series([rows]))
    assert [float(edge.iloc[0]) for edge in found] == pytest.approx([low, high], abs=1e-4)


def test_class_balance_shows_three_sets_per_label() -> None:
    def comparison(positives: int, **changes: Any) -> Comparison:
        sets = {name: {"rows": 100, "positives": positives} for name in ("out_of_fold", "train", "test")}
        return report(Comparison, {"champion": "x", "algorithms": {"x": sets | changes}})

    empty = comparison(0, test={"rows": 0, "positives": 0})
    figure = draw_class_balance(will_churn_soon=comparison(10), churned=empty, skipped=Skipped("no rows"))
    names = ["development rows", "training rows (negatives downsampled)", "test rows"]
    assert [trace.name for trace in figure.data] == names
    for trace in figure.data:
        assert dict(zip(trace.y, trace.x, strict=True)) == {"will churn soon": 0.1, "churned": 0}
    assert "0 of 0" in figure.data[2].text
