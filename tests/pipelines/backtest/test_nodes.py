"""The backtest: rows known at a date, outcomes after it, and the figure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.config import OmegaConfigLoader
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import roc_auc_score

from partial_reports import report
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison, LogSpan
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training
from sparkify_kedro.pipelines.backtest.nodes import draw_backtest, known_rows, replay_cuts, users_with_outcome
from sparkify_kedro.pipelines.backtest.parameters import Backtest

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20, "few_positives": 3})
TRAINING = Training(seed=1, feature_set="extended", parallel_fits=2, rows_per_partition=1_000)
SEARCHES = {
    "random_forest": AlgorithmSearch(algorithm="random_forest", settings={"numTrees": 2}, grid={"maxDepth": [2]}),
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 10}, grid={"regParam": [0.1]}
    ),
}
LABEL = "will_churn_in_next_bin"
DAY = 86_400_000
DAYS = 14
BIN = DAYS * DAY


def ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


START = date(2018, 10, 1)
FIRST = ms(START)


# ---------------------------------------------------------------------------------------------------------------------
# By hand
# ---------------------------------------------------------------------------------------------------------------------

CUT = ms(date(2018, 11, 20))
HORIZON = CUT + BIN
HAND_SCHEMA = f"user_id string, time_bin int, bin_end bigint, at_risk boolean, {LABEL} int, churned_at bigint"
HAND = [
    # The next bin ends with the cut: its label is known. A millisecond later it is not.
    ("known", 1, CUT - BIN, True, 0, None),
    ("not yet", 1, CUT - BIN + 1, True, 0, None),
    ("leaves", 0, CUT - 2 * BIN, True, 1, None),
    ("leaves", 1, CUT - BIN, False, 0, CUT - BIN - 5),
    # In their last completed bin at the cut; they cancel at the cut, within the horizon, at its end, and before.
    ("at the cut", 2, CUT - 9, True, 1, None),
    ("at the cut", 3, CUT - 9 + BIN, False, 0, CUT),
    ("within", 2, CUT - 9, True, 1, None),
    ("within", 3, CUT - 9 + BIN, False, 0, CUT + BIN - 10),
    ("last moment", 2, CUT - 9, True, 0, None),
    ("last moment", 4, CUT - 9 + 2 * BIN, False, 0, HORIZON - 1),
    ("too late", 2, CUT - 9, True, 0, None),
    ("too late", 4, CUT - 9 + 2 * BIN, False, 0, HORIZON),
    ("before", 2, CUT - 9, True, 1, None),
    ("before", 3, CUT - 9 + BIN, False, 0, CUT - 1),
]


@pytest.fixture(scope="module")
def by_hand(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(HAND, HAND_SCHEMA).cache()


def test_a_label_is_known_after_the_end_of_the_next_bin(by_hand: DataFrame) -> None:
    found = known_rows(by_hand, LABEL, CUT, DAYS).collect()
    assert sorted((row.user_id, row.time_bin, row.label) for row in found) == [("known", 1, 0), ("leaves", 0, 1)]


def test_active_users_and_their_cancellations_within_the_horizon(by_hand: DataFrame) -> None:
    found = users_with_outcome(by_hand, CUT, HORIZON, DAYS).collect()
    assert sorted((row.user_id, row.time_bin, row.label) for row in found) == [
        ("at the cut", 2, 1),
        ("last moment", 2, 1),
        ("not yet", 1, 0),
        ("too late", 2, 0),
        ("within", 2, 1),
    ]


# ---------------------------------------------------------------------------------------------------------------------
# A small log
# ---------------------------------------------------------------------------------------------------------------------

# The log covers October and November, as the bundled one does.
SPAN = {"first_ts": FIRST, "last_ts": ms(date(2018, 12, 1)) - 5_000}
SCORES = {
    "rows": 400, "positives": 40, "prevalence": 0.1, "auc_pr": 0.31, "auc_pr_interval": [0.2, 0.45], "auc_roc": 0.74,
    "auc_roc_interval": [0.65, 0.8], "warning": None,
}  # fmt: skip
CARD: dict[str, Any] = {
    "label": LABEL,
    "algorithm": "logistic_regression",
    "features": ["adverts"],
    "feature_engineering": {"time_bin_days": DAYS},
}
COMPARISON: dict[str, Any] = {"algorithms": {"logistic_regression": {"test": SCORES}}}


def log(users: int = 80) -> pd.DataFrame:
    """Users who registered in the two weeks before the log, and are active in every bin until they cancel.

    A fifth of the users cancels in bin 2, a fifth in bin 3 and a fifth in bin 4; their adverts tell so in the bin
    before, and only then.
    """
    random = np.random.default_rng(4)
    rows = []
    for user in range(users):
        registration = FIRST - int(random.integers(0, 14)) * DAY - int(random.integers(0, DAY))
        leaves_in = {0: 2, 1: 3, 2: 4}.get(user % 5)
        for time_bin in range(5):
            start = registration + time_bin * BIN
            if start >= SPAN["last_ts"] or (leaves_in is not None and time_bin > leaves_in):
                break
            will = leaves_in == time_bin + 1
            rows.append(
                {
                    "user_id": f"u{user:03}", "time_bin": time_bin, "bin_end": start + BIN,
                    "adverts": int(random.integers(15, 20) if will else random.integers(0, 10)),
                    "songs": int(random.integers(0, 100)),
                    "at_risk": leaves_in != time_bin, LABEL: int(will),
                    "churned_at": start + 3 * DAY if leaves_in == time_bin else None,
                }
            )  # fmt: skip
    return pd.DataFrame(rows).astype({"churned_at": "Int64"})


SCHEMA = (
    f"user_id string, time_bin int, bin_end bigint, adverts int, songs int, at_risk boolean, {LABEL} int, "
    "churned_at bigint"
)


def table(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    plain = rows.astype(object).where(rows.notna(), None)
    return spark.createDataFrame([tuple(row) for row in plain.itertuples(index=False)], SCHEMA)


def replay(
    rows: DataFrame,
    *days: str,
    card: dict[str, Any] = CARD,
    folds: int = 2,
    horizon_days: int = 14,
    span: dict[str, Any] = SPAN,
) -> pd.DataFrame:
    backtest = Backtest.model_validate({"cut_dates": list(days), "horizon_days": horizon_days, "folds": folds})
    return replay_cuts(
        rows,
        report(LogSpan, span),
        report(ChampionMetadata, card),
        report(Comparison, COMPARISON),
        backtest,
        TRAINING,
        EVALUATION,
        **SEARCHES,
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return log()


@pytest.fixture(scope="module")
def replayed(spark: SparkSession, rows: pd.DataFrame) -> pd.DataFrame:
    return replay(table(spark, rows), "2018-11-17", "2018-11-10")


def test_one_row_per_cut_date_in_order_and_one_for_the_hold_out(replayed: pd.DataFrame) -> None:
    assert replayed["when"].tolist() == ["2018-11-10", "2018-11-17", "hold-out"]
    assert set(replayed.columns) == {
        "when", "horizon_days", "algorithm", "settings", "train_rows", "train_positives", "users_scored", "churned",
        "prevalence", "auc_pr", "auc_pr_low", "auc_pr_high", "auc_roc", "auc_roc_low", "auc_roc_high", "warning",
        "mean_score",
    }  # fmt: skip
    assert replayed["algorithm"].tolist() == ["logistic_regression"] * 3
    assert replayed["horizon_days"].tolist()[:2] == [14, 14]


def test_the_hold_out_is_the_champions_own(replayed: pd.DataFrame) -> None:
    hold_out = replayed.iloc[-1]
    assert (hold_out["users_scored"], hold_out["churned"], hold_out["prevalence"]) == (400, 40, 0.1)
    assert [hold_out[name] for name in ("auc_pr", "auc_pr_low", "auc_pr_high")] == [0.31, 0.2, 0.45]
    assert [hold_out[name] for name in ("auc_roc", "auc_roc_low", "auc_roc_high")] == [0.74, 0.65, 0.8]


def users_at(rows: pd.DataFrame, day: date) -> tuple[pd.DataFrame, list[bool]]:
    """The rows to score at a day, and who of them cancels in the two weeks after it."""
    moment = ms(day)
    churn = rows.groupby("user_id")["churned_at"].min()
    there = [user for user, ts in churn.items() if pd.isna(ts) or ts >= moment]
    last = rows[(rows["bin_end"] <= moment) & (rows["bin_end"] + BIN > moment) & rows["user_id"].isin(there)]
    return last, [not pd.isna(ts) and ts < moment + 14 * DAY for ts in churn[last["user_id"]]]


@pytest.mark.parametrize("place", [0, 1])
def test_rows_and_outcomes_agree_with_pandas(replayed: pd.DataFrame, rows: pd.DataFrame, place: int) -> None:
    found = replayed.iloc[place]
    day = date.fromisoformat(found["when"])
    known = rows[rows["at_risk"] & (rows["bin_end"] + BIN <= ms(day))]
    last, churned = users_at(rows, day)
    assert (found["train_rows"], found["train_positives"]) == (len(known), known[LABEL].sum())
    assert (found["users_scored"], found["churned"]) == (len(last), sum(churned))
    assert found["prevalence"] == pytest.approx(sum(churned) / len(last))
    assert sum(churned) > 0


@pytest.mark.parametrize("place", [0, 1])
def test_users_are_ranked_by_their_rows_at_the_cut(replayed: pd.DataFrame, rows: pd.DataFrame, place: int) -> None:
    """A model of the adverts alone ranks as the adverts do, those of each user's last completed bin."""
    found = replayed.iloc[place]
    last, churned = users_at(rows, date.fromisoformat(found["when"]))
    expected = roc_auc_score(churned, last["adverts"])
    assert found["auc_roc"] == pytest.approx(expected)
    assert abs(expected - 0.5) > 0.01
    assert found["auc_roc_low"] <= expected <= found["auc_roc_high"]
    assert 0 < found["mean_score"] < 1


def test_events_after_the_cut_do_not_matter_except_cancellations(
    spark: SparkSession, rows: pd.DataFrame, replayed: pd.DataFrame
) -> None:
    """Labels that were not known, features of bins that were not over, and cancellations after the horizon."""
    moment = ms(date(2018, 11, 10))
    is_open, is_unknown = rows["bin_end"] > moment, rows["bin_end"] + BIN > moment
    other = rows.copy()
    other.loc[is_unknown, LABEL] = 1 - other.loc[is_unknown, LABEL]
    other.loc[is_open, ["adverts", "songs"]] = 1_000
    other.loc[is_open, "at_risk"] = ~other.loc[is_open, "at_risk"]
    after_horizon = other["churned_at"] >= moment + 14 * DAY
    other.loc[after_horizon, "churned_at"] = pd.NA
    stays = other.groupby("user_id")["churned_at"].transform("count") == 0
    other.loc[stays & is_open, "churned_at"] = moment + 14 * DAY
    assert is_open.any() and after_horizon.any() and not other.equals(rows)
    again = replay(table(spark, other), "2018-11-10")
    pd.testing.assert_series_equal(again.iloc[0], replayed.iloc[0], check_dtype=False, check_names=False)


def test_cancellations_within_the_horizon_matter(
    spark: SparkSession, rows: pd.DataFrame, replayed: pd.DataFrame
) -> None:
    other = rows.assign(churned_at=rows["churned_at"].where(rows["churned_at"] < ms(date(2018, 11, 10)), pd.NA))
    again = replay(table(spark, other), "2018-11-10").iloc[0]
    assert again["churned"] == 0
    assert pd.isna(again["auc_roc"])
    assert "ranking needs rows of both classes" in again["warning"]
    # The model is the same: it knew nothing of them.
    assert again["mean_score"] == replayed["mean_score"].iloc[0]


@pytest.mark.parametrize(
    ("day", "horizon_days"),
    [("2018-10-01", 14), ("2017-11-10", 14), ("2018-11-18", 14), ("2018-11-10", 22), ("2019-11-10", 14)],
)
def test_a_date_that_does_not_fit_the_log_is_refused(
    spark: SparkSession, rows: pd.DataFrame, day: str, horizon_days: int
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^backtest.cut_dates has {day}, whose {horizon_days} days after it \(backtest.horizon_days\) must lie "
        "inside the log, which covers 2018-10-01 to 2018-11-30: choose other cut dates$",
    ):
        replay(table(spark, rows), "2018-11-10", day, horizon_days=horizon_days)


def test_a_log_without_events_is_refused(spark: SparkSession, rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"backtest.cut_dates has 2018-11-10, .* the log, which has no events"):
        replay(table(spark, rows.head(0)), "2018-11-10", span={"first_ts": None, "last_ts": None})


@pytest.mark.parametrize("day", ["2018-10-02", "2018-10-20"])
def test_a_date_with_too_little_history_is_refused(spark: SparkSession, rows: pd.DataFrame, day: str) -> None:
    """By the first no label was known, by the second no positive one."""
    nobody_left = rows.assign(**{LABEL: 0})
    with pytest.raises(
        ValueError,
        match=rf"^backtest.cut_dates has {day}, at which too few rows have a known .*fewer folds \(backtest.folds\)$",
    ):
        replay(table(spark, nobody_left), day)


# ---------------------------------------------------------------------------------------------------------------------
# The figure
# ---------------------------------------------------------------------------------------------------------------------


def drawn_table(**changes: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "when": ["2018-11-03", "2018-11-10", "hold-out"],
            "prevalence": [0.08, 0.12, 0.1],
            "auc_pr": [0.3, 0.2, 0.25], "auc_pr_low": [0.1, 0.15, 0.2], "auc_pr_high": [0.6, 0.3, 0.35],
            "auc_roc": [0.7, 0.6, 0.75], "auc_roc_low": [0.5, 0.55, 0.7], "auc_roc_high": [0.8, 0.65, 0.8],
        }
        | changes
    )  # fmt: skip


def traces(figure: go.Figure) -> dict[str, list[go.Scatter]]:
    """By name, the trace in each panel."""
    found: dict[str, list[go.Scatter]] = {}
    for trace in figure.data:
        found.setdefault(trace.name, []).append(trace)
    return found


def test_points_intervals_and_lines_have_the_tables_values() -> None:
    figure = draw_backtest(drawn_table())
    points, hold_out, chance = (
        traces(figure)[name]
        for name in ("trained and scored at the cut date", "held-out users, with 95 % interval", "chance")
    )
    assert [list(trace.y) for trace in points] == [[0.3, 0.2], [0.7, 0.6]]
    assert [list(trace.x) for trace in points] == [["2018-11-03", "2018-11-10"]] * 2
    assert list(points[0].error_y.array) == pytest.approx([0.3, 0.1])
    assert list(points[0].error_y.arrayminus) == pytest.approx([0.2, 0.05])
    assert list(points[1].error_y.array) == pytest.approx([0.1, 0.05])
    assert list(points[1].error_y.arrayminus) == pytest.approx([0.2, 0.05])
    assert [list(trace.y) for trace in hold_out] == [[0.25, 0.25], [0.75, 0.75]]
    assert [list(trace.y) for trace in chance] == [[0.08, 0.12], [0.5, 0.5]]
    assert [(band.y0, band.y1) for band in figure.layout.shapes] == [(0.2, 0.35), (0.7, 0.8)]
    assert [title.text for title in figure.layout.annotations] == ["AUC-PR", "AUC-ROC"]
    # Every name stands in the legend once.
    assert [trace.name for trace in figure.data if trace.showlegend] == list(traces(figure))


def test_cut_dates_and_a_hold_out_without_a_score_are_drawn_without_a_point() -> None:
    nothing = [None, None, None]
    changes = {f"{area}{side}": nothing for area in ("auc_pr", "auc_roc") for side in ("", "_low", "_high")}
    figure = draw_backtest(drawn_table(**changes))
    figure.to_json()
    assert all(np.isnan(value) for value in traces(figure)["trained and scored at the cut date"][0].y)


def test_a_single_cut_date_has_visible_lines() -> None:
    """A line needs two points; where there is one, it needs a mark."""
    figure = draw_backtest(drawn_table().iloc[1:])
    for name in ("held-out users, with 95 % interval", "chance"):
        assert all("markers" in trace.mode for trace in traces(figure)[name])
