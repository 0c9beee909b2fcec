"""A run is known to run from its announcement to its end, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sparkify_kedro.framework.runs.locks import AnnouncementError, RunningRuns

FIRST, SECOND = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
READS = {"events": "2025-12-31T00.00.00.000Z"}
# A run that announces itself and is then killed by whoever has started it.
ANNOUNCE = """
import sys, time
from pathlib import Path
from sparkify_kedro.framework.runs.locks import RunningRuns
kept = RunningRuns(Path(sys.argv[1])).announce(sys.argv[2], lambda: {"events": "before"})
print("announced", flush=True)
time.sleep(600)
"""


def test_a_run_is_running_until_it_takes_its_announcement_back(tmp_path: Path) -> None:
    runs = RunningRuns(tmp_path)
    assert runs.locks() == []

    announcement = runs.announce(FIRST, lambda: READS)
    (run,) = RunningRuns(tmp_path).running()
    assert (run.run_id, run.pid, run.reads) == (FIRST, os.getpid(), READS)
    assert runs.left_over() == []

    announcement.withdraw()
    announcement.withdraw()
    assert (runs.locks(), runs.left_over()) == ([], [])


def test_a_run_uses_what_it_reads_and_all_that_it_writes(tmp_path: Path) -> None:
    runs = RunningRuns(tmp_path)
    announcement = runs.announce(FIRST, lambda: READS)
    (run,) = runs.locks()
    assert run.uses("events", READS["events"])
    assert run.uses("anything", FIRST)
    assert not run.uses("events", SECOND)
    assert not run.uses("user_time_bins", READS["events"])
    announcement.withdraw()


def test_runs_of_one_process_do_not_block_each_other(tmp_path: Path) -> None:
    """Even of the same id."""
    runs = RunningRuns(tmp_path)
    kept = [runs.announce(run_id, dict) for run_id in (FIRST, SECOND, SECOND)]
    assert [run.run_id for run in runs.locks()] == [FIRST, SECOND, SECOND]
    kept[1].withdraw()
    assert [run.run_id for run in runs.locks()] == [FIRST, SECOND]
    for announcement in kept:
        announcement.withdraw()


def test_a_run_that_is_killed_is_running_no_longer(tmp_path: Path) -> None:
    """What it has left is told, and is nobody's."""
    runs = RunningRuns(tmp_path)
    run = subprocess.Popen(
        [sys.executable, "-c", ANNOUNCE, str(tmp_path), FIRST],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        stdout=subprocess.PIPE,
    )
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == b"announced\n"
        (running,) = runs.locks()
        assert (running.run_id, running.pid, runs.left_over()) == (FIRST, run.pid, [])
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()

    assert runs.locks() == []
    (left,) = runs.left_over()
    assert json.loads(left.read_text())["run_id"] == FIRST


def test_no_run_begins_while_versions_are_removed(tmp_path: Path) -> None:
    """It looks for what it reads afterwards, when that cannot go any more."""
    runs, looked, begun = RunningRuns(tmp_path), threading.Event(), []

    def find_reads() -> dict[str, str]:
        looked.set()
        return READS

    with runs.guarded():
        beginning = threading.Thread(target=lambda: begun.append(runs.announce(FIRST, find_reads)))
        beginning.start()
        assert not looked.wait(timeout=0.2)
    beginning.join(timeout=10)
    assert [run.reads for run in runs.locks()] == [READS]
    begun[0].withdraw()


def test_a_run_that_cannot_be_announced_says_where(tmp_path: Path) -> None:
    """Here because a file lies in the folder's place; nothing is announced where the reads cannot be found either."""
    (tmp_path / "data").write_text("")
    with pytest.raises(AnnouncementError, match=r"cannot be announced in .*data/\.running"):
        RunningRuns(tmp_path).announce(FIRST, dict)

    def fail() -> dict[str, str]:
        raise LookupError("no versions")

    runs = RunningRuns(tmp_path / "elsewhere")
    with pytest.raises(LookupError):
        runs.announce(FIRST, fail)
    assert (runs.locks(), runs.left_over()) == ([], [])
