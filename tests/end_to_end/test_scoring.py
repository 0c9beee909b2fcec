"""The real command line on a small log: scoring and backtest with the champions of a whole run."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from sparkify_kedro.churn.portable_model import PortableModel, in_order, probabilities
from thin_log import is_scored_later, thin_lines, write_lines

if TYPE_CHECKING:
    from conftest import Project

FORECAST = "will_churn_in_next_bin"
AS_OF = "2018-11-15"
# What happened beside what is usual, or how many share it, and the direction.
REASON = (
    r".+(; .*half of all users .*(at (most|least) .+|none.*)|, like \d+% of all users) \((raises|lowers) the risk\)"
)
OTHER_LOG = "data/01_raw/other_log.json.gz"


@pytest.fixture(scope="module")
def scored(small_project: Project) -> pd.DataFrame:
    """A log of other users, scored as of a day in it."""
    write_lines(small_project.folder / OTHER_LOG, filter(is_scored_later, thin_lines()))
    small_project.kedro(
        "run",
        "--pipelines=score_other_log",
        f"--params=scoring_events={OTHER_LOG},feature_engineering.as_of={AS_OF},scoring.users_at_risk.top=20",
    )
    return small_project.table("07_model_output", "other_log", "churn_scores")


@pytest.fixture(scope="module")
def lines(small_project: Project, scored: pd.DataFrame) -> pd.DataFrame:
    """The scored log's lines, read without Spark."""
    return pd.read_json(small_project.folder / OTHER_LOG, lines=True, dtype={"userId": str})


@pytest.fixture(scope="module")
def future(lines: pd.DataFrame) -> pd.DataFrame:
    """The cancellations in the scored log."""
    return lines.loc[lines["page"] == "Cancellation Confirmation", ["userId", "ts"]]


def milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1_000)


def test_every_user_at_risk_has_a_probability(scored: pd.DataFrame, lines: pd.DataFrame, future: pd.DataFrame) -> None:
    """Also those without an event in the last window; nobody who has left."""
    assert 0 < scored["probability"].min() <= scored["probability"].max() < 1
    assert set(scored["horizon_days"]) == {14}
    assert set(scored["as_of"]) == {pd.Timestamp(AS_OF)}
    assert sorted(scored["rank"]) == list(range(1, len(scored) + 1))
    by_rank = scored.sort_values("rank")
    assert by_rank["probability"].is_monotonic_decreasing
    assert by_rank["decile"].is_monotonic_increasing
    gone = set(future.loc[future["ts"] < milliseconds(AS_OF), "userId"])
    assert gone
    known = set(lines.loc[(lines["ts"] < milliseconds(AS_OF)) & (lines["userId"] != ""), "userId"])
    assert set(scored["user_id"]) == known - gone


def test_the_list_contains_reasons(small_project: Project, scored: pd.DataFrame) -> None:
    listed = pd.read_csv(
        small_project.newest("07_model_output", "other_log", "users_at_risk.csv"), dtype={"user_id": str}
    )
    assert list(listed["rank"]) == list(range(1, 21))
    assert set(listed["user_id"]) == set(scored.nsmallest(20, "rank")["user_id"])
    for place in (1, 2, 3):
        assert listed[f"reason_{place}"].str.fullmatch(REASON).all()
        assert not listed[f"reason_{place}"].str.contains("male").any()


def test_drift_accounts_for_every_user(small_project: Project, scored: pd.DataFrame) -> None:
    report = small_project.report("other_log", "drift_report.json")
    users = report["users"]
    assert users["scored"] == len(scored)
    assert users["in_log"] == users["gone"] + users["scored"]
    assert 0 < users["inactive"] < users["scored"]
    assert report["as_of"] == AS_OF
    assert "score" in report["stability"]
    assert report["unseen"] == {"level_at_end": [], "device": []}


def test_later_churn_agrees_with_the_scores(small_project: Project, scored: pd.DataFrame, future: pd.DataFrame) -> None:
    """Trained on one log, scored on another one cut at a day: the AUC-ROC is within the interval of the evaluation."""
    start = milliseconds(AS_OF)
    end = start + int(timedelta(days=14).total_seconds() * 1_000)
    cancelled = set(future.loc[future["ts"].between(start, end - 1), "userId"])
    churned = scored["user_id"].isin(cancelled)
    assert churned.sum() >= 5
    comparison = small_project.report(FORECAST, "comparison.json")
    low, high = comparison["algorithms"][comparison["champion"]]["test"]["auc_roc_interval"]
    assert low <= roc_auc_score(churned, scored["probability"]) <= high


@pytest.mark.parametrize(
    ("node", "parameters", "sentence"),
    [
        ("score_users", "feature_engineering.time_bin_days=15", "feature_engineering.time_bin_days = 14, not 15"),
        (
            "engineer_user_time_bins",
            "feature_engineering.as_of=2031-01-01",
            "feature_engineering.as_of is 2031-01-01, and the log covers 2018-09-30",
        ),
    ],
)
def test_invalid_scoring_requests_are_refused_in_one_sentence(
    small_project: Project, scored: pd.DataFrame, node: str, parameters: str, sentence: str
) -> None:
    """By the node that looks at it, on what the nodes before it have made."""
    before = small_project.versions("07_model_output", "other_log", "users_at_risk.csv")
    part = ("--pipelines=score_other_log", f"--from-nodes=other_log.{node}")
    done = small_project.try_kedro("run", *part, f"--params={parameters}")
    assert done.code == 1
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert small_project.versions("07_model_output", "other_log", "users_at_risk.csv") == before


def test_a_champion_with_metadata_of_another_run_is_refused(small_project: Project, scored: pd.DataFrame) -> None:
    """As where one of the two is pinned alone."""
    card = small_project.newest("06_models", FORECAST, "champion_metadata.json")
    of_another = card.parents[1] / "9999-01-01T00.00.00.000Z" / card.name
    of_another.parent.mkdir()
    of_another.write_text(json.dumps(json.loads(card.read_text()) | {"model": "PipelineModel_of_another_run"}))
    done = small_project.try_kedro("run", "--pipelines=score_other_log", "--from-nodes=other_log.score_users")
    shutil.rmtree(of_another.parent)
    assert done.code == 1
    assert f"{FORECAST}.champion and {FORECAST}.champion_metadata are from different runs" in done.output


def test_the_default_run_has_scored_its_own_users(small_project: Project, first_run: str) -> None:
    """Everyone at risk at the end of the log, with or without events in the last window."""
    scores = small_project.table("07_model_output", "churn_scores")
    users = small_project.report("drift_report.json")["users"]
    account = small_project.report("ingestion_report.json")
    assert users["scored"] == len(scores)
    assert users["scored"] + users["gone"] == users["in_log"] <= account["users"]
    assert users["inactive"] > 0
    assert scores["probability"].between(0, 1).all()


def test_the_champion_as_plain_json_gives_the_same_probabilities(small_project: Project, first_run: str) -> None:
    stored = small_project.newest("06_models", FORECAST, "portable_champion.json").read_text()
    portable = PortableModel.model_validate_json(stored)
    rows = small_project.table("07_model_output", "rows_to_score")
    scores = small_project.table("07_model_output", "churn_scores").set_index("user_id")["probability"]
    found = probabilities(portable, in_order(portable, rows[portable.features].to_dict("records")))
    assert np.abs(found - scores.reindex(rows["user_id"]).to_numpy()).max() < 1e-12


@pytest.mark.faults
def test_the_backtest_replays_time(small_project: Project) -> None:
    small_project.kedro("run", "--pipelines=backtest", "--params=backtest.landmarks=1")
    table = pd.read_csv(small_project.newest("08_reporting", "backtest.csv"))
    assert len(table) == 2
    assert table["when"].iloc[-1] == "hold-out"
    assert table["auc_roc"].between(0, 1).all()
    assert small_project.newest("08_reporting", "backtest.json").exists()

    done = small_project.try_kedro("run", "--pipelines=backtest", "--params=backtest.landmarks=0")
    assert done.code == 1
    assert "Parameter 'backtest': landmarks should be" in done.output
