"""What a command takes: wall time, processor time and memory of the whole tree of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

# To sum up the memory of a large process takes the system a while, in which the process waits.
_SECONDS_BETWEEN_LOOKS = (0.2, 2.0)


class Cost(NamedTuple):
    """What a command has taken.

    Attributes:
        seconds: wall time.
        cpu_seconds: processor time of all processes, as of the last look at each.
        peak_bytes: the largest sum of the memory of all processes; what several share counts once.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def cost(command: list[str], folder: Path) -> Cost:
    """Run a command that must succeed, and look at its processes until it ends.

    Linux only: other systems do not tell how much memory processes share.
    """
    output = folder / "output_of_benchmark.txt"
    started = time.perf_counter()
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": "src"}
    with output.open("wb") as file:
        running = psutil.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        cpu: dict[int, float] = {}
        peak = 0
        while running.poll() is None:
            looks = list(_look([running, *_descendants(running)]))
            cpu |= {pid: seconds for pid, seconds, _ in looks}
            peak = max(peak, sum(memory for *_, memory in looks))
            least, most = _SECONDS_BETWEEN_LOOKS
            time.sleep(min(max(least, (time.perf_counter() - started) / 20), most))
    if running.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output.read_text(errors='replace')[-3_000:]}")
    return Cost(time.perf_counter() - started, sum(cpu.values()), peak)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _look(processes: list[psutil.Process]) -> Iterator[tuple[int, float, int]]:
    """Process id, processor time so far, and proportional memory of those that are still there."""
    for process in processes:
        try:
            times = process.cpu_times()
            yield process.pid, times.user + times.system, process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
