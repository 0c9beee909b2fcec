"""A run is active from the acquisition of its lock to its end, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sparkify_kedro.framework.runs.locks import RunLockError, RunLocks

FIRST, SECOND = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
READS = {"events": "2025-12-31T00.00.00.000Z"}
# A run that acquires its lock and is then killed by the test.
ANNOUNCE = """
import sys, time
from pathlib import Path
from sparkify_kedro.framework.runs.locks import RunLocks
kept = RunLocks(Path(sys.argv[1])).acquire(sys.argv[2], lambda: {"events": "before"})
print("announced", flush=True)
time.sleep(600)
"""


def test_a_run_is_active_until_its_lock_is_released(tmp_path: Path) -> None:
    runs = RunLocks(tmp_path)
    assert runs.active() == []

    announcement = runs.acquire(FIRST, lambda: READS)
    (run,) = RunLocks(tmp_path).active()
    assert (run.run_id, run.pid, run.reads) == (FIRST, os.getpid(), READS)
    assert runs.stale() == []

    announcement.release()
    announcement.release()
    assert (runs.active(), runs.stale()) == ([], [])


def test_a_run_uses_its_inputs_and_outputs(tmp_path: Path) -> None:
    runs = RunLocks(tmp_path)
    announcement = runs.acquire(FIRST, lambda: READS)
    (run,) = runs.active()
    assert run.uses("events", READS["events"])
    assert run.uses("anything", FIRST)
    assert not run.uses("events", SECOND)
    assert not run.uses("user_time_bins", READS["events"])
    announcement.release()


def test_runs_of_one_process_do_not_block_each_other(tmp_path: Path) -> None:
    """Even of the same id."""
    runs = RunLocks(tmp_path)
    kept = [runs.acquire(run_id, dict) for run_id in (FIRST, SECOND, SECOND)]
    assert [run.run_id for run in runs.active()] == [FIRST, SECOND, SECOND]
    kept[1].release()
    assert [run.run_id for run in runs.active()] == [FIRST, SECOND]
    for announcement in kept:
        announcement.release()


def test_a_killed_run_is_not_active(tmp_path: Path) -> None:
    """The lock file is reported and belongs to no active run."""
    runs = RunLocks(tmp_path)
    run = subprocess.Popen(
        [sys.executable, "-c", ANNOUNCE, str(tmp_path), FIRST],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        stdout=subprocess.PIPE,
    )
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == b"announced\n"
        (running,) = runs.active()
        assert (running.run_id, running.pid, runs.stale()) == (FIRST, run.pid, [])
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()

    assert runs.active() == []
    (left,) = runs.stale()
    assert json.loads(left.read_text())["run_id"] == FIRST


def test_no_run_starts_while_versions_are_removed(tmp_path: Path) -> None:
    """It looks for what it reads afterwards, when that cannot go any more."""
    runs, looked, begun = RunLocks(tmp_path), threading.Event(), []

    def find_reads() -> dict[str, str]:
        looked.set()
        return READS

    with runs.exclusive():
        beginning = threading.Thread(target=lambda: begun.append(runs.acquire(FIRST, find_reads)))
        beginning.start()
        assert not looked.wait(timeout=0.2)
    beginning.join(timeout=10)
    assert [run.reads for run in runs.active()] == [READS]
    begun[0].release()


def test_a_lock_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """Here because a file lies in the folder's place; nothing is announced where the reads cannot be found either."""
    (tmp_path / "data").write_text("")
    with pytest.raises(RunLockError, match=r"No run lock can be written to .*data/\.running"):
        RunLocks(tmp_path).acquire(FIRST, dict)

    def fail() -> dict[str, str]:
        raise LookupError("no versions")

    runs = RunLocks(tmp_path / "elsewhere")
    with pytest.raises(LookupError):
        runs.acquire(FIRST, fail)
    assert (runs.active(), runs.stale()) == ([], [])
