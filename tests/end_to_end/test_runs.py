"""The real command line on a small log: whole runs, partial runs, and the original method."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from sparkify_kedro.pipeline_registry import register_pipelines

if TYPE_CHECKING:
    from conftest import Project

LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")
LOG = "data/01_raw/log"


def test_a_run_accounts_for_every_line(small_project: Project, first_run: str) -> None:
    report = small_project.report("ingestion_report.json")
    assert report["lines_read"] > 30_000
    assert report["lines_read"] == sum(
        (report["events"], report["logged_out"], report["duplicates"], *report["rejected"].values())
    )


def test_no_user_is_in_train_and_test(small_project: Project, first_run: str) -> None:
    for label in LABELS:
        train, test = (set(small_project.table("05_model_input", label, name)["user_id"]) for name in ("train", "test"))
        assert train and test and not train & test


def test_a_run_leaves_nine_models_three_champions_and_their_scores(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    assert len(first_scores) == 27
    for label in LABELS:
        for name in (*(f"{algorithm}/model" for algorithm in ALGORITHMS), "champion", "champion_metadata.json"):
            assert small_project.versions("06_models", label, *name.split("/"))
        comparison = small_project.report(label, "comparison.json")
        assert set(comparison["baselines"]) == {"prevalence", "best_single_feature"}
        assert comparison["champion"] in comparison["indistinguishable"]
        for metrics in (first_scores[f"{label}.{algorithm}.metrics"] for algorithm in ALGORITHMS):
            assert metrics["test"]["rows"] > metrics["test_balanced"]["rows"]
            assert metrics["test"]["positives"] == metrics["test_balanced"]["positives"]
            assert metrics["test"]["prevalence"] < metrics["test_balanced"]["prevalence"]
            low, high = metrics["test"]["average_precision_interval"]
            assert low <= metrics["test"]["average_precision"] <= high
            assert "too few to compare models" in metrics["test"]["warning"]


def test_features_that_see_activity_stop_serve_only_the_forecast(small_project: Project, first_run: str) -> None:
    used = {label: set(small_project.audited_features(label)) for label in LABELS}
    assert "days_since_last_event" in used["will_churn_in_next_bin"]
    for label in ("churned_in_time_bin", "will_churn_soon"):
        assert used[label] < used["will_churn_in_next_bin"]
        assert not [name for name in used[label] if "earlier_bins" in name or "last_event" in name]


def test_a_run_logs_its_progress(first_run: str) -> None:
    lines = re.findall(r"^[0-9:]{8} INFO (\d:\d\d:\d\d) (\d+)/(\d+) (\w+) (\S+)$", first_run, flags=re.MULTILINE)
    elapsed, positions, totals, stages, nodes = zip(*lines, strict=True)
    assert list(elapsed) == sorted(elapsed)
    assert [int(position) for position in positions] == list(range(1, len(lines) + 1))
    assert set(totals) == {str(len(lines))}
    assert set(stages) == {
        *("ingestion", "feature_engineering", "user_types", "sampling", "modeling", "scoring", "decision"),
        *("monitoring", "reporting"),
    }
    assert "will_churn_soon.random_forest.search_model" in nodes
    assert "logistic_regression: 2 of 2 fits" in first_run
    scores = "out of fold average precision .*; test average precision"
    assert re.search(f"will_churn_soon: champion [a-z_]+, {scores}", first_run)


def test_a_run_writes_its_summary(small_project: Project, first_run: str) -> None:
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
    assert {node.name for node in register_pipelines()["__default__"].nodes} == set(nodes)
    assert all(node["seconds"] >= 0 for node in nodes.values())
    report = small_project.report("ingestion_report.json")
    assert nodes["parse_lines"]["rows_written"] == {"parsed_lines": report["lines_read"]}
    assert nodes["select_events"]["rows_written"] == {"events": report["events"]}


@pytest.mark.faults
def test_a_second_run_gives_the_same_scores_also_with_threads(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    """From the events on, two algorithms at once for one label; the notebooks train all algorithms of a label again."""
    small_project.kedro(
        "run",
        "--runner=ThreadRunner",
        "--pipelines=feature_engineering,user_types,sampling,modeling",
        f"--to-nodes={','.join(f'will_churn_soon.{algorithm}.evaluate' for algorithm in ALGORITHMS[:2])}",
    )
    written = small_project.report("run_summary.json")["versions_written"]
    again = {f"will_churn_soon.{algorithm}.{name}" for algorithm in ALGORITHMS[:2] for name in ("model", "metrics")}
    assert again <= set(written)
    assert small_project.scores() == first_scores


@pytest.mark.faults
def test_a_part_reads_the_latest_versions_or_the_named_ones(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    """One label and algorithm, sampled and trained again with threads, gives the same scores; then a sample from an
    older version of the rows it is drawn from.
    """
    small_project.kedro("run", "--runner=ThreadRunner", "--pipelines=sampling", "--namespaces=will_churn_soon")
    train = small_project.versions("05_model_input", "will_churn_soon", "train")
    rows = small_project.versions("05_model_input", "will_churn_soon", "development")
    before = small_project.versions("06_models", "churned_in_time_bin", "random_forest", "model")
    part = ("run", "--runner=ThreadRunner", "--pipelines=modeling", "--namespaces=will_churn_soon.random_forest")
    small_project.kedro(*part)
    assert small_project.scores() == first_scores
    summary = small_project.report("run_summary.json")
    assert summary["versions_read"]["will_churn_soon.train"] == train[-1]
    assert set(summary["versions_written"]) == {
        f"will_churn_soon.random_forest.{name}"
        for name in ("model", "search_report", "out_of_fold", "predictions", "metrics", "original_protocol")
    }
    assert small_project.versions("06_models", "churned_in_time_bin", "random_forest", "model") == before

    sample = ("run", "--nodes=will_churn_soon.sample_train")
    small_project.kedro(*sample, f"--load-versions=will_churn_soon.development:{rows[0]}")
    assert small_project.report("run_summary.json")["versions_read"] == {"will_churn_soon.development": rows[0]}


def test_tags_namespaces_and_nodes_together_choose(small_project: Project, first_run: str) -> None:
    scored = "will_churn_soon.random_forest.predict"
    small_project.kedro("run", "--tags=random_forest", "--namespaces=will_churn_soon", f"--from-nodes={scored}")
    assert small_project.nodes_of_newest_run() == {scored, "will_churn_soon.random_forest.evaluate"}


def test_an_incomplete_version_is_not_the_latest(small_project: Project, first_run: str) -> None:
    folder = small_project.folder / "data/04_feature/typed_user_time_bins"
    complete = max(path.name for path in folder.iterdir())
    torn = folder / "9999-01-01T00.00.00.000Z" / "typed_user_time_bins"
    torn.mkdir(parents=True)
    (torn / "part-00000.parquet").write_bytes(b"PAR1")
    small_project.kedro("run", "--pipelines=sampling", "--namespaces=will_churn_soon")
    assert small_project.report("run_summary.json")["versions_read"]["typed_user_time_bins"] == complete
    shutil.rmtree(torn.parent)


@pytest.mark.faults
def test_the_original_method_splits_rows_beside_the_projects_own(
    small_project: Project, first_scores: dict[str, Any]
) -> None:
    """``--env=original`` splits rows, judges on balanced rows and draws with its own seed, in a storage of its own."""
    metrics = "will_churn_soon.logistic_regression.metrics"
    small_project.kedro("run", "--env=original", f"--to-outputs={metrics}", f"--params=raw_events={LOG}")
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
    assert summary["parameters"]["modeling"]["selection_rule"]["judged_on"] == "test_balanced"
    assert metrics in summary["versions_written"]
    assert small_project.scores() == first_scores
