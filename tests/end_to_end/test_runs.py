"""The real command line on a small simulated log: whole runs, twice; parts; the original's method; scoring; backtest.

One file, so that one worker runs it and its costly first run happens once.
"""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from conftest import Project

LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")
LOG = "data/01_raw/log"
FORECAST = "will_churn_in_next_bin"
AS_OF = "2018-11-15"
OTHER_LOG = "data/01_raw/other_log"


def test_a_run_accounts_for_every_line(small_project: Project, first_run: str) -> None:
    report = small_project.report("ingestion_report.json")
    assert report["lines_read"] > 50_000
    assert report["lines_read"] == sum(
        (report["events"], report["logged_out"], report["duplicates"], *report["rejected"].values())
    )


def test_a_run_leaves_nine_models_three_champions_and_their_scores(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    assert len(first_scores) == 27
    for label in LABELS:
        for name in (*(f"{algorithm}/model" for algorithm in ALGORITHMS), "champion", "champion_card.json"):
            assert len(small_project.versions("06_models", label, *name.split("/"))) == 1
        comparison = small_project.report(label, "comparison.json")
        assert set(comparison["baselines"]) == {"prevalence", "best_single_feature"}
        assert comparison["champion"] in comparison["indistinguishable"]
        for metrics in (first_scores[f"{label}.{algorithm}.metrics"] for algorithm in ALGORITHMS):
            assert metrics["test"]["rows"] > metrics["test_balanced"]["rows"]
            assert metrics["test"]["positives"] == metrics["test_balanced"]["positives"]
            assert metrics["test"]["prevalence"] < metrics["test_balanced"]["prevalence"]
            low, high = metrics["test"]["auc_pr_interval"]
            assert low <= metrics["test"]["auc_pr"] <= high
            assert "too few to tell models apart" in metrics["test"]["warning"]


def test_features_that_see_activity_stop_serve_only_the_forecast(small_project: Project, first_run: str) -> None:
    used = {label: set(small_project.audited_features(label)) for label in LABELS}
    assert "days_since_last_event" in used["will_churn_in_next_bin"]
    for label in ("churned_in_time_bin", "will_churn_soon"):
        assert used[label] < used["will_churn_in_next_bin"]
        assert not [name for name in used[label] if "earlier_bins" in name or "last_event" in name]


def test_a_run_tells_its_progress(first_run: str) -> None:
    assert "Running will_churn_soon.random_forest.search_model" in first_run
    assert "Completed 74 out of 74 tasks" in first_run
    assert "logistic_regression: 2 of 2 fits" in first_run
    assert "is the champion and has AUC-PR" in first_run


def test_a_run_writes_down_what_it_did(small_project: Project, first_run: str) -> None:
    summary = next(
        found
        for path in (small_project.folder / "data/08_reporting/run_summary.json").glob("*/run_summary.json")
        if (found := json.loads(path.read_text()))["asked_for"].get("runtime_params") == {"raw_events": LOG}
    )
    assert summary["succeeded"] is True
    assert summary["versions_written"]["events"] == summary["run_id"]
    assert "will_churn_soon.champion" in summary["versions_written"]
    assert summary["versions_read"] == {}
    assert summary["files_read"]["raw_events"].endswith(LOG)
    assert summary["parameters"]["feature_engineering"]["time_bin_days"] == 14
    assert summary["packages"]["pyspark"].startswith("4.")
    nodes = {node["node"]: node for node in summary["nodes"]}
    assert len(nodes) == 74
    assert all(node["seconds"] >= 0 for node in nodes.values())
    report = small_project.report("ingestion_report.json")
    assert nodes["parse_lines"]["rows_written"] == {"parsed_lines": report["lines_read"]}
    assert nodes["select_events"]["rows_written"] == {"events": report["events"]}


def test_again_with_the_same_seed_gives_the_same_scores_also_in_threads(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    small_project.kedro("run", "--runner=ThreadRunner", f"--params=raw_events={LOG}")
    assert len(small_project.versions("06_models", "will_churn_soon", "champion")) == 2
    assert small_project.scores() == first_scores


def test_a_part_reads_the_latest_versions_or_the_named_ones(small_project: Project, first_run: str) -> None:
    """One label and algorithm from the latest; then a sample from an older version of the rows it is drawn from."""
    train = small_project.versions("05_model_input", "will_churn_soon", "train")
    rows = small_project.versions("05_model_input", "will_churn_soon", "calibration_rows")
    before = small_project.versions("06_models", "churned_in_time_bin", "random_forest", "model")
    part = ("run", "--pipelines=modeling", "--namespaces=will_churn_soon.random_forest")
    small_project.kedro(*part)
    summary = small_project.report("run_summary.json")
    assert summary["versions_read"]["will_churn_soon.train"] == train[-1]
    assert set(summary["versions_written"]) == {
        f"will_churn_soon.random_forest.{name}"
        for name in ("model", "search", "predictions", "metrics", "original_protocol")
    }
    assert small_project.versions("06_models", "churned_in_time_bin", "random_forest", "model") == before

    sample = ("run", "--nodes=will_churn_soon.sample_train")
    small_project.kedro(*sample, f"--load-versions=will_churn_soon.calibration_rows:{rows[0]}")
    assert small_project.report("run_summary.json")["versions_read"] == {"will_churn_soon.calibration_rows": rows[0]}


def test_tags_nodes_and_missing_outputs(small_project: Project, first_run: str) -> None:
    small_project.kedro("run", "--tags=random_forest")
    steps = [f"random_forest.{step}" for step in ("search_model", "predict", "evaluate", "judge_as_original")]
    assert small_project.nodes_of_newest_run() == {f"{label}.{step}" for label in LABELS for step in steps}

    small_project.kedro("run", "--from-nodes=will_churn_soon.choose_champion")
    steps = ("choose_champion", "keep_champion", "describe_champion", "compare_algorithms")
    last = {f"will_churn_soon.{step}" for step in steps}
    assert small_project.nodes_of_newest_run() == last

    shutil.rmtree(small_project.folder / "data/06_models/will_churn_soon/champion")
    small_project.kedro("run", "--only-missing-outputs", f"--params=raw_events={LOG}")
    assert "will_churn_soon.keep_champion" in small_project.nodes_of_newest_run() <= last


def test_a_version_that_was_cut_off_is_not_the_latest(small_project: Project, first_run: str) -> None:
    folder = small_project.folder / "data/04_feature/user_time_bins"
    complete = max(path.name for path in folder.iterdir())
    torn = folder / "9999-01-01T00.00.00.000Z" / "user_time_bins"
    torn.mkdir(parents=True)
    (torn / "part-00000.parquet").write_bytes(b"PAR1")
    small_project.kedro("run", "--pipelines=sampling", "--namespaces=will_churn_soon")
    assert small_project.report("run_summary.json")["versions_read"]["user_time_bins"] == complete
    shutil.rmtree(torn.parent)


def test_no_user_is_on_both_sides_unless_the_originals_method_is_asked_for(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    """``--env=original`` splits rows, judges on balanced rows and draws with its own seed, in a storage of its own."""
    small_project.kedro(
        "run",
        "--env=original",
        "--to-outputs=will_churn_soon.logistic_regression.metrics",
        f"--params=raw_events={LOG}",
    )
    ours, theirs = (
        {
            name: set(small_project.table("05_model_input", "will_churn_soon", name, data=storage)["user_id"])
            for name in ("train", "test")
        }
        for storage in ("data", "data/original")
    )
    assert not ours["train"] & ours["test"]
    assert theirs["train"] & theirs["test"]
    assert len(small_project.audited_features("will_churn_soon", data="data/original")) == 25
    summary = small_project.report("run_summary.json", data="data/original")
    assert summary["parameters"]["sampling"]["split"]["seed"] == 147309
    assert summary["parameters"]["modeling"]["comparison"]["judged_on"] == "test_balanced"
    assert small_project.scores() == first_scores


# Scoring and backtest, on the champions that the whole run has left


@pytest.fixture(scope="module")
def scored(small_project: Project, first_run: str) -> pd.DataFrame:
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


def test_scores_are_probabilities_of_users_who_are_still_there(scored: pd.DataFrame, future: pd.DataFrame) -> None:
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


def test_the_list_gives_reasons_in_words(small_project: Project, scored: pd.DataFrame) -> None:
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


def test_what_happens_after_the_day_keeps_the_promise(
    small_project: Project, scored: pd.DataFrame, future: pd.DataFrame
) -> None:
    """Trained on one log, scored on another one cut at a day: the AUC-ROC is within the interval of the evaluation."""
    start = milliseconds(AS_OF)
    end = start + int(timedelta(days=14).total_seconds() * 1_000)
    came = set(future.loc[future["ts"].between(start, end - 1), "userId"])
    churned = scored["user_id"].isin(came)
    assert churned.sum() >= 5
    comparison = small_project.report(FORECAST, "comparison.json")
    low, high = comparison["algorithms"][comparison["champion"]]["test"]["auc_roc_interval"]
    assert low <= roc_auc_score(churned, scored[f"probability_{FORECAST}"]) <= high


def test_nothing_after_the_day_is_looked_at(small_project: Project, scored: pd.DataFrame) -> None:
    """The same scores from a log that ends with the day."""
    folder = small_project.folder / "data/01_raw/cut_log"
    folder.mkdir()
    lines = [
        line
        for part in sorted((small_project.folder / OTHER_LOG).glob("part-*"))
        for line in gzip.decompress(part.read_bytes()).decode().splitlines()
    ]
    kept = [line for line in lines if json.loads(line)["ts"] < milliseconds(AS_OF)]
    # A logged-in event of nobody else at the very end, so that the log is known to reach there.
    last = json.loads(next(line for line in reversed(kept) if json.loads(line)["userId"]))
    kept.append(json.dumps(last | dict.fromkeys(("ts", "registration"), milliseconds(AS_OF)) | {"userId": "z"}))
    (folder / "log.json").write_text("\n".join(kept))
    small_project.kedro(
        "run", "--pipelines=scoring", f"--params=scoring_events=data/01_raw/cut_log,scoring.as_of={AS_OF}"
    )
    again = small_project.table("07_model_output", "churn_scores")
    shutil.rmtree(folder)
    pd.testing.assert_frame_equal(
        again.sort_values("rank", ignore_index=True), scored.sort_values("rank", ignore_index=True)
    )


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ("feature_engineering.time_bin_days=7", "feature_engineering.time_bin_days = 14 and is given 7"),
        ("scoring.as_of=2031-01-01", "scoring.as_of is 2031-01-01, and the log reaches from 2018-10-01"),
        ("scoring.users_at_risk.rank_by=will_churn_sooner", "did you mean will_churn_soon?"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    small_project: Project, scored: pd.DataFrame, parameters: str, sentence: str
) -> None:
    before = small_project.versions("07_model_output", "users_at_risk.csv")
    done = small_project.try_kedro("run", "--pipelines=scoring", f"--params=scoring_events={OTHER_LOG},{parameters}")
    assert done.code == 1
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert small_project.versions("07_model_output", "users_at_risk.csv") == before


def test_a_champion_of_another_run_than_its_card_is_refused(small_project: Project, scored: pd.DataFrame) -> None:
    """As where one of the two is pinned alone."""
    card = small_project.newest("06_models", "will_churn_soon", "champion_card.json")
    of_another = card.parents[1] / "9999-01-01T00.00.00.000Z" / card.name
    of_another.parent.mkdir()
    of_another.write_text(json.dumps(json.loads(card.read_text()) | {"model": "PipelineModel_of_another_run"}))
    done = small_project.try_kedro("run", "--pipelines=scoring", "--from-nodes=score_users")
    shutil.rmtree(of_another.parent)
    assert done.code == 1
    assert "will_churn_soon.champion and will_churn_soon.champion_card are of different runs" in done.output


def test_the_backtest_replays_time(small_project: Project, first_run: str) -> None:
    small_project.kedro("run", "--pipelines=backtest", "--params=backtest.cut_dates=[2018-11-10]")
    table = pd.read_csv(small_project.newest("08_reporting", "backtest.csv"))
    assert list(table["when"]) == ["2018-11-10", "hold-out"]
    assert table["auc_roc"].between(0, 1).all()
    assert small_project.newest("08_reporting", "backtest.json").exists()

    done = small_project.try_kedro("run", "--pipelines=backtest", "--params=backtest.horizon_days=30")
    assert done.code == 1
    assert "backtest.horizon_days" in done.output
