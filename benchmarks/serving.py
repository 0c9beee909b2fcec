"""The server's start, answers and clients: ``make benchmark-serving`` (about seven minutes on two idle cores).

In a copy of the project a run on the bundled log stores scores, once with its own champion and once with its
gradient-boosted trees in the champion's place. Clients on the same machine then ask two processes of the server:

* steady: single rows at a fixed rate. A latency counts from the time at which the request was due, so that a server
  that falls behind is not measured less often.
* closed loop: each connection asks again as soon as it has its answer.
* two runs: 24 clients ask for a minute while two scoring runs land; every answer must be one run's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from project_copy import KEDRO, copy_of_project, seconds

LABEL = "will_churn_in_next_bin"
RATE, CONNECTIONS, CLIENTS = 300, 8, 24
# As of these days, the second and the third run score other probabilities than the first.
DAYS = ("2018-11-20", "2018-11-10")


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """The status and the body of an answer."""
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


@contextmanager
def server(folder: Path, workers: int) -> Iterator[tuple[int, float]]:
    """A running server without Java: its port, and how long it took until it answered."""
    port = 18_765
    environment = os.environ | {"JAVA_HOME": "/nowhere", "PYTHONPATH": "src"}
    started = time.perf_counter()
    command = [*KEDRO, "serve", f"--port={port}", f"--workers={workers}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, env=environment, **quiet) as process:
        try:
            while True:
                try:
                    status, _ = Client(port).ask("GET", "/health")
                    break
                except OSError:
                    time.sleep(0.02)
            took = time.perf_counter() - started
            if status != 200:
                sys.exit(f"/health answered {status}")
            yield port, took
        finally:
            process.send_signal(signal.SIGTERM)


def one_row(port: int) -> bytes:
    """The body of a request: a row at the means of the training rows."""
    features = Client(port).ask("GET", "/model")[1]["features"]
    return json.dumps({"rows": [{name: each["training_mean"] for name, each in features.items()}]}).encode()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """The work by number, all at once."""
    with ThreadPoolExecutor(count) as threads:
        # What goes wrong in a thread ends the benchmark.
        list(threads.map(work, range(count)))


def steady(port: int, body: bytes, for_seconds: float) -> np.ndarray:
    """Milliseconds from when each request was due to its answer, at ``RATE`` requests a second."""
    latencies: list[float] = []
    begins = time.perf_counter() + 0.5

    def work(number: int) -> None:
        client = Client(port)
        for due in np.arange(number / RATE, for_seconds, CONNECTIONS / RATE):
            time.sleep(max(0.0, begins + due - time.perf_counter()))
            status, _ = client.ask("POST", "/score", body)
            if status != HTTPStatus.OK:
                sys.exit(f"POST /score answered {status}")
            latencies.append(1_000 * (time.perf_counter() - begins - due))

    in_threads(CONNECTIONS, work)
    return np.array(latencies)


def closed_loop(port: int, body: bytes, for_seconds: float) -> float:
    """Answers a second."""
    counts = [0] * CONNECTIONS
    ends = time.perf_counter() + for_seconds

    def work(number: int) -> None:
        client = Client(port)
        while time.perf_counter() < ends:
            status, _ = client.ask("POST", "/score", body)
            if status != HTTPStatus.OK:
                sys.exit(f"POST /score answered {status}")
            counts[number] += 1

    in_threads(CONNECTIONS, work)
    return sum(counts) / for_seconds


def clients_while_runs_land(folder: Path, port: int, body: bytes) -> list[tuple[str, int, Any]]:
    """What clients asked for, and the answers: until two scoring runs have landed, and for a minute at least."""
    users = [each["user_id"] for each in Client(port).ask("GET", "/users?top=50")[1]["users"]]
    answers: list[tuple[str, int, Any]] = []
    have_landed, minute = threading.Event(), time.perf_counter() + 60

    def work(number: int) -> None:
        if number == CLIENTS:
            try:
                for day in DAYS:
                    seconds([*KEDRO, "run", "--pipelines=scoring", f"--params=feature_engineering.as_of={day}"], folder)
                time.sleep(5)
            finally:
                have_landed.set()
            return
        client, chance = Client(port), np.random.default_rng(number)
        while time.perf_counter() < minute or not have_landed.is_set():
            user = str(chance.choice(users))
            answers.append((user, *client.ask("GET", f"/users/{user}")))
            answers.append(("", *client.ask("GET", "/users?top=3")))
            answers.append(("", *client.ask("POST", "/score", body)))
            # Clients and server share two cores with the scoring runs.
            time.sleep(0.05)

    in_threads(CLIENTS + 1, work)
    return answers


def check_answers(folder: Path, answers: list[tuple[str, int, Any]]) -> Counter[str]:
    """Answers by run; ends where one is an error, or not wholly of the run that it names."""
    stored = folder / "data/07_model_output/churn_scores"
    scores = {path.name: dict(read_scores(path / "churn_scores").itertuples(index=False)) for path in stored.iterdir()}
    found: Counter[str] = Counter()
    for user, status, answer in answers:
        run = answer["run"] if status == 200 else next((run for run in scores if run in answer["detail"]), "")
        is_right = run in scores and (
            user not in scores[run]
            if status == 404
            else status == 200
            and answer.get("scored", len(scores[run])) == len(scores[run])
            and all(
                scores[run][each["user_id"]] == each["probability"]
                for each in answer.get("users", [answer] if user else [])
            )
        )
        if not is_right:
            sys.exit(f"wrong: {user} {status} {answer}")
        found[run] += 1
    return found


def read_scores(path: Path) -> pd.DataFrame:
    """Users and their probabilities."""
    return pd.read_parquet(path, columns=["user_id", "probability"])


def put_trees_in_the_champions_place(folder: Path) -> None:
    """As if they had been chosen: what follows the choice is run again."""
    versions = folder / "data/06_models" / LABEL / "champion_selection.json"
    newest = max(versions.iterdir()) / "champion_selection.json"
    choice = json.loads(newest.read_text())
    newest.write_text(json.dumps(choice | {"champion": "gradient_boosted_trees"}))
    after = ",".join(f"{LABEL}.{node}" for node in ("keep_champion", "describe_champion"))
    seconds([*KEDRO, "run", "--pipelines=modeling,scoring", f"--from-nodes={after}"], folder)


def measure(folder: Path, for_seconds: float) -> bytes:
    """Print the start and the speed; a request's body."""
    starts = []
    for _ in range(3):
        with server(folder, 1) as (_, took):
            starts.append(took)
    print(f"  start until /health answers: {min(starts):.1f} s")
    with server(folder, 2) as (port, _):
        body = one_row(port)
        # Each process loads what explains trees.
        closed_loop(port, body, 10)
        latencies = steady(port, body, for_seconds)
        median, high = np.percentile(latencies, [50, 99])
        print(f"  {RATE} rows a second: median {median:.1f} ms, p99 {high:.1f} ms, {len(latencies)} requests")
        print(f"  closed loop: {closed_loop(port, body, for_seconds):.0f} rows a second")
    print(f"  a row has {len(json.loads(body)['rows'][0])} features")
    return body


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    for_seconds = parser.parse_args().seconds
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_project(Path(name))
        seconds([*KEDRO, "run"], folder)
        for kind in ("the run's own champion", "gradient-boosted trees"):
            if kind == "gradient-boosted trees":
                put_trees_in_the_champions_place(folder)
            with server(folder, 1) as (port, _):
                algorithm = Client(port).ask("GET", "/model")[1]["algorithm"]
            print(f"{kind} ({algorithm}):")
            body = measure(folder, for_seconds)
        with server(folder, 2) as (port, _):
            answers = clients_while_runs_land(folder, port, body)
        by_run = check_answers(folder, answers)
        print(f"{CLIENTS} clients while two runs landed: {sum(by_run.values())} answers, none wrong or mixed")
        print("  " + ", ".join(f"{count} of {run}" for run, count in sorted(by_run.items())))


if __name__ == "__main__":
    main()
