"""The real command line on a small log: scoring and backtest with the champions of a whole run."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from conftest import Project

FORECAST = "will_churn_in_next_bin"
AS_OF = "2018-11-15"
OTHER_LOG = "data/01_raw/other_log"


@pytest.fixture(scope="module")
def scored(small_project: Project) -> pd.DataFrame:
    """A log of other users, scored as of a day in it."""
    small_project.kedro(
        "run",
        "--pipelines=simulation",
        f"--params=simulation.users=250,simulation.seed=77,simulated_events={OTHER_LOG}",
    )
    small_project.kedro(
        "run",
        "--pipelines=scoring",
        f"--params=scoring_events={OTHER_LOG},scoring.as_of={AS_OF},scoring.users_at_risk.top=20",
    )
    return small_project.table("07_model_output", "churn_scores")


@pytest.fixture(scope="module")
def future(small_project: Project, scored: pd.DataFrame) -> pd.DataFrame:
    """What the scored log's lines say of cancellations, read without Spark."""
    lines = pd.concat(
        pd.read_json(part, lines=True, dtype={"userId": str})
        for part in sorted((small_project.folder / OTHER_LOG).glob("part-*"))
    )
    return lines.loc[lines["page"] == "Cancellation Confirmation", ["userId", "ts"]]


def milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1_000)


def test_scores_are_probabilities_of_active_users(scored: pd.DataFrame, future: pd.DataFrame) -> None:
    probabilities = scored.filter(like="probability_")
    assert probabilities.shape[1] == 3
    assert probabilities.min(axis=None) > 0
    assert probabilities.max(axis=None) < 1
    assert sorted(scored["rank"]) == list(range(1, len(scored) + 1))
    by_rank = scored.sort_values("rank")
    assert by_rank[f"probability_{FORECAST}"].is_monotonic_decreasing
    assert by_rank["decile"].is_monotonic_increasing
    gone = set(future.loc[future["ts"] < milliseconds(AS_OF), "userId"])
    assert gone
    assert not gone & set(scored["user_id"])


def test_the_list_contains_reasons(small_project: Project, scored: pd.DataFrame) -> None:
    listed = pd.read_csv(small_project.newest("07_model_output", "users_at_risk.csv"), dtype={"user_id": str})
    assert list(listed["rank"]) == list(range(1, 21))
    assert set(listed["user_id"]) == set(scored.nsmallest(20, "rank")["user_id"])
    for place in (1, 2, 3):
        assert listed[f"reason_{place}"].str.fullmatch(r".+: .+ \((raises|lowers) the risk\)").all()


def test_drift_accounts_for_every_user(small_project: Project, scored: pd.DataFrame) -> None:
    report = small_project.report("drift_report.json")
    users = report["users"]
    assert users["scored"] == len(scored)
    assert users["in_log"] == users["gone"] + users["scored"] + users["without_events_in_last_bin"]
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
    assert low <= roc_auc_score(churned, scored[f"probability_{FORECAST}"]) <= high


def test_events_after_the_as_of_date_are_ignored(small_project: Project, scored: pd.DataFrame) -> None:
    """The same scores from a log that ends with the day."""
    folder = small_project.folder / "data/01_raw/cut_log"
    folder.mkdir()
    lines = [
        line
        for part in sorted((small_project.folder / OTHER_LOG).glob("part-*"))
        for line in gzip.decompress(part.read_bytes()).decode().splitlines()
    ]
    kept = [line for line in lines if json.loads(line)["ts"] < milliseconds(AS_OF)]
    # One event at the very end, so that the log covers the time up to it.
    last = json.loads(next(line for line in reversed(kept) if json.loads(line)["userId"]))
    kept.append(json.dumps(last | dict.fromkeys(("ts", "registration"), milliseconds(AS_OF)) | {"userId": "z"}))
    (folder / "log.json").write_text("\n".join(kept))
    small_project.kedro(
        "run",
        "--pipelines=scoring",
        "--to-outputs=churn_scores",
        f"--params=scoring_events=data/01_raw/cut_log,scoring.as_of={AS_OF}",
    )
    again = small_project.table("07_model_output", "churn_scores")
    shutil.rmtree(folder)
    pd.testing.assert_frame_equal(
        again.sort_values("rank", ignore_index=True), scored.sort_values("rank", ignore_index=True)
    )


@pytest.mark.parametrize(
    ("node", "parameters", "sentence"),
    [
        ("score_users", "feature_engineering.time_bin_days=7", "feature_engineering.time_bin_days = 14, not 7"),
        (
            "scoring.cut_at_as_of",
            "scoring.as_of=2031-01-01",
            "scoring.as_of is 2031-01-01, and the log covers 2018-10-01",
        ),
        ("score_users", "scoring.users_at_risk.rank_by=will_churn_sooner", "did you mean 'will_churn_soon'?"),
    ],
)
def test_invalid_scoring_requests_are_refused_in_one_sentence(
    small_project: Project, scored: pd.DataFrame, node: str, parameters: str, sentence: str
) -> None:
    """By the node that looks at it, on what the nodes before it have made."""
    before = small_project.versions("07_model_output", "users_at_risk.csv")
    done = small_project.try_kedro("run", "--pipelines=scoring", f"--from-nodes={node}", f"--params={parameters}")
    assert done.code == 1
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert small_project.versions("07_model_output", "users_at_risk.csv") == before


def test_a_champion_with_metadata_of_another_run_is_refused(small_project: Project, scored: pd.DataFrame) -> None:
    """As where one of the two is pinned alone."""
    card = small_project.newest("06_models", "will_churn_soon", "champion_metadata.json")
    of_another = card.parents[1] / "9999-01-01T00.00.00.000Z" / card.name
    of_another.parent.mkdir()
    of_another.write_text(json.dumps(json.loads(card.read_text()) | {"model": "PipelineModel_of_another_run"}))
    done = small_project.try_kedro("run", "--pipelines=scoring", "--from-nodes=score_users")
    shutil.rmtree(of_another.parent)
    assert done.code == 1
    assert "will_churn_soon.champion and will_churn_soon.champion_metadata are from different runs" in done.output


def test_the_backtest_replays_time(small_project: Project) -> None:
    small_project.kedro("run", "--pipelines=backtest", "--params=backtest.cut_dates=[2018-11-10]")
    table = pd.read_csv(small_project.newest("08_reporting", "backtest.csv"))
    assert list(table["when"]) == ["2018-11-10", "hold-out"]
    assert table["auc_roc"].between(0, 1).all()
    assert small_project.newest("08_reporting", "backtest.json").exists()

    done = small_project.try_kedro("run", "--pipelines=backtest", "--params=backtest.horizon_days=30")
    assert done.code == 1
    assert "backtest.horizon_days" in done.output
