"""The real command line: commands without Spark start no JVM, and a failed run ends with one sentence."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kedro_viz.launchers.cli.run import run as viz_run

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "src" / "sparkify_kedro"

ADVICE = "install a JDK or JRE 17 or later"


def run_module(folder: Path, *words: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """``python -m`` in a folder, in a plain environment with ``changes``; None takes a variable away."""
    surprises = ("KEDRO_", "SPARK", "PYSPARK_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(surprises)}
    environment |= {"DO_NOT_TRACK": "1"} | {name: value for name, value in changes.items() if value is not None}
    for name in (name for name, value in changes.items() if value is None):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def sentence(failed: subprocess.CompletedProcess[str]) -> str:
    """The one sentence with which a run failed, and nothing that looks like a stack."""
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout + failed.stderr
    *before, last = failed.stderr.rstrip().splitlines()
    assert last.startswith("Error: ")
    assert not [line for line in before if line.startswith("Error: ")]
    return last.removeprefix("Error: ")


@pytest.fixture
def java_that_fails(tmp_path: Path) -> Path:
    """A folder for the PATH with a ``java`` that fails and leaves the file ``was_called``."""
    folder = tmp_path / "java_that_fails"
    folder.mkdir()
    java = folder / "java"
    java.write_text(f"#!/bin/sh\n: > '{folder}/was_called'\nexit 1\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("registry", "list"), ["- ingestion", "- simulation", "- __default__"]),
        (("catalog", "resolve-patterns"), ["will_churn_soon.champion:", "/data/06_models/will_churn_soon/champion"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_without_spark_start_no_jvm(
    project: Path, java_that_fails: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    """They work where the only Java fails, and do not even call it."""
    done = run_module(
        project, "kedro", *words, PATH=f"{java_that_fails}{os.pathsep}{os.environ['PATH']}", JAVA_HOME=None
    )

    assert done.returncode == 0, done.stderr
    assert [text for text in expected if text not in done.stdout] == []
    assert not (java_that_fails / "was_called").exists()


def test_every_dataset_resolves_in_the_catalog(project: Path, java_that_fails: Path) -> None:
    """``describe-datasets`` lists under ``defaults`` what would silently lie in memory; it starts no JVM either."""
    path = f"{java_that_fails}{os.pathsep}{os.environ['PATH']}"
    done = run_module(project, "kedro", "catalog", "describe-datasets", PATH=path, JAVA_HOME=None)

    assert not (java_that_fails / "was_called").exists()
    described = yaml.safe_load(done.stdout[done.stdout.index("__default__:") :])
    assert {name: parts["defaults"] for name, parts in described.items()} == {name: {} for name in described}


def test_a_java_that_fails_is_called_by_a_run(project: Path, java_that_fails: Path) -> None:
    """So that the test above can fail; and the run says what to install, before it reads or writes anything."""
    failed = run_module(
        project, "kedro", "run", PATH=f"{java_that_fails}{os.pathsep}{os.environ['PATH']}", JAVA_HOME=None
    )

    assert (java_that_fails / "was_called").exists()
    assert ADVICE in sentence(failed)
    assert not (project / "data").exists()


def test_a_run_without_java_gives_instructions(project: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()

    assert ADVICE in sentence(run_module(project, "kedro", "run", PATH=str(nothing), JAVA_HOME=None))


def test_a_parameter_out_of_bounds_is_named_before_spark_starts(project: Path, java_that_fails: Path) -> None:
    path = f"{java_that_fails}{os.pathsep}{os.environ['PATH']}"
    words = ("kedro", "run", "--params=feature_engineering.time_bin_days=0")

    message = sentence(run_module(project, *words, PATH=path, JAVA_HOME=None))

    assert "time_bin_days should be greater than or equal to 1 (it is 0)" in message
    assert not (java_that_fails / "was_called").exists()


def test_the_stack_trace_can_be_requested(project: Path) -> None:
    """So that the absence of a stack in the other tests means something."""
    words = ("kedro", "run", "--params=feature_engineering.time_bin_days=0")

    failed = run_module(project, *words, SPARKIFY_TRACEBACK="1")

    assert failed.returncode != 0
    assert "Traceback" in failed.stdout + failed.stderr


def test_a_damaged_log_is_named_and_the_stack_trace_is_in_the_log_file(project: Path) -> None:
    """Also nothing that Java itself writes to the terminal; the whole stack is in sparkify.log."""
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
    """A folder with what ``kedro package`` makes, unpacked: ``site`` and ``conf``.

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
    shutil.unpack_archive(project / "dist" / "conf-sparkify_kedro.tar.gz", tmp_path / "packaged", filter="data")
    return tmp_path / "packaged"


def test_the_package_contains_code_and_configuration_and_runs(packaged: Path) -> None:
    """Every module, no user's secrets; and its command fails with one sentence, as ``kedro run`` does."""
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    site = packaged / "site" / "sparkify_kedro"
    assert {path.relative_to(site) for path in site.rglob("*.py")} == modules

    ours = {path.relative_to(PROJECT) for path in (PROJECT / "conf" / "base").rglob("*") if path.is_file()}
    assert {path.relative_to(packaged) for path in (packaged / "conf" / "base").rglob("*") if path.is_file()} == ours
    assert not (packaged / "conf" / "local" / "credentials.yml").exists()

    wrong = "--params=feature_engineering.time_bin_days=0"
    failed = run_module(packaged, "sparkify_kedro", wrong, PYTHONPATH=str(packaged / "site"))
    assert "time_bin_days" in sentence(failed)


def test_kedro_ipython_starts_spark_with_the_first_table(project: Path) -> None:
    """The session that a notebook gets is the configured one."""
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
