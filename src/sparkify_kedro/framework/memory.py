"""The memory that this process takes, with the processes that it has started."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_SECONDS_BETWEEN_LOOKS = 0.2


class PeakMemory:
    """The most memory (bytes, resident) that was seen so far."""

    def __init__(self) -> None:
        self.bytes = 0

    def look(self) -> None:
        """Look once; processes that end meanwhile count as nothing."""
        process = psutil.Process()
        resident = 0
        for each in (process, *process.children(recursive=True)):
            try:
                resident += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.bytes = max(self.bytes, resident)


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Look at the memory of this process and all that it has started, several times a second.

    Java does not give back what it once took, so the peak of later work is at least what earlier work has left. What
    runs on other machines is not seen.
    """
    peak, done = PeakMemory(), threading.Event()

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            peak.look()

    peak.look()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak.look()
