"""Who is running: every run announces itself and what it reads, so that nobody takes that away from under it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

try:
    import fcntl
except ModuleNotFoundError:  # Windows: nothing tells a run that was killed from one that runs
    fcntl = None

# On the machine that runs, wherever the storage is.
FOLDER = Path("data") / ".running"
_GUARD = ".guard"
# What is not announced yet has not got its name yet.
_COMING = ".coming"


class AnnouncementError(RuntimeError):
    """A run cannot be announced; the message says where and why."""


@dataclass(frozen=True)
class Run:
    """A run that has been announced.

    Attributes:
        run_id: its id, which is also the version of all that it writes.
        pid: its process.
        reads: the version that it reads, by dataset.
    """

    run_id: str
    pid: int
    reads: Mapping[str, str] = field(default_factory=dict)

    def uses(self, dataset: str, version: str) -> bool:
        """Whether the run reads or writes the version."""
        return version == self.run_id or self.reads.get(dataset) == version


class Announcement:
    """A file that is there, and locked, for as long as the run is; a process that ends, however, unlocks it."""

    def __init__(self, path: Path, lock: TextIO) -> None:
        """Keep the open file: closing it is what unlocks it."""
        self._path, self._lock = path, lock

    def withdraw(self) -> None:
        """Take the announcement back; again does nothing."""
        self._path.unlink(missing_ok=True)
        self._lock.close()


class RunningRuns:
    """The announcements of a project, in its folder ``data/.running``.

    Each is a JSON file that its run's process holds a lock on, which no process outlives. Where there are no such locks
    (Windows), everything that is announced counts as running until ``data/.running`` is emptied by hand.
    """

    def __init__(self, project: Path) -> None:
        """Of the project in this folder; nothing is created before the first run."""
        self._folder = project / FOLDER

    def announce(self, run_id: str, find_reads: Callable[[], Mapping[str, str]]) -> Announcement:
        """Announce a run of this process.

        Args:
            run_id: its id.
            find_reads: tells the version that the run reads, by dataset. It is called when nobody removes versions.

        Returns:
            What takes the announcement back when the run has ended.

        Raises:
            AnnouncementError: where the folder cannot be written.
        """
        try:
            with self.guarded():
                return self._write(Run(run_id, os.getpid(), dict(find_reads())))
        except OSError as error:
            raise AnnouncementError(
                f"The run cannot be announced in {self._folder}: {error.strerror or error}."
            ) from error

    def running(self) -> list[Run]:
        """The runs that are running now, the earliest first."""
        found = [_read(path) for path in self._announced() if _is_held(path)]
        return [run for run in found if run is not None]

    def left_over(self) -> list[Path]:
        """The announcements of runs that have ended without taking them back: they were killed."""
        coming = self._folder.glob(f".*{_COMING}")
        return [path for path in [*self._announced(), *sorted(coming)] if not _is_held(path)]

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While this lasts, no run begins, and nobody else removes versions.

        Raises:
            OSError: where the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _GUARD).open("w") as guard:
            _lock(guard)
            yield

    def _announced(self) -> list[Path]:
        return sorted(self._folder.glob("[!.]*.json"))

    def _write(self, run: Run) -> Announcement:
        """Under its name a file is whole and locked: nobody sees less of it."""
        path = self._folder / f"{run.run_id}.{uuid4().hex}.json"
        coming = path.with_name(f".{path.stem}{_COMING}")
        lock = coming.open("w")
        try:
            _lock(lock)
            json.dump({"run_id": run.run_id, "pid": run.pid, "reads": dict(run.reads)}, lock, indent=2)
            lock.flush()
            if fcntl is None:
                lock.close()  # Windows renames no open file
            coming.rename(path)
        except BaseException:
            coming.unlink(missing_ok=True)
            with suppress(OSError):  # a full disk has no room for what is not written yet
                lock.close()
            raise
        return Announcement(path, lock)


def _read(path: Path) -> Run | None:
    """The run; None where it has just taken its announcement back."""
    try:
        told: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Run(told["run_id"], told["pid"], told["reads"])


def _lock(file: TextIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_held(path: Path) -> bool:
    """Whether a process that lives holds the file; one that has just gone is not held."""
    if fcntl is None:
        return path.exists()
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
