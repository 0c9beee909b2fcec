"""The real command line: commands without Spark start no JVM, and a failed run ends with one sentence."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from kedro_viz.launchers.cli.run import run as viz_run

from forked_kedro import Forks

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "src" / "sparkify_kedro"

# The second compiler would take more time than it saves.
SHORT_SESSION = "spark.driver.extraJavaOptions: -XX:+UseSerialGC -XX:TieredStopAtLevel=1\n"
CONFIGURATION = "conf-sparkify_kedro.tar.gz"
ADVICE = "install a JDK or JRE 17 or later"


SURPRISES = ("KEDRO_", "SPARK", "PYSPARK_", "PYTHONPATH", "JAVA_HOME")
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(SURPRISES)} | {"DO_NOT_TRACK": "1"}


def run_module(folder: Path, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """``python -m`` in a folder, in a plain environment with ``changes``."""
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=PLAIN | changes, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]) -> Iterator[Forks]:
    """Kedro commands in a copy of the project, in a plain environment; none of them writes data."""
    folder = tmp_path_factory.mktemp("cli") / "project"
    folder.mkdir()
    forks = Forks(copy_project(folder), PLAIN)
    yield forks
    forks.end()
    assert not (folder / "data").exists()


def sentence(failed: subprocess.CompletedProcess[str]) -> str:
    """The one sentence with which a run failed, and nothing that looks like a stack."""
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout + failed.stderr
    *before, last = failed.stderr.rstrip().splitlines()
    assert last.startswith("Error: ")
    assert not [line for line in before if line.startswith("Error: ")]
    return last.removeprefix("Error: ")


class FailingJava(NamedTuple):
    """A PATH that begins with a ``java`` that fails and leaves the file ``was_called``."""

    path: str
    was_called: Path


@pytest.fixture
def java_that_fails(tmp_path: Path) -> FailingJava:
    folder = tmp_path / "java_that_fails"
    folder.mkdir()
    java = folder / "java"
    java.write_text(f"#!/bin/sh\n: > '{folder}/was_called'\nexit 1\n")
    java.chmod(0o755)
    return FailingJava(f"{folder}{os.pathsep}{os.environ['PATH']}", folder / "was_called")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("registry", "list"), ["- ingestion", "- simulation", "- __default__"]),
        (("catalog", "resolve-patterns"), ["will_churn_soon.champion:", "/data/06_models/will_churn_soon/champion"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_without_spark_start_no_jvm(
    forks: Forks, java_that_fails: FailingJava, words: tuple[str, ...], expected: list[str]
) -> None:
    """They work where the only Java fails, and do not even call it."""
    done = forks.try_kedro(*words, PATH=java_that_fails.path)

    assert done.returncode == 0, done.stderr
    assert [text for text in expected if text not in done.stdout] == []
    assert not java_that_fails.was_called.exists()


def test_every_dataset_resolves_in_the_catalog(forks: Forks, java_that_fails: FailingJava) -> None:
    """``describe-datasets`` lists under ``defaults`` what would silently lie in memory; it starts no JVM either."""
    done = forks.try_kedro("catalog", "describe-datasets", PATH=java_that_fails.path)

    assert not java_that_fails.was_called.exists()
    described = yaml.safe_load(done.stdout[done.stdout.index("__default__:") :])
    assert {name: parts["defaults"] for name, parts in described.items()} == {name: {} for name in described}


@pytest.mark.faults
def test_a_java_that_fails_is_called_by_a_run(project: Path, java_that_fails: FailingJava) -> None:
    """So that the tests above can fail; and the run says what to install, before it reads or writes anything."""
    failed = run_module(project, "kedro", "run", PATH=java_that_fails.path)

    assert java_that_fails.was_called.exists()
    assert ADVICE in sentence(failed)
    assert not (project / "data").exists()


def test_a_run_without_java_gives_instructions(forks: Forks, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()

    assert ADVICE in sentence(forks.try_kedro("run", PATH=str(nothing)))


def test_a_parameter_out_of_bounds_is_named_before_spark_starts(forks: Forks, java_that_fails: FailingJava) -> None:
    words = ("run", "--params=feature_engineering.time_bin_days=0")

    message = sentence(forks.try_kedro(*words, PATH=java_that_fails.path))

    assert "time_bin_days should be greater than or equal to 1 (it is 0)" in message
    assert not java_that_fails.was_called.exists()


def test_the_stack_trace_can_be_requested(forks: Forks) -> None:
    """So that the absence of a stack in the other tests means something."""
    words = ("run", "--params=feature_engineering.time_bin_days=0")

    failed = forks.try_kedro(*words, SPARKIFY_TRACEBACK="1")

    assert failed.returncode != 0
    assert "Traceback" in failed.stdout + failed.stderr


@pytest.mark.faults
def test_a_damaged_log_is_named_and_the_stack_trace_is_in_the_log_file(project: Path) -> None:
    """Also nothing that Java itself writes to the terminal; the whole stack is in sparkify.log."""
    (project / "conf/local/spark.yml").write_text(SHORT_SESSION)
    whole = gzip.compress(b"".join(b'{"page": "Home %d"}\n' % number for number in range(500)), mtime=0)
    (project / "log.json.gz").write_bytes(whole[: len(whole) // 2])
    failed = run_module(project, "kedro", "run", "--pipelines=ingestion", "--params=raw_events=log.json.gz")

    assert sentence(failed).startswith(f"{project}/log.json.gz cannot be read")
    assert "\tat " not in failed.stdout + failed.stderr
    assert not (project / "data" / "02_intermediate" / "events").exists()
    log = (project / "sparkify.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "EOFException" in log


def test_kedro_viz_listens_on_loopback_only() -> None:
    """Unless configured otherwise, as docs/threats.md says."""
    hosts = [option.default for option in viz_run.params if option.name == "host"]
    assert hosts == ["127.0.0.1"]


@pytest.fixture
def packaged(project: Path, tmp_path: Path) -> Path:
    """A folder with what ``kedro package`` makes: the archive of the configuration; unpacked, ``site`` and ``conf``.

    The build happens in an environment of its own, into which pip installs setuptools from its index.
    """
    for name in ("README.md", "LICENSE"):
        shutil.copy(PROJECT / name, project / name)
    (project / "conf" / "local" / "credentials.yml").write_text("bucket: {secret: hidden}\n")
    done = run_module(project, "kedro", "package")
    message = done.stdout + done.stderr
    if "No matching distribution found for setuptools" in message:
        pytest.skip("kedro package builds in isolation, and pip finds no setuptools here (no package index)")
    assert done.returncode == 0, message

    (wheel,) = (project / "dist").glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "packaged" / "site", "zip")
    shutil.copy(project / "dist" / CONFIGURATION, tmp_path / "packaged")
    shutil.unpack_archive(project / "dist" / CONFIGURATION, tmp_path / "packaged", filter="data")
    return tmp_path / "packaged"


@pytest.mark.faults
def test_the_package_contains_code_and_configuration_and_runs(packaged: Path) -> None:
    """Every module, no secrets of a user; its command fails with one sentence, as ``kedro run``, and sends nothing."""
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    site = packaged / "site" / "sparkify_kedro"
    assert {path.relative_to(site) for path in site.rglob("*.py")} == modules

    ours = {path.relative_to(PROJECT) for path in (PROJECT / "conf" / "base").rglob("*") if path.is_file()}
    assert {path.relative_to(packaged) for path in (packaged / "conf" / "base").rglob("*") if path.is_file()} == ours
    assert not (packaged / "conf" / "local" / "credentials.yml").exists()

    wrong = "--params=feature_engineering.time_bin_days=0"
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        # Without what the tests' environment says of telemetry: what would be sent would go through the proxy.
        allowed = {"DO_NOT_TRACK": "", "HTTPS_PROXY": address, "HTTP_PROXY": address, "CI": ""}
        failed = run_module(packaged, "sparkify_kedro", wrong, PYTHONPATH=str(packaged / "site"), **allowed)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert "time_bin_days" in sentence(failed)


# What they hold is that everything is there; make run has whole grids.
SMALL_GRIDS = ",".join(
    [
        "modeling.evaluation.replicates=40",
        "modeling.training.feature_sets=[compact]",
        "modeling.logistic_regression.grid.regParam=[0.1]",
        "modeling.logistic_regression.grid.elasticNetParam=[0.0]",
        "modeling.random_forest.settings.numTrees=3",
        "modeling.random_forest.grid.maxBins=[12]",
        "modeling.random_forest.grid.maxDepth=[3]",
        "modeling.gradient_boosted_trees.settings.maxIter=2",
        "modeling.gradient_boosted_trees.grid.maxBins=[12]",
        "modeling.gradient_boosted_trees.grid.maxDepth=[2]",
    ]
)
SAMPLE = PROJECT / "data/01_raw/sample_events.json.gz"


@pytest.mark.faults
def test_all_pipelines_run_from_the_wheel_and_the_archive_in_an_empty_folder(packaged: Path, tmp_path: Path) -> None:
    """On the bundled log, as docs/deployment/wheel.md says; what they write lies in that folder."""
    empty = tmp_path / "empty"
    empty.mkdir()
    conf = f"--conf-source={packaged / CONFIGURATION}"
    for pipelines, more in (
        ("__default__", ""),
        ("simulation", ",simulation.users=20,simulation.files=2"),
        ("score_other_log", f",scoring_events={SAMPLE}"),
        ("exploration,user_types,backtest,multiclass,level_changes", ""),
        ("experiments", ",experiments.only=[no_balancing]"),
    ):
        params = f"--params=raw_events={SAMPLE},{SMALL_GRIDS}{more}"
        words = ("sparkify_kedro", conf, f"--pipelines={pipelines}", params)
        done = run_module(empty, *words, PYTHONPATH=str(packaged / "site"))
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    assert [path.name for path in empty.iterdir()] == ["data"]
    written = {path.name for path in (empty / "data/08_reporting").iterdir()}
    assert written >= {"report", "run_summary.json", "backtest.json", "multiclass.json", "experiments.json"}
    assert list((empty / "data/01_raw/simulated_events").glob("*.gz"))


@pytest.mark.faults
def test_kedro_ipython_starts_spark_with_the_first_table(project: Path) -> None:
    """The session that a notebook gets is the configured one."""
    (project / "conf/local/spark.yml").write_text(SHORT_SESSION)
    (project / "data/01_raw").mkdir(parents=True)
    (project / "data/01_raw/sample_events.json.gz").write_bytes(gzip.compress(b'{"page":"Home"}\n'))
    code = (
        "from pyspark import SparkContext; print('before', SparkContext._active_spark_context); "
        "lines = catalog.load('raw_events'); print(lines.count(), lines.sparkSession.conf.get('spark.app.name'))"
    )
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run_module(project, "kedro", "ipython", "-c", code, PATH=binaries, IPYTHONDIR=str(project / "ipython"))
    assert "before None" in done.stdout, done.stdout + done.stderr
    assert "1 sparkify-churn" in done.stdout
