"""The real command line on a small simulated log: whole runs, twice; parts of runs; the original's method."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

# Small grids: what they hold is wiring and repeatability; the full grids run in `make run`.
SMALL_GRIDS = [
    "modeling.logistic_regression.grid.regParam=[0.1]",
    "modeling.random_forest.grid.maxBins=[12]",
    "modeling.random_forest.grid.maxDepth=[3]",
    "modeling.gradient_boosted_trees.grid.maxDepth=[2]",
    "modeling.gradient_boosted_trees.grid.maxBins=[12]",
    "modeling.gradient_boosted_trees.settings.maxIter=2",
]
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")


def kedro(project: Path, *words: str) -> str:
    """Run a kedro command that must succeed; its output, standard error included."""
    done = subprocess.run(
        [sys.executable, "-m", "kedro", *words],
        cwd=project,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3_000:]
    return output


def latest(project: Path, *parts: str, data: str = "data/08_reporting") -> Any:
    """The newest version of a JSON dataset in 08_reporting."""
    folder = project.joinpath(data, *parts)
    return json.loads(max(folder.iterdir()).joinpath(parts[-1]).read_text())


def scores(project: Path) -> dict[str, Any]:
    """Everything a run says about how good its models are."""
    return {
        f"{label}.{algorithm}.{name}": latest(project, label, algorithm, f"{name}.json")
        for label in LABELS
        for algorithm in ALGORITHMS
        for name in ("metrics", "search")
    }


def users(dataset: Path) -> set[str]:
    """The users in the newest version of a table."""
    return set(pd.read_parquet(max(dataset.iterdir()), columns=["user_id"])["user_id"])


def versions(project: Path, *parts: str) -> list[str]:
    folder = project.joinpath("data", *parts)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def small_project(tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]) -> Path:
    """A copy of the project with small grids, and a simulated log of its own."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    for environment in ("local", "original"):
        path = folder / "conf" / environment / "parameters_modeling.yml"
        own = OmegaConf.load(path) if path.exists() else OmegaConf.create()
        OmegaConf.save(OmegaConf.merge(own, OmegaConf.from_dotlist(SMALL_GRIDS)), path)
    (folder / "conf/local/spark.yml").write_text("spark.sql.shuffle.partitions: 4\nspark.driver.memory: 1g\n")
    kedro(folder, "run", "--pipelines=simulation", "--params=simulation.users=150,simulated_events=data/01_raw/log")
    return folder


@pytest.fixture(scope="module")
def first_run(small_project: Path) -> str:
    return kedro(small_project, "run", "--params=raw_events=data/01_raw/log")


@pytest.fixture(scope="module")
def first_scores(small_project: Path, first_run: str) -> dict[str, Any]:
    return scores(small_project)


def test_a_run_accounts_for_every_line(small_project: Path, first_run: str) -> None:
    report = latest(small_project, "ingestion_report.json")
    assert report["lines_read"] > 50_000
    assert report["lines_read"] == sum(
        (report["events"], report["logged_out"], report["duplicates"], *report["rejected"].values())
    )


def test_a_run_leaves_nine_models_three_champions_and_their_scores(
    small_project: Path, first_scores: dict[str, Any]
) -> None:
    assert len(first_scores) == 18
    for label in LABELS:
        for name in (*(f"{algorithm}/model" for algorithm in ALGORITHMS), "champion"):
            assert len(versions(small_project, "06_models", label, *name.split("/"))) == 1
        comparison = latest(small_project, label, "comparison.json")
        cross_validated = {name: found["cross_validated_auc_pr"] for name, found in comparison["algorithms"].items()}
        assert comparison["champion"] == max(cross_validated, key=cross_validated.__getitem__)
        for metrics in (first_scores[f"{label}.{algorithm}.metrics"] for algorithm in ALGORITHMS):
            assert metrics["test"]["rows"] > metrics["test_balanced"]["rows"]
            assert metrics["test"]["positives"] == metrics["test_balanced"]["positives"]
            assert metrics["test"]["prevalence"] < metrics["test_balanced"]["prevalence"]


def test_a_run_tells_its_progress(first_run: str) -> None:
    assert "Running will_churn_soon.random_forest.search_model" in first_run
    assert "Completed 47 out of 47 tasks" in first_run
    assert "logistic_regression: 6 of 6 fits" in first_run
    assert "won by cross-validation" in first_run


def test_a_run_writes_down_what_it_did(small_project: Path, first_run: str) -> None:
    summary = next(
        found
        for path in (small_project / "data/08_reporting/run_summary.json").glob("*/run_summary.json")
        if (found := json.loads(path.read_text()))["asked_for"].get("runtime_params")
        == {"raw_events": "data/01_raw/log"}
    )
    assert summary["succeeded"] is True
    assert summary["versions_written"]["events"] == summary["run_id"]
    assert "will_churn_soon.champion" in summary["versions_written"]
    assert summary["versions_read"] == {}
    assert summary["files_read"]["raw_events"].endswith("data/01_raw/log")
    assert summary["parameters"]["feature_engineering"] == {"time_bin_days": 14}
    assert summary["packages"]["pyspark"].startswith("4.")
    nodes = {node["node"]: node for node in summary["nodes"]}
    assert len(nodes) == 47
    assert all(node["seconds"] >= 0 for node in nodes.values())
    report = latest(small_project, "ingestion_report.json")
    assert nodes["parse_lines"]["rows_written"] == {"parsed_lines": report["lines_read"]}
    assert nodes["select_events"]["rows_written"] == {"events": report["events"]}


def test_again_with_the_same_seed_gives_the_same_scores_also_in_threads(
    small_project: Path, first_scores: dict[str, Any]
) -> None:
    kedro(small_project, "run", "--runner=ThreadRunner", "--params=raw_events=data/01_raw/log")
    assert len(versions(small_project, "06_models", "will_churn_soon", "champion")) == 2
    assert scores(small_project) == first_scores


def test_a_part_reads_the_latest_versions_or_the_named_ones(small_project: Path, first_run: str) -> None:
    """One label, one algorithm; then the same from an older version of the training rows."""
    train = versions(small_project, "05_model_input", "will_churn_soon", "train")
    before = versions(small_project, "06_models", "churned_in_time_bin", "random_forest", "model")
    part = ("run", "--pipelines=modeling", "--namespaces=will_churn_soon.random_forest")
    kedro(small_project, *part)
    summary = latest(small_project, "run_summary.json")
    assert summary["versions_read"]["will_churn_soon.train"] == train[-1]
    assert set(summary["versions_written"]) == {
        f"will_churn_soon.random_forest.{name}" for name in ("model", "search", "predictions", "metrics")
    }
    assert versions(small_project, "06_models", "churned_in_time_bin", "random_forest", "model") == before

    kedro(small_project, *part, f"--load-versions=will_churn_soon.train:{train[0]}")
    assert latest(small_project, "run_summary.json")["versions_read"]["will_churn_soon.train"] == train[0]


def test_tags_nodes_and_missing_outputs(small_project: Path, first_run: str) -> None:
    kedro(small_project, "run", "--tags=random_forest")
    nodes = {node["node"] for node in latest(small_project, "run_summary.json")["nodes"]}
    steps = ("search_model", "predict", "evaluate")
    assert nodes == {f"{label}.random_forest.{step}" for label in LABELS for step in steps}

    kedro(small_project, "run", "--from-nodes=will_churn_soon.compare_algorithms")
    nodes = {node["node"] for node in latest(small_project, "run_summary.json")["nodes"]}
    assert nodes == {"will_churn_soon.compare_algorithms", "will_churn_soon.keep_champion"}

    shutil.rmtree(small_project / "data/06_models/will_churn_soon/champion")
    kedro(small_project, "run", "--only-missing-outputs", "--params=raw_events=data/01_raw/log")
    nodes = {node["node"] for node in latest(small_project, "run_summary.json")["nodes"]}
    assert nodes == {"will_churn_soon.keep_champion"}


def test_a_version_that_was_cut_off_is_not_the_latest(small_project: Path, first_run: str) -> None:
    folder = small_project / "data/04_feature/user_time_bins"
    complete = max(path.name for path in folder.iterdir())
    torn = folder / "9999-01-01T00.00.00.000Z" / "user_time_bins"
    torn.mkdir(parents=True)
    (torn / "part-00000.parquet").write_bytes(b"PAR1")
    kedro(small_project, "run", "--pipelines=sampling", "--namespaces=will_churn_soon")
    assert latest(small_project, "run_summary.json")["versions_read"]["user_time_bins"] == complete


def test_no_user_is_on_both_sides_unless_the_originals_method_is_asked_for(
    small_project: Path, first_scores: dict[str, Any]
) -> None:
    """``--env=original`` splits rows, judges on balanced rows and draws with its own seed, in a storage of its own."""
    kedro(
        small_project,
        "run",
        "--env=original",
        "--to-outputs=will_churn_soon.comparison",
        "--params=raw_events=data/01_raw/log",
    )
    assert versions(small_project, "08_reporting", "will_churn_soon", "comparison.json") != []
    ours, theirs = (
        {name: users(small_project / storage / "05_model_input/will_churn_soon" / name) for name in ("train", "test")}
        for storage in ("data", "data/original")
    )
    assert not ours["train"] & ours["test"]
    assert theirs["train"] & theirs["test"]
    comparison = latest(small_project / "data/original", "will_churn_soon", "comparison.json", data="08_reporting")
    assert comparison["judged_on"] == "test_balanced"
    summary = latest(small_project / "data/original", "run_summary.json", data="08_reporting")
    assert summary["parameters"]["sampling"]["split"]["seed"] == 147309
    assert scores(small_project) == first_scores
