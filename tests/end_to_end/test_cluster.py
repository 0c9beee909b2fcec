"""Runs on a standalone cluster on loopback, whose results are those of runs on one machine."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cluster_client
import servers
from documented import documented
from leaves import assert_nearly_equal

if TYPE_CHECKING:
    from conftest import Project

LOG = "data/01_raw/log"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Cluster]:
    """A master and two workers."""
    with servers.cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def start(folder: Path, cluster: servers.Cluster, *more: str) -> subprocess.Popen[str]:
    """The command of docs/deployment/cluster.md in a folder, which all machines see; both of its streams are one."""
    words, environment = documented("deployment/cluster.md", "SPARK_MASTER")
    own = {"SPARK_MASTER": cluster.master, "SPARKIFY_STORAGE": str(folder / "data")}
    assert environment.keys() == own.keys()
    variables = {"PYTHONPATH": str(folder / "src"), "PYSPARK_PYTHON": sys.executable, "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", *words, *more],
        cwd=folder,
        env=os.environ | variables | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines_of_log(folder: Path) -> list[str]:
    """The lines of a simulated log, in the order of the alphabet."""
    files = [gzip.decompress(file.read_bytes()) for file in (folder / LOG).rglob("*.gz")]
    return sorted(line for content in files for line in content.decode().splitlines())


def test_executors_have_the_code_and_the_result_is_that_of_one_machine(
    cluster: servers.Cluster,
    tmp_path: Path,
    copy_project: Callable[[Path], Path],
    kedro_here: Callable[..., tuple[int, str, str]],
) -> None:
    """The simulation runs Python of this package on the executors."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        copy_project(folder)
    # As for the session of the tests: seconds on small data.
    with (there / "conf" / "cluster" / "spark.yml").open("a") as settings:
        settings.write("spark.executor.extraJavaOptions: -XX:+UseSerialGC -XX:TieredStopAtLevel=1\n")
        settings.write("spark.driver.extraJavaOptions: -XX:+UseSerialGC -XX:TieredStopAtLevel=1\n")
    words = ("--pipelines=simulation", "--params=simulation.users=6,simulation.files=2,simulated_events={}")
    code, output, errors = kedro_here(here, "run", words[0], words[1].format(here / LOG))
    assert code == 0, output + errors
    running = start(there, cluster, words[0], words[1].format(there / LOG))
    output, _ = running.communicate()
    assert running.returncode == 0, output[-3_000:]
    assert len(lines_of_log(here)) > 1_000
    assert lines_of_log(there) == lines_of_log(here)


@pytest.mark.faults
@pytest.mark.parametrize("lost", [0, 1])
def test_the_rows_of_a_search_survive_the_loss_of_a_worker(cluster: servers.Cluster, lost: int) -> None:
    """Whichever it is."""
    client = subprocess.Popen(
        [sys.executable, cluster_client.__file__, cluster.master],
        env=os.environ | {"PYTHONPATH": str(Path(cluster_client.__file__).parents[1] / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    before = client.stdout.readline()
    kill(cluster.workers[lost])
    after, _ = client.communicate("\n\n")
    assert (before, after) == ("999000\n", "999000\n")


@pytest.mark.faults
def test_a_run_survives_the_loss_of_a_worker_and_finds_the_same(
    cluster: servers.Cluster, small_project: Project
) -> None:
    """The worker is killed in the first search, and its executor ends with it."""
    expected, conf = small_project.scores(), small_project.folder / "conf"
    for file in (conf / "local").glob("parameters_*.yml"):
        (conf / "cluster" / file.name).write_text(file.read_text())
    running = start(small_project.folder, cluster, f"--params=raw_events={LOG}")
    assert running.stdout is not None
    lines = []
    for line in running.stdout:
        lines.append(line)
        if " fits" in line and cluster.workers[0].poll() is None:
            kill(cluster.workers[0])
    assert running.wait() == 0, "".join(lines)[-3_000:]
    assert cluster.workers[0].returncode == -signal.SIGKILL
    assert len(small_project.versions("08_reporting", "run_summary.json")) == 2
    assert_nearly_equal(small_project.scores(), expected)


def kill(worker: subprocess.Popen[str]) -> None:
    """Give it no time to say farewell."""
    worker.send_signal(signal.SIGKILL)
    worker.wait()
