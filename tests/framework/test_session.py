"""Spark starts with the project's settings, or the error says in one sentence what to install or change."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkify_kedro.framework.session import SparkStartError, check_java, get_session

SOURCE = Path(__file__).parents[2] / "src"


def fake_java(folder: Path, banner: str) -> Path:
    """A ``bin/java`` below ``folder`` that prints ``banner`` where Java prints its version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\n{banner}\nEND\n")
    java.chmod(0o755)
    return java


def complaint() -> str:
    """What ``check_java`` complains of, after making sure that it is one sentence that says what to install."""
    with pytest.raises(SparkStartError) as caught:
        check_java()
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith("install a JDK or JRE 17 or later and put it on the PATH or in JAVA_HOME.")
    return message


def run_python(
    script: str, *around: str, arguments: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, where no Spark runs yet; ``around`` is a command that runs it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return subprocess.run(
        [*around, sys.executable, "-c", script, *arguments],
        env={**inherited, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_java_in_java_home_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where there is one on the PATH: Spark would take the one in JAVA_HOME."""
    java = fake_java(tmp_path / "good", 'openjdk version "21.0.1"')
    monkeypatch.setenv("PATH", str(java.parent))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "empty"))

    assert f"was not found in JAVA_HOME ({tmp_path}/empty)" in complaint()


def test_a_missing_java_on_the_path_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "was not found on the PATH" in complaint()


@pytest.mark.parametrize(
    ("banner", "release"),
    [
        ('openjdk version "11.0.2" 2019-01-15\nOpenJDK Runtime Environment 18.9', "11"),
        ('openjdk version "1.8.0_292"', "8"),
        ('java version "16"', "16"),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx17g\nopenjdk version "9.0.4"', "9"),
    ],
)
def test_an_old_java_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banner: str, release: str) -> None:
    java = fake_java(tmp_path, banner)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert complaint().startswith(f"Spark needs Java 17 or later, and {java} is Java {release}: ")


@pytest.mark.parametrize("banner", ["", "The operation couldn't be completed. Unable to locate a Java Runtime."])
def test_a_java_without_a_readable_version_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banner: str
) -> None:
    """The second banner is that of a system whose ``java`` only points to an installer."""
    java = fake_java(tmp_path, banner)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert complaint().startswith(f"'{java} -version' does not print a version: ")


@pytest.mark.parametrize(
    "banner",
    [
        'openjdk version "17.0.15" 2025-04-15',
        'openjdk version "21-ea"',
        'java version "25"',
        'Picked up JAVA_TOOL_OPTIONS: -Xmx8g\nopenjdk version "17"',
    ],
)
@pytest.mark.parametrize("place", ["JAVA_HOME", "PATH"])
def test_a_suitable_java_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banner: str, place: str) -> None:
    java = fake_java(tmp_path, banner)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv(place, str(tmp_path if place == "JAVA_HOME" else java.parent))

    check_java()


ASK = """
from sparkify_kedro.framework.session import SparkStartError, get_session
try:
    get_session()
except SparkStartError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sc://127.0.0.1:{port}", "No Spark Connect server answers at sc://127.0.0.1:{port} (Connection refused): "),
        ("sc://127.0.0.1:{port}/;token=secret", "No Spark Connect server answers at sc://127.0.0.1:{port} ("),
        ("spark://127.0.0.1:{port}", "SPARK_REMOTE must be the address of a server, such as sc://host:15002, not "),
        ("local", "SPARK_REMOTE must be the address of a server, such as sc://host:15002, not local."),
    ],
)
def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path, address: str, said: str) -> None:
    """In one sentence and at once: the client itself would try for minutes. Java is not needed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        done = run_python(ASK, SPARK_REMOTE=address.format(port=port), JAVA_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said.format(port=port))
    assert "secret" not in done.stdout + done.stderr
    assert done.stdout.count("\n") == 1


def test_a_missing_master_is_reported_with_what_to_set() -> None:
    """As with ``--env=cluster`` and neither of its variables."""
    configure = "from sparkify_kedro.framework import session\nsession.configure_session({'spark.master': ''})\n"
    done = run_python(configure + ASK)
    assert done.stdout.startswith("No master is named: set the environment variable SPARK_MASTER")
    assert "SPARK_REMOTE" in done.stdout


def test_a_missing_client_of_spark_connect_is_named() -> None:
    hidden = "from sparkify_kedro.framework import session\nsession.find_spec = lambda name: None\n"
    done = run_python(hidden + ASK, SPARK_REMOTE="sc://127.0.0.1")
    assert done.stdout.startswith("SPARK_REMOTE needs the Python package grpcio: install it (the extra connect)")


def test_settings_reach_the_session(spark: SparkSession) -> None:
    """The session of the tests was configured with ``False`` and ``2``."""
    assert spark.conf.get("spark.ui.enabled") == "false"
    assert spark.sparkContext.uiWebUrl is None
    assert spark.conf.get("spark.sql.shuffle.partitions") == "2"
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"


LISTENS = "0A"  # a socket's state in /proc/net/tcp


def listening_addresses(pid: int) -> set[str]:
    """The addresses that a process listens on, as hexadecimal digits, least byte first."""
    sockets = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    return {line[1].rpartition(":")[0] for line in lines if line[3] == LISTENS and f"socket:[{line[9]}]" in sockets}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists its sockets there")
def test_a_local_session_listens_on_the_loopback_interface_alone(spark: SparkSession) -> None:
    addresses = listening_addresses(spark._jvm.java.lang.ProcessHandle.current().pid())
    assert addresses
    assert all(address.endswith("0100007F") for address in addresses), addresses


def test_the_running_session_is_reused(spark: SparkSession) -> None:
    assert get_session() is spark


STARTS = """
import sys
from pathlib import Path
from pyspark import SparkContext
from sparkify_kedro.framework.session import SparkStartError, configure_session, get_session

quiet = {"spark.ui.enabled": False, "spark.log.level": "ERROR"}
configure_session({**quiet, "spark.master": "local[1]", "spark.driver.memory": "600m", "spark.sql.caseSensitive": True})
assert SparkContext._gateway is None, "configuring must not start a JVM"

session = get_session()
print(session.sparkContext.master)
print(session.conf.get("spark.sql.caseSensitive"))
print(session.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory() <= 600 * 2**20)
print(session.sparkContext.pythonExec == sys.executable)
table = session.range(3).mapInPandas(lambda parts: parts, "id long")
table.write.parquet(sys.argv[1])
print(session.read.parquet(sys.argv[1]).count(), Path(sys.argv[1]).is_dir())

session.stop()
for wrong in ({"spark.master": "banana"}, {"spark.eventLog.enabled": True, "spark.eventLog.dir": "/no/such/folder"}):
    configure_session({**quiet, "spark.master": "local[1]", **wrong})
    try:
        get_session()
    except SparkStartError as error:
        print(error)
"""
# What other programs, containers and small machines set.
ODD_ENVIRONMENT = {
    "LC_ALL": "C",
    "HOME": "/no/such/home",
    "PYSPARK_SUBMIT_ARGS": "--master yarn --conf spark.driver.memory=17m",
    "SPARK_HOME": "/opt/another-spark",
    "SPARK_CONF_DIR": "/opt/another-spark/conf",
    "PYSPARK_PYTHON": "/bin/false",
    "PYSPARK_DRIVER_PYTHON": "jupyter",
}
UNKNOWN_HOST = ("unshare", "--uts", "sh", "-c", 'hostname no-such-host.invalid && exec "$@"', "sh")


def can_run(*words: str) -> bool:
    return (
        shutil.which(words[0]) is not None and subprocess.run(words, check=False, capture_output=True).returncode == 0
    )


@pytest.mark.faults
def test_the_first_session_has_the_settings_or_fails_with_one_sentence(tmp_path: Path) -> None:
    """In a process of its own, on an odd machine: true is Spark's true, the driver's memory is that of the settings
    (it must be known before the JVM starts), workers run this Python, a folder has a name that is not ASCII; and wrong
    settings are one sentence each, with Java's own cause.
    """
    around = UNKNOWN_HOST if can_run(*UNKNOWN_HOST, "true") else ()  # only root may change the name of the host
    folder = tmp_path / "Größe é"
    script = STARTS.replace("sys.argv[1]", ascii(str(folder)))
    done = run_python(script, *around, **ODD_ENVIRONMENT)

    assert done.returncode == 0, done.stderr
    master, case_sensitive, memory_is_bounded, is_this_python, table, *messages = done.stdout.splitlines()
    assert (master, case_sensitive, memory_is_bounded, is_this_python) == ("local[1]", "true", "True", "True")
    assert table == "3 True"
    assert folder.is_dir()
    assert messages == [
        "Spark did not start at banana: Could not parse Master URL: 'banana'. Check the settings in conf/*/spark.yml.",
        "Spark did not start at local[1]: File file:/no/such/folder does not exist. "
        "Check the settings in conf/*/spark.yml.",
    ]


FAILS = """
from sparkify_kedro.framework.session import SparkStartError, configure_session, get_session
configure_session({"spark.master": "local[1]", "spark.driver.memory": "10x"})
try:
    get_session()
except SparkStartError as error:
    print(error)
"""


def test_what_java_says_is_in_the_sentence() -> None:
    """Java ends before there is a session to ask."""
    assert run_python(FAILS).stdout == (
        "Spark did not start at local[1]: Invalid maximum heap size: -Xmx10x. Check the settings in conf/*/spark.yml.\n"
    )


def test_a_user_without_a_name_is_reported() -> None:
    """As in containers that are started with a user id of their own."""
    nameless = ("unshare", "--user", "--map-user=54321")
    if not can_run(*nameless, "true"):
        pytest.skip("this machine allows no user namespaces, in which a user has no name")
    done = run_python(FAILS, *nameless)
    assert done.stdout.startswith("User id 54321 has no name on this machine, and Spark needs one: add a line")


SAVES = """
import sys
from kedro.io.core import DatasetError
from sparkify_kedro.framework.datasets import SparkDataFrameDataset
from sparkify_kedro.framework.session import configure_session, get_session
table, of_java, of_spark = sys.argv[1:]
quiet = {"spark.ui.enabled": False, "spark.ui.showConsoleProgress": False, "spark.log.level": "FATAL"}
own = {"spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={of_java}", "spark.local.dir": of_spark}
configure_session({**quiet, **own, "spark.master": "local[1]"})
rows = get_session().range(100_000).repartition(2).selectExpr("id", "uuid() as text").repartition(3)
try:
    SparkDataFrameDataset(filepath=table).save(rows)
except DatasetError as error:
    print(error)
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    ("options", "is_of_java", "why"),
    [
        ("noexec", True, "the temporary folder allows no programs"),
        ("size=200k", True, "a library of Spark cannot be unpacked into the temporary folder"),
        ("size=200k", False, "No space left on device, there or in the temporary folder"),
    ],
)
def test_a_temporary_folder_that_is_full_or_allows_no_programs_is_named(
    tmp_path: Path, options: str, is_of_java: bool, why: str
) -> None:
    """That of Java, which holds libraries, and that of Spark, which holds shuffled rows."""
    small, large = (tmp_path / name for name in ("small", "large"))
    for folder in (small, large):
        folder.mkdir()
    around = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {options} tmpfs {small} && exec "$@"', "sh")
    if not can_run(*around, "true"):
        pytest.skip("only root may mount a folder")
    folders = (small, large) if is_of_java else (large, small)
    done = run_python(SAVES, *around, arguments=(str(tmp_path / "table"), *map(str, folders)))
    assert done.stdout.startswith(f"Spark could not write to '{tmp_path}/table': {why}"), done.stdout + done.stderr
