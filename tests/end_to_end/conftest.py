"""A project with a small log, run once by the real command line."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd
import pytest
from kedro.framework.cli.cli import KedroCLI
from omegaconf import OmegaConf
from pyspark.sql import SparkSession

from thin_log import is_scored_later, thin_lines, write_lines

# Small grids and the smallest feature set: what they hold is wiring and repeatability; `make run` has all.
SMALL_SET = ["modeling.training.feature_sets=[compact]"]
SMALL_GRIDS = [
    "modeling.evaluation.replicates=40",
    "modeling.logistic_regression.settings.maxIter=5",
    "modeling.logistic_regression.grid.regParam=[0.1]",
    "modeling.logistic_regression.grid.elasticNetParam=[0.0]",
    "modeling.random_forest.grid.maxBins=[12]",
    "modeling.random_forest.grid.maxDepth=[3]",
    "modeling.random_forest.settings.numTrees=3",
    "modeling.gradient_boosted_trees.grid.maxDepth=[2]",
    "modeling.gradient_boosted_trees.grid.maxBins=[12]",
    "modeling.gradient_boosted_trees.settings.maxIter=2",
]
WIDE = {"COLUMNS": "200"}  # no line of the log is broken in two
LABELS = ("churned_in_time_bin", "will_churn_in_next_bin", "will_churn_soon")
ALGORITHMS = ("logistic_regression", "random_forest", "gradient_boosted_trees")
LOG = "data/01_raw/log"
MARKUP = "<script>document.title = 'run'</script>"
SCORES = (("08_reporting", "metrics"), ("06_models", "search_report"), ("08_reporting", "original_protocol"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that make the first run, and end with the others that need it: no worker waits for it."""
    needs_the_run = ("test_monitoring.py", "test_scoring.py", "test_seeing.py", "test_serving.py")
    items.sort(key=lambda item: (item.path.name != "test_runs.py", item.path.name in needs_the_run))


class Done(NamedTuple):
    """How a command ended, and its output on both streams."""

    code: int
    output: str


class Project(NamedTuple):
    """A copy of the project, and what is done with it on the command line."""

    folder: Path

    def try_kedro(self, *words: str) -> Done:
        """Run a kedro command in this process, with the tests' Spark."""
        code, output, errors = _kedro_here(self.folder, *words)
        return Done(code, output + errors)

    def kedro(self, *words: str) -> str:
        """Run a kedro command that must succeed; its output, standard error included."""
        done = self.try_kedro(*words)
        assert done.code == 0, done.output[-3_000:]
        return done.output

    def versions(self, *parts: str, data: str = "data") -> list[str]:
        """The versions of a dataset, oldest first."""
        folder = self.folder.joinpath(data, *parts)
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def newest(self, *parts: str, data: str = "data") -> Path:
        """The newest version of a dataset."""
        return self.folder.joinpath(data, *parts, self.versions(*parts, data=data)[-1], parts[-1])

    def report(self, *parts: str, data: str = "data") -> Any:
        """The newest version of a JSON dataset in 08_reporting."""
        return json.loads(self.newest("08_reporting", *parts, data=data).read_text())

    def table(self, *parts: str, data: str = "data", **options: Any) -> pd.DataFrame:
        """The newest version of a Spark table."""
        return pd.read_parquet(self.newest(*parts, data=data), **options)

    def audited_features(self, label: str, data: str = "data") -> list[str]:
        """The features that a label may be learned from: of the first feature set, which has all."""
        audit = json.loads(self.newest("05_model_input", label, "feature_audit.json", data=data).read_text())
        return next(iter(audit["feature_sets"].values()))

    def scores(self) -> dict[str, Any]:
        """Everything a run says about how good its models are."""
        return {
            f"{label}.{algorithm}.{name}": json.loads(self.newest(layer, label, algorithm, f"{name}.json").read_text())
            for label in LABELS
            for algorithm in ALGORITHMS
            for layer, name in SCORES
        }

    def nodes_of_newest_run(self) -> set[str]:
        """The nodes that the newest run has run."""
        return {node["node"] for node in self.report("run_summary.json")["nodes"]}


@contextlib.contextmanager
def _messages_to(stream: io.StringIO) -> Iterator[None]:
    """Send messages there that logging, which was configured before, would send to the terminal."""
    before = {each: each.stream for each in logging.root.handlers if type(each) is logging.StreamHandler}
    for handler in before:
        handler.setStream(stream)
    yield
    for handler, terminal in before.items():
        handler.setStream(terminal)


def _kedro_here(folder: Path, *words: str) -> tuple[int, str, str]:
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        _messages_to(output),
        contextlib.redirect_stderr(errors),
        mock.patch.dict(os.environ, WIDE),
    ):
        try:
            KedroCLI(folder).main([*words], prog_name="kedro")
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, output.getvalue(), errors.getvalue()


@pytest.fixture(scope="session")
def kedro_here(spark: SparkSession) -> Callable[..., tuple[int, str, str]]:
    """Kedro's own entry point, run in a folder, in this process and with the tests' Spark.

    Gives the exit code, and the output on both streams.
    """
    return _kedro_here


@pytest.fixture(scope="session")
def trained_once(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]
) -> tuple[Project, str]:
    """A copy of the project with small grids and a small log, run once, and the output of the run.

    Once for all of pytest's workers: the first that comes makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    output = shared / "first_run.txt"
    with (shared / "first_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            output.write_text(_train(copy_project(_new_folder(shared))))
    return Project(shared / "trained"), output.read_text()


def _new_folder(shared: Path) -> Path:
    """Without what an attempt that failed has left."""
    folder = shared / "trained"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.fixture
def new_project(copy_project: Callable[[Path], Path]) -> Callable[[Path], Project]:
    """Make a copy of the project with small grids and all extended features."""

    def make(folder: Path) -> Project:
        folder.mkdir()
        return Project(_with_small_grids(copy_project(folder), ["modeling.training.feature_sets=[extended]"]))

    return make


def _with_small_grids(folder: Path, feature_set: list[str]) -> Path:
    for environment, settings in (("local", [*SMALL_GRIDS, *feature_set]), ("original", SMALL_GRIDS)):
        path = folder / "conf" / environment / "parameters_modeling.yml"
        own = OmegaConf.load(path) if path.exists() else OmegaConf.create()
        OmegaConf.save(OmegaConf.merge(own, OmegaConf.from_dotlist(settings)), path)
    (folder / "conf/local/parameters_sampling.yml").write_text("sampling: {split: {folds: {number: 2}}}\n")
    return folder


def _train(folder: Path) -> str:
    _with_small_grids(folder, SMALL_SET)
    lines = [line for line in thin_lines() if not is_scored_later(line)]
    songs = [line for line in lines if line["page"] == "NextSong"]
    # Played more often than any other: the page must not run it.
    for line in songs[: len(songs) // 4]:
        line["song"], line["artist"] = MARKUP, "<b>Nobody</b>"
    (folder / LOG).mkdir(parents=True)
    half = len(lines) // 2
    for number, part in enumerate((lines[:half], lines[half:])):
        write_lines(folder / LOG / f"part-{number}.json.gz", part)
    return Project(folder).kedro("run", f"--params=raw_events={LOG}")


@pytest.fixture(scope="module")
def small_project(
    trained_once: tuple[Project, str], spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The project after its first run, for one file of tests alone; what it runs, it runs with the tests' Spark."""
    folder = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(trained_once[0].folder, folder)
    return Project(folder)


@pytest.fixture(scope="session")
def first_run(trained_once: tuple[Project, str]) -> str:
    """The output of the first whole run."""
    return trained_once[1]


@pytest.fixture(scope="module")
def first_scores(small_project: Project) -> dict[str, Any]:
    """What the first whole run found."""
    return small_project.scores()
