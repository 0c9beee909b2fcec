"""Servers on loopback, each in processes of its own that end with the block: a Spark cluster, Spark Connect, S3."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import pyspark

SPARK = Path(pyspark.__file__).parent
SECONDS_TO_START = 60
LOOPBACK = "127.0.0.1"
S3_USER = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Cluster(NamedTuple):
    """A standalone cluster: the address of its master, and the processes of its workers."""

    master: str
    workers: list[subprocess.Popen[str]]


@contextmanager
def process(
    command: Sequence[str | Path],
    output: Path,
    environment: Mapping[str, str],
    end: int = signal.SIGTERM,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process in a folder, whose output goes to a file; the signal ends it."""
    with output.open("w") as stream:
        running = subprocess.Popen(command, env=environment, cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            running.send_signal(end)
            running.wait()


def wait_for(pattern: str, file: Path) -> str:
    """What the pattern finds in a file that is being written."""
    ends = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < ends:
        if found := re.search(pattern, file.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no {pattern} in {file}: {file.read_text()[-2_000:]}")


def spark_environment(address: str = LOOPBACK, **more: str) -> dict[str, str]:
    """That of a Spark process which has this project on no path: its code comes with the session."""
    others = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SPARK_REMOTE")}
    return others | {"SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": address, "PYSPARK_PYTHON": sys.executable} | more


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A master, and two workers of one core each that have addresses of their own."""
    deploy, ports = "org.apache.spark.deploy", ("--port", "0", "--webui-port", "0")
    start = str(SPARK / "bin/spark-class")
    with ExitStack() as running:
        log = folder / "master.log"
        words = [start, f"{deploy}.master.Master", "--host", LOOPBACK, *ports]
        running.enter_context(process(words, log, spark_environment()))
        master = wait_for(r"spark://127\.0\.0\.1:\d+", log)
        workers = []
        for number in (1, 2):
            # All of 127.0.0.0/8 is loopback on Linux; elsewhere only the first address is.
            address = f"127.0.0.{1 + number}" if sys.platform == "linux" else LOOPBACK
            words = [start, f"{deploy}.worker.Worker", "--host", address, *ports, "--cores", "1", "--memory", "2g"]
            environment = spark_environment(address, SPARK_WORKER_DIR=str(folder / f"worker_{number}"))
            log = folder / f"worker_{number}.log"
            workers.append(running.enter_context(process([*words, master], log, environment)))
            wait_for("Successfully registered with master", log)
        yield Cluster(master, workers)


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """The address of a Spark Connect server that runs on this machine's cores."""
    settings = {
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": "0",
        "spark.ui.enabled": "false",
        # As for the session of the tests: minutes on small data.
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    words = [str(SPARK / "bin/spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    words += ["--master", "local[2]", "--driver-memory", "2g"]
    words += [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    log = folder / "connect.log"
    with process([*words, "spark-internal"], log, spark_environment()):
        started = wait_for(r"Spark Connect server started at: \S+:\d+", log)
        yield f"sc://{LOOPBACK}:{started.rpartition(':')[2]}"


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """The environment variables that lead S3 clients to a server."""
    program = shutil.which("weed", path=Path(sys.executable).parent)
    assert program is not None
    ports = dict(zip(("master.port", "volume.port", "filer.port", "s3.port"), free_ports(4), strict=True))
    words = [program, "server", f"-dir={folder}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-filer", "-s3"]
    words += [f"-{name}={port}" for name, port in ports.items()]
    words += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    # It would take half a minute to say farewell to its own parts.
    with (
        _without_sockets(ports.values()),
        process(words, folder / "s3.log", dict(os.environ) | S3_USER, end=signal.SIGKILL),
    ):
        _wait_for_answer(ports["s3.port"])
        yield S3_USER | {"AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{ports['s3.port']}"}


@contextmanager
def _without_sockets(ports: Iterable[int]) -> Iterator[None]:
    """Remove what the server leaves in a folder that it lets nobody choose."""
    try:
        yield
    finally:
        for port in ports:
            for name in (port, port + 10_000):
                for left in Path("/tmp").glob(f"seaweedfs-*-{name}.sock"):  # noqa: S108 - the server's own choice
                    left.unlink()


def free_ports(number: int) -> list[int]:
    """Ports that are free, and those 10,000 above too, where this server listens for its own kind."""
    found: list[int] = []
    with ExitStack() as held:
        port = 20_000 + os.getpid() % 20_000
        while len(found) < number:
            port += 1
            pair = [held.enter_context(socket.socket()) for _ in range(2)]
            try:
                for place, each in enumerate(pair):
                    each.bind((LOOPBACK, port + 10_000 * place))
            except OSError:
                continue
            found.append(port)
    return found


def _wait_for_answer(port: int) -> None:
    ends = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < ends:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(LOOPBACK, port, timeout=1)
            connection.request("GET", "/")
            connection.getresponse().close()
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing answers on port {port}")
