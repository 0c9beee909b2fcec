"""What writes that were killed have left: found, and removed. A version that is complete is never touched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset

from sparkify_kedro.framework.datasets import JSONLinesDataset

from .locks import Run, RunningRuns
from .storage import (
    REMOVING,
    VERSION,
    delete,
    folder_of_versions,
    on_this_machine,
    place,
    set_aside,
)
from .versions import has_versions, note_of

_HEX = r"[0-9a-f]{32}"


@dataclass(frozen=True)
class LeftOver:
    """Something that a killed process has left.

    Attributes:
        path: where it lies.
        what: what it is, in words.
        belongs_at: where it must go back to, if it is an old log that has stepped aside for one that never came.
    """

    path: Path
    what: str
    belongs_at: Path | None = None

    def size(self) -> int:
        """Bytes in files."""
        files = [self.path] if not self.path.is_dir() else [p for p in self.path.rglob("*") if not p.is_dir()]
        return sum(file.lstat().st_size for file in files)

    def clear(self) -> None:
        """Remove it, or put it back to where it belongs."""
        if self.belongs_at is not None:
            self.path.rename(self.belongs_at)
        elif VERSION.fullmatch(self.path.name):
            with suppress(OSError):  # it is empty no longer
                self.path.rmdir()
        elif self.path.name.startswith(".") or self.path.is_file():
            delete(self.path)
        else:
            # A Java machine may outlive its run for a moment: what it still writes must not look complete.
            delete(set_aside(self.path))


def every_dataset(catalog: DataCatalog) -> set[str]:
    """The datasets of all registered pipelines, by their names or by a pattern, and what the hooks write."""
    in_pipelines = set().union(*(pipeline.datasets() for pipeline in pipelines.values()))
    return in_pipelines | set(catalog.keys())


def find_left_overs(catalog: DataCatalog, runs: RunningRuns) -> list[LeftOver]:
    """What killed runs have left at the places of the catalog's datasets, and nowhere else.

    What runs write that are running now is left out: versions of theirs, and, since a draft of what has no versions
    does not say whose it is, all of those while any run is running.
    """
    running = runs.locks()
    found: list[LeftOver] = []
    for dataset in on_this_machine(catalog, every_dataset(catalog)).values():
        if has_versions(dataset):
            found += _of_versions(dataset, running)
        elif isinstance(dataset, JSONLinesDataset) and not running:
            found += _of_log(Path(dataset._path))
    found += [LeftOver(path, "announcement of a run that was killed") for path in runs.left_over()]
    # Texts lie in the folders of the versions of what they are about.
    return sorted(set(found), key=lambda each: str(each.path))


def _of_versions(dataset: AbstractVersionedDataset, running: Iterable[Run]) -> Iterator[LeftOver]:
    """Of a dataset with versions: versions without an end, drafts, and folders with nothing in them."""
    own = {run.run_id for run in running}
    complete = set(dataset.list_versions(full_path=False))
    for folder in _folders(folder_of_versions(dataset)):
        if not VERSION.fullmatch(folder.name) or folder.name in own:
            continue
        within = place(dataset, folder.name)
        note = note_of(within)
        draft = re.compile(rf"\.writing\.{_HEX}\.({re.escape(within.name)}|{re.escape(note.name)})")
        removing = re.compile(rf"{re.escape(REMOVING)}\.{_HEX}\.{re.escape(within.name)}")
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        if not entries:
            yield LeftOver(folder, "empty folder of a version")
        for entry in entries:
            if entry.is_symlink():
                continue
            if draft.fullmatch(entry.name):
                yield LeftOver(Path(entry.path), "draft of a file")
            elif removing.fullmatch(entry.name):
                yield LeftOver(Path(entry.path), "rest of a version that was being removed")
            elif entry.name == within.name and folder.name not in complete:
                yield LeftOver(Path(entry.path), "version that was cut off")
            elif entry.name == note.name and folder.name not in complete:
                yield LeftOver(note, "note on a version that is gone")


def _of_log(path: Path) -> Iterator[LeftOver]:
    """Of a log without versions: drafts, and old logs that have stepped aside for a new one."""
    draft = re.compile(rf"\.{re.escape(path.name)}\.{_HEX}\.writing")
    is_gone = not path.exists()
    # The newest first: of several that have stepped aside it is the last that was in place.
    for folder in sorted(_folders(path.parent), key=lambda each: each.stat().st_mtime, reverse=True):
        if draft.fullmatch(folder.name):
            yield LeftOver(folder, "draft of a log")
        elif draft.fullmatch(folder.name.removesuffix(".replaced")):
            yield LeftOver(folder, "old log, put back" if is_gone else "old log", path if is_gone else None)
            is_gone = False


def _folders(path: Path) -> list[Path]:
    """The folders in a folder, which is no link, and none of them either."""
    if path.is_symlink() or not path.is_dir():
        return []
    with os.scandir(path) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
