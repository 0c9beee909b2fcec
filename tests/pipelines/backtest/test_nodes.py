"""The backtest: rows known at a landmark, outcomes after it, and the figure."""

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
from sparkify_kedro.churn.parameters import LabelSampling
from sparkify_kedro.churn.reports import ChampionMetadata, Comparison
from sparkify_kedro.learning.parameters import AlgorithmSearch, Evaluation, Training, UserTypeSearch
from sparkify_kedro.pipelines.backtest.nodes import draw_backtest, replay_landmarks
from sparkify_kedro.pipelines.backtest.parameters import Backtest

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
EVALUATION = Evaluation.model_validate(PARAMETERS["modeling"]["evaluation"] | {"replicates": 20, "few_positives": 3})
TRAINING = Training.model_validate(PARAMETERS["modeling"]["training"] | {"seed": 1, "rows_per_partition": 1_000})
SEARCHES = {
    "random_forest": AlgorithmSearch(algorithm="random_forest", settings={"numTrees": 2}, grid={"maxDepth": [2]}),
    "logistic_regression": AlgorithmSearch(
        algorithm="logistic_regression", settings={"maxIter": 10}, grid={"regParam": [0.1]}
    ),
}
LABEL = "will_churn_in_next_bin"
DAY = 86_400_000
HORIZON_DAYS = 14
HORIZON = HORIZON_DAYS * DAY


def ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


# The newest landmark is the end of the log, whose rows have no label yet.
LANDMARKS = [ms(date(2018, 12, 1)) - 14 * DAY * number for number in range(4, -1, -1)]
SCORES = {
    "rows": 400, "positives": 40, "prevalence": 0.1, "average_precision": 0.31,
    "average_precision_interval": [0.2, 0.45], "auc_roc": 0.74,
    "auc_roc_interval": [0.65, 0.8], "warning": None,
}  # fmt: skip
CARD: dict[str, Any] = {
    "label": LABEL,
    "algorithm": "logistic_regression",
    "feature_set": "extended",
    "features": ["adverts"],
    "user_types": None,
    "feature_engineering": {"labels": {LABEL: {"in_window": False, "horizon_days": HORIZON_DAYS}}},
}
COMPARISON: dict[str, Any] = {"algorithms": {"logistic_regression": {"test": SCORES}}}


def log(users: int = 80) -> pd.DataFrame:
    """Rows of users at every landmark until the one after they cancel.

    A fifth of the users cancels after each of the landmarks but the last; their adverts show it before, and only then.
    """
    random = np.random.default_rng(4)
    rows = []
    for user in range(users):
        leaves_after = user % 5 if user % 5 < 4 else None
        for number, landmark in enumerate(LANDMARKS):
            if leaves_after is not None and number > leaves_after + 1:
                break
            will = leaves_after == number
            rows.append(
                {
                    "user_id": f"u{user:03}", "bin_end": landmark,
                    "adverts": int(random.integers(15, 20) if will and user % 3 else random.integers(0, 18)),
                    "songs": int(random.integers(0, 100)),
                    "at_risk": leaves_after is None or number <= leaves_after,
                    LABEL: int(will) if landmark != LANDMARKS[-1] else None,
                }
            )  # fmt: skip
    return pd.DataFrame(rows).astype({LABEL: "Int64"})


SCHEMA = f"user_id string, bin_end bigint, adverts int, songs int, at_risk boolean, {LABEL} int"


def table(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    plain = rows.astype(object).where(rows.notna(), None)
    return spark.createDataFrame([tuple(row) for row in plain.itertuples(index=False)], SCHEMA)


def replay(rows: DataFrame, landmarks: int = 3, card: dict[str, Any] = CARD, folds: int = 2) -> pd.DataFrame:
    return replay_landmarks(
        rows,
        report(ChampionMetadata, card),
        report(Comparison, COMPARISON),
        Backtest(landmarks=landmarks, folds=folds),
        TRAINING,
        LabelSampling.model_validate(PARAMETERS["sampling"]["labels"][LABEL]),
        UserTypeSearch.model_validate(PARAMETERS["user_types"]),
        EVALUATION,
        **SEARCHES,
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return log()


@pytest.fixture(scope="module")
def replayed(spark: SparkSession, rows: pd.DataFrame) -> pd.DataFrame:
    """More landmarks than there are with earlier labels."""
    return replay(table(spark, rows), landmarks=9)


def test_one_row_per_landmark_in_order_and_one_for_the_hold_out(replayed: pd.DataFrame) -> None:
    assert replayed["when"].tolist() == ["2018-10-20", "2018-11-03", "2018-11-17", "hold-out"]
    assert set(replayed.columns) == {
        "when", "horizon_days", "algorithm", "settings", "train_rows", "train_positives", "users_scored", "churned",
        "prevalence", "average_precision", "average_precision_low", "average_precision_high", "auc_roc", "auc_roc_low",
        "auc_roc_high", "warning", "mean_score", "average_precision_by_chance", "auc_roc_by_chance",
    }  # fmt: skip
    assert replayed["algorithm"].tolist() == ["logistic_regression"] * 4
    assert replayed["horizon_days"].tolist()[:3] == [14, 14, 14]


def test_the_last_landmarks_are_replayed(spark: SparkSession, rows: pd.DataFrame, replayed: pd.DataFrame) -> None:
    """Of the four landmarks with labels the first has no earlier rows, so that three can be replayed at most."""
    last = replay(table(spark, rows), landmarks=1)
    pd.testing.assert_series_equal(last.iloc[0], replayed.iloc[2], check_dtype=False, check_names=False)
    assert len(last) == 2


def test_the_hold_out_is_the_champions_own(replayed: pd.DataFrame) -> None:
    hold_out = replayed.iloc[-1]
    assert (hold_out["users_scored"], hold_out["churned"], hold_out["prevalence"]) == (400, 40, 0.1)
    assert [hold_out[f"average_precision{of}"] for of in ("", "_low", "_high")] == [0.31, 0.2, 0.45]
    assert [hold_out[name] for name in ("auc_roc", "auc_roc_low", "auc_roc_high")] == [0.74, 0.65, 0.8]


def users_at(rows: pd.DataFrame, day: str) -> pd.DataFrame:
    """The users at risk at a landmark, with what followed."""
    return rows[rows["at_risk"] & (rows["bin_end"] == ms(date.fromisoformat(day)))]


@pytest.mark.parametrize("place", [1, 2])
def test_rows_and_outcomes_agree_with_pandas(replayed: pd.DataFrame, rows: pd.DataFrame, place: int) -> None:
    found = replayed.iloc[place]
    landmark = ms(date.fromisoformat(found["when"]))
    known = rows[rows["at_risk"] & (rows["bin_end"] + HORIZON <= landmark)]
    users = users_at(rows, found["when"])
    assert (found["train_rows"], found["train_positives"]) == (len(known), known[LABEL].sum())
    assert (found["users_scored"], found["churned"]) == (len(users), users[LABEL].sum())
    assert found["prevalence"] == pytest.approx(users[LABEL].mean())
    assert users[LABEL].sum() > 0


@pytest.mark.parametrize("place", [1, 2])
def test_users_are_ranked_by_their_rows_at_the_landmark(replayed: pd.DataFrame, rows: pd.DataFrame, place: int) -> None:
    """A model of the adverts alone ranks as the adverts do."""
    found = replayed.iloc[place]
    users = users_at(rows, found["when"])
    expected = roc_auc_score(users[LABEL].astype(int), users["adverts"])
    assert found["auc_roc"] == pytest.approx(expected)
    assert 0.51 < expected < 1
    assert found["auc_roc_low"] <= expected <= found["auc_roc_high"]
    assert 0 < found["mean_score"] < 1


def test_later_rows_matter_to_the_score_alone(spark: SparkSession, rows: pd.DataFrame, replayed: pd.DataFrame) -> None:
    """The model is the same with other features after the landmark, other labels that were not known at it, and another
    outcome.
    """
    landmark = ms(date(2018, 11, 3))
    other = rows.copy()
    is_unknown = (other["bin_end"] + HORIZON > landmark) & (other["bin_end"] != landmark) & other[LABEL].notna()
    other.loc[is_unknown, LABEL] = 1 - other.loc[is_unknown, LABEL]
    other.loc[other["bin_end"] == landmark, LABEL] = 0
    other.loc[other["bin_end"] > landmark, ["adverts", "songs"]] = 1_000
    assert is_unknown.any()
    again, before = replay(table(spark, other), landmarks=2).iloc[0], replayed.iloc[1]
    same = ["when", "settings", "train_rows", "train_positives", "users_scored", "mean_score"]
    assert again[same].to_dict() == before[same].to_dict()
    assert (again["churned"], before["churned"] > 0) == (0, True)
    assert pd.isna(again["auc_roc"])
    assert "ranking needs rows of both classes" in again["warning"]


@pytest.mark.parametrize("landmarks", [0, 1])
def test_a_log_without_earlier_labels_is_refused(spark: SparkSession, rows: pd.DataFrame, landmarks: int) -> None:
    short = rows[rows["bin_end"] < LANDMARKS[landmarks]]
    with pytest.raises(ValueError, match=r"^the log is too short for a backtest: .* \(feature_engineering.stride_days"):
        replay(table(spark, short))


def test_a_landmark_with_too_little_history_is_refused(spark: SparkSession, rows: pd.DataFrame) -> None:
    no_churn = rows.assign(**{LABEL: rows[LABEL].where(rows[LABEL].isna(), 0)})
    with pytest.raises(
        ValueError,
        match=r"^at the landmark of 2018-10-20 too few rows have a known .*fewer folds \(backtest.folds\)$",
    ):
        replay(table(spark, no_churn))


# ---------------------------------------------------------------------------------------------------------------------
# The figure
# ---------------------------------------------------------------------------------------------------------------------


def drawn_table(**changes: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "when": ["2018-11-03", "2018-11-10", "hold-out"],
            "prevalence": [0.08, 0.12, 0.1],
            "average_precision": [0.3, 0.2, 0.25], "average_precision_low": [0.1, 0.15, 0.2],
            "average_precision_high": [0.6, 0.3, 0.35], "average_precision_by_chance": [0.09, 0.13, 0.11],
            "auc_roc_by_chance": [0.49, 0.51, 0.5],
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
        for name in ("trained and scored at the landmark", "held-out users, with 95 % interval", "chance")
    )
    assert [list(trace.y) for trace in points] == [[0.3, 0.2], [0.7, 0.6]]
    assert [list(trace.x) for trace in points] == [["2018-11-03", "2018-11-10"]] * 2
    assert list(points[0].error_y.array) == pytest.approx([0.3, 0.1])
    assert list(points[0].error_y.arrayminus) == pytest.approx([0.2, 0.05])
    assert list(points[1].error_y.array) == pytest.approx([0.1, 0.05])
    assert list(points[1].error_y.arrayminus) == pytest.approx([0.2, 0.05])
    assert [list(trace.y) for trace in hold_out] == [[0.25, 0.25], [0.75, 0.75]]
    assert [list(trace.y) for trace in chance] == [[0.09, 0.13], [0.49, 0.51]]
    assert [(band.y0, band.y1) for band in figure.layout.shapes] == [(0.2, 0.35), (0.7, 0.8)]
    assert [title.text for title in figure.layout.annotations] == ["average precision", "AUC-ROC"]
    # Every name stands in the legend once.
    assert [trace.name for trace in figure.data if trace.showlegend] == list(traces(figure))


def test_landmarks_and_a_hold_out_without_a_score_are_drawn_without_a_point() -> None:
    nothing = [None, None, None]
    changes = {f"{area}{side}": nothing for area in ("average_precision", "auc_roc") for side in ("", "_low", "_high")}
    figure = draw_backtest(drawn_table(**changes))
    figure.to_json()
    assert all(np.isnan(value) for value in traces(figure)["trained and scored at the landmark"][0].y)


def test_a_single_landmark_has_visible_lines() -> None:
    """A line needs two points; where there is one, it needs a mark."""
    figure = draw_backtest(drawn_table().iloc[1:])
    for name in ("held-out users, with 95 % interval", "chance"):
        assert all("markers" in trace.mode for trace in traces(figure)[name])
