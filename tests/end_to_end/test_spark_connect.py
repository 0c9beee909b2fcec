"""Runs with a server of Spark Connect, whose results are those of runs on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from pyspark.sql import SparkSession

import servers
import spark_work
from documented import documented
from leaves import assert_nearly_equal
from sparkify_kedro.learning.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from conftest import Project

TESTS = Path(__file__).parents[1]
LOG = "data/01_raw/log"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server."""
    with servers.connect_server(tmp_path_factory.mktemp("connect")) as address:
        yield address


def run(folder: Path, *words: str, **environment: str) -> str:
    """The output of a Python program that must succeed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent / "src")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


# Trees are the models that a client sees least of.
@pytest.mark.parametrize(
    "algorithms",
    [["random_forest"], pytest.param([*spark_work.SETTINGS], marks=pytest.mark.faults)],
    ids=["forest", "all"],
)
def test_tables_models_and_explanations_are_those_of_this_machine(
    server: str, spark: SparkSession, tmp_path: Path, algorithms: list[str]
) -> None:
    """The client has no Java objects, and the server has the project's code from the client alone."""
    for algorithm in algorithms:
        pytest.importorskip(ALGORITHMS[algorithm].package or "pyspark")
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here = spark_work.work(tmp_path / "here", algorithms)
    there = json.loads(run(TESTS, spark_work.__file__, str(tmp_path / "there"), *algorithms, SPARK_REMOTE=server))
    assert "a column has a user-defined type" in here["tables"]["unsafe"]
    assert there["tables"] == here["tables"]
    assert there["simulated"] == here["simulated"]
    assert len(there["simulated"]) == 50
    assert_nearly_equal(there["models"], here["models"])


@pytest.mark.faults
def test_a_whole_run_and_scoring_find_what_they_find_on_this_machine(server: str, small_project: Project) -> None:
    expected, scored = small_project.scores(), small_project.table("07_model_output", "churn_scores")
    for containing in ("kedro run", "--pipelines=scoring"):
        words, environment = documented("deployment/spark-connect.md", containing)
        assert environment.keys() == {"SPARK_REMOTE"}
        kedro_run = ("-m", "kedro", "run", *words, f"--params=raw_events={LOG}")
        run(small_project.folder, *kedro_run, PYTHONPATH="src", SPARK_REMOTE=server)
        assert_nearly_equal(small_project.scores(), expected)
        pd.testing.assert_frame_equal(small_project.table("07_model_output", "churn_scores"), scored)
    assert len(small_project.versions("07_model_output", "churn_scores")) == 3
