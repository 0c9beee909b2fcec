"""Run locks: every run holds a lock file that lists the versions it reads, so that no other run removes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO
from uuid import uuid4

try:
    import fcntl
except ModuleNotFoundError:  # Windows has no flock: killed and active runs are indistinguishable
    fcntl = None  # type: ignore[assignment]  # the module is optional

# On the machine that runs, wherever the storage is.
FOLDER = Path("data") / ".running"
_MUTEX = ".mutex"
# A lock file is written under a hidden name and renamed when it is complete and locked.
_PENDING = ".pending"


class RunLockError(RuntimeError):
    """A run lock cannot be written; the message names the folder and the reason."""


@dataclass(frozen=True)
class ActiveRun:
    """A run that holds a lock.

    Attributes:
        run_id: its id, which is also the version of everything it writes.
        pid: its process.
        reads: the version that it reads, by dataset.
    """

    run_id: str
    pid: int
    reads: Mapping[str, str] = field(default_factory=dict)

    def uses(self, dataset: str, version: str) -> bool:
        """Whether the run reads or writes the version."""
        return version == self.run_id or self.reads.get(dataset) == version


class RunLock:
    """The lock file of a run; the operating system releases the lock when the process ends."""

    def __init__(self, path: Path, file: TextIO) -> None:
        """Keep the open file: closing it releases the lock."""
        self._path, self._file = path, file

    def release(self) -> None:
        """Remove the lock file; calling it again does nothing."""
        self._path.unlink(missing_ok=True)
        self._file.close()


class RunLocks:
    """The run locks of a project, in its folder ``data/.running``.

    Where the operating system has no file locks (Windows), every lock file counts as held until it is deleted by hand.
    """

    def __init__(self, project: Path) -> None:
        """Of the project in this folder; nothing is created before the first run."""
        self._folder = project / FOLDER

    def acquire(self, run_id: str, find_reads: Callable[[], Mapping[str, str]]) -> RunLock:
        """Lock the versions that a run of this process reads.

        Args:
            run_id: the run's id.
            find_reads: returns the version that the run reads, by dataset; called while no versions are removed.

        Returns:
            The lock, to be released when the run ends.

        Raises:
            RunLockError: where the folder cannot be written.
        """
        try:
            with self.exclusive():
                return self._write(ActiveRun(run_id, os.getpid(), dict(find_reads())))
        except OSError as error:
            raise RunLockError(f"No run lock can be written to {self._folder}: {error.strerror or error}.") from error

    def active(self) -> list[ActiveRun]:
        """The runs that hold a lock now, the earliest first."""
        runs = [_read(path) for path in self._lock_files() if _is_held(path)]
        return [run for run in runs if run is not None]

    def stale(self) -> list[Path]:
        """The lock files of runs that were killed."""
        pending = self._folder.glob(f".*{_PENDING}")
        return [path for path in [*self._lock_files(), *sorted(pending)] if not _is_held(path)]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """While this lasts, no run starts and no other process removes versions.

        Raises:
            OSError: where the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _MUTEX).open("w") as mutex:
            _lock(mutex)
            yield

    def _lock_files(self) -> list[Path]:
        return sorted(self._folder.glob("[!.]*.json"))

    def _write(self, run: ActiveRun) -> RunLock:
        path = self._folder / f"{run.run_id}.{uuid4().hex}.json"
        pending = path.with_name(f".{path.stem}{_PENDING}")
        file = pending.open("w")
        try:
            _lock(file)
            json.dump(asdict(run), file, indent=2)
            file.flush()
            if fcntl is None:
                file.close()  # Windows does not rename an open file
            pending.rename(path)
        except BaseException:
            pending.unlink(missing_ok=True)
            with suppress(OSError):  # a full disk has no room for the rest of the file
                file.close()
            raise
        return RunLock(path, file)


def _read(path: Path) -> ActiveRun | None:
    """The run; None where it has released its lock meanwhile."""
    try:
        return ActiveRun(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


def _lock(file: TextIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_held(path: Path) -> bool:
    """Whether a living process holds the lock; False where the file is gone."""
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
