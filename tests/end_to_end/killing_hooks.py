"""Hooks that kill a run with its JVM; test_crashes.py adds them to a copy of the project.

``KILL_AT_SAVES_BUT`` names, with commas, the datasets whose saves are spared: the first save of another one is not
survived. ``KILL_AT_SIGN`` says when in it: as soon as the folder of the version holds something of that pattern, or at
the last moment, when the file is about to be moved into its place or the model to be marked. ``KILL_AFTER`` is a number
of seconds from the start of the run, when Spark has started and the run is announced. What is killed is written to
``KILLED_AT`` first.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset

_first = threading.Lock()


def kill(where: str, when: str) -> None:
    """Kill the whole process group; a second caller waits."""
    _first.acquire()
    with Path(os.environ["KILLED_AT"]).open("a") as file:
        file.write(f"{where} {when}\n")
    os.killpg(os.getpgrp(), signal.SIGKILL)


class KillingHooks:
    """Kill the run."""

    @hook_impl
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """At a moment, wherever the run may be then."""
        self._catalog, self._doomed = catalog, ""
        seconds = os.environ.get("KILL_AFTER")
        if seconds:
            timer = threading.Timer(float(seconds), kill, ("moment", f"after {seconds} s"))
            timer.daemon = True
            timer.start()

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """In the middle of a save."""
        spared = os.environ.get("KILL_AT_SAVES_BUT")
        dataset = self._catalog[dataset_name]
        if spared is None or dataset_name in spared.split(",") or not isinstance(dataset, AbstractVersionedDataset):
            return
        self._doomed = dataset_name

        def kill_at_last(*_: Any, **__: Any) -> None:
            kill(dataset_name, "at the last moment")

        LocalFileSystem.mv = LocalFileSystem.touch = kill_at_last
        folder = Path(dataset._get_versioned_path(dataset.resolve_save_version())).parent
        threading.Thread(target=_watch, args=(dataset_name, folder, os.environ["KILL_AT_SIGN"]), daemon=True).start()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """When the save was quicker than its killer."""
        if dataset_name == self._doomed:
            kill(dataset_name, "after")


def _watch(dataset: str, folder: Path, sign: str) -> None:
    while not any(folder.rglob(sign)):
        time.sleep(0.0005)
    kill(dataset, f"at {sign}")
