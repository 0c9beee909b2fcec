"""A standalone cluster on loopback: a master and two workers, started from the installed pyspark."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark
import pytest

pytestmark = pytest.mark.faults
SPARK = Path(pyspark.__file__).parent
SECONDS_TO_START = 60
LOG = "data/01_raw/log"


@contextmanager
def service(folder: Path, name: str, *words: str) -> Iterator[Path]:
    """A process of Spark's own, ended with the block; its output is in the file."""
    output = folder / f"{name}.log"
    # Without this project on any path: its code comes with the session.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder / name)}
    with output.open("w") as stream:
        command = [SPARK / "bin/spark-class", *words]
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield output
        finally:
            process.terminate()
            process.wait()


def wait_for(pattern: str, file: Path) -> str:
    """What the pattern finds in a file that is being written."""
    ends = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < ends:
        if found := re.search(pattern, file.read_text()):
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no {pattern} in {file}: {file.read_text()[-2_000:]}")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    ports = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    deploy = "org.apache.spark.deploy"
    with ExitStack() as running:
        log = running.enter_context(service(folder, "master", f"{deploy}.master.Master", *ports))
        address = wait_for(r"spark://127\.0\.0\.1:\d+", log)
        for number in (1, 2):
            words = (f"{deploy}.worker.Worker", *ports, "--cores", "1", "--memory", "2g", address)
            worker = running.enter_context(service(folder, f"worker_{number}", *words))
            wait_for("Successfully registered with master", worker)
        yield address


def simulated(folder: Path, *options: str, **environment: str) -> list[str]:
    """The lines of a small log that a command simulates in a copy of the project."""
    params = f"simulation.users=20,simulation.files=2,simulated_events={folder / LOG}"
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipelines=simulation", *options, f"--params={params}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "PYSPARK_PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    files = [gzip.decompress(file.read_bytes()) for file in (folder / LOG).rglob("*.gz")]
    return sorted(line for content in files for line in content.decode().splitlines())


def test_executors_have_the_code_and_the_result_is_that_of_one_machine(
    master: str, tmp_path: Path, copy_project: Callable[[Path], Path]
) -> None:
    """The simulation runs Python of this package on the executors."""
    folders = [tmp_path / name for name in ("local", "cluster")]
    for folder in folders:
        folder.mkdir()
        copy_project(folder)
    alone = simulated(folders[0])
    storage = str(folders[1] / "data")
    shared = simulated(folders[1], "--env=cluster", SPARK_MASTER=master, SPARKIFY_STORAGE=storage)
    assert len(alone) > 1_000
    assert shared == alone
