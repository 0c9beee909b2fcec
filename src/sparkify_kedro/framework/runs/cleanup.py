"""Cleanup: files that killed processes have left behind. Complete versions are never touched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kedro.io import DataCatalog

from ..datasets import JSONLinesDataset
from ..datasets.atomic_files import AtomicFileMixin
from ..registry import registered_pipelines
from .locks import ActiveRun, RunLocks
from .versions import (
    REMOVING,
    VERSION,
    VersionedDataset,
    delete,
    file_of,
    hide,
    is_versioned,
    on_this_machine,
    provenance_path,
    version_path,
    versions_folder,
)

_HEX = r"[0-9a-f]{32}"


@dataclass(frozen=True)
class Leftover:
    """A file or folder that a killed process has left behind.

    Attributes:
        path: where it lies.
        kind: what it is.
        restore_to: where it is moved back to, if it is a complete old file whose replacement was never written.
    """

    path: Path
    kind: str
    restore_to: Path | None = None

    def size(self) -> int:
        """Bytes of all files."""
        files = [self.path] if not self.path.is_dir() else [p for p in self.path.rglob("*") if not p.is_dir()]
        return sum(file.lstat().st_size for file in files)

    def clear(self) -> None:
        """Remove it, or move it back."""
        if self.restore_to is not None:
            self.path.rename(self.restore_to)
        elif VERSION.fullmatch(self.path.name):
            with suppress(OSError):  # no longer empty
                self.path.rmdir()
        elif self.path.name.startswith(".") or self.path.is_file():
            delete(self.path)
        else:
            # A Java process may outlive its run for a moment: what it still writes must not look complete.
            delete(hide(self.path))


def all_datasets(catalog: DataCatalog) -> set[str]:
    """The datasets of all registered pipelines, resolved from patterns too, and those that only hooks write."""
    in_pipelines = set[str]().union(*(pipeline.datasets() for pipeline in registered_pipelines().values()))
    return in_pipelines | set(catalog.keys())


def find_leftovers(catalog: DataCatalog, locks: RunLocks) -> list[Leftover]:
    """What killed runs have left at the paths of the catalog's datasets, and nowhere else.

    What active runs write is left out: their versions, and, since a draft of a dataset without versions does not name
    its run, all such drafts while any run is active.
    """
    active = locks.active()
    leftovers: list[Leftover] = []
    for dataset in on_this_machine(catalog, all_datasets(catalog)).values():
        if is_versioned(dataset):
            leftovers += _in_versions(dataset, active)
        elif isinstance(dataset, JSONLinesDataset) and not active:
            leftovers += _beside_log(dataset.path)
        elif isinstance(dataset, AtomicFileMixin) and not active:
            leftovers += _beside_file(Path(file_of(dataset)))
    leftovers += [Leftover(path, "lock file of a killed run") for path in locks.stale()]
    # Several datasets may share the folder of a version.
    return sorted(set(leftovers), key=lambda leftover: str(leftover.path))


def _in_versions(dataset: VersionedDataset, active: Iterable[ActiveRun]) -> Iterator[Leftover]:
    """Incomplete versions, drafts and empty folders of a versioned dataset."""
    run_ids = {run.run_id for run in active}
    complete = set(dataset.list_versions(full_path=False))
    for folder in _folders(versions_folder(dataset)):
        if not VERSION.fullmatch(folder.name) or folder.name in run_ids:
            continue
        path = version_path(dataset, folder.name)
        provenance = provenance_path(path)
        draft = re.compile(rf"\.writing\.{_HEX}\.({re.escape(path.name)}|{re.escape(provenance.name)})")
        removing = re.compile(rf"{re.escape(REMOVING)}\.{_HEX}\.{re.escape(path.name)}")
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        if not entries:
            yield Leftover(folder, "empty folder of a version")
        for entry in entries:
            if entry.is_symlink():
                continue
            if draft.fullmatch(entry.name):
                yield Leftover(Path(entry.path), "draft of a file")
            elif removing.fullmatch(entry.name):
                yield Leftover(Path(entry.path), "version whose removal was interrupted")
            elif entry.name == path.name and folder.name not in complete:
                yield Leftover(Path(entry.path), "incomplete version")
            elif entry.name == provenance.name and folder.name not in complete:
                yield Leftover(provenance, "provenance of a removed version")


def _beside_log(path: Path) -> Iterator[Leftover]:
    """Drafts of a log without versions, and old logs that were moved aside for a new one."""
    draft = re.compile(rf"\.{re.escape(path.name)}\.{_HEX}\.writing")
    is_missing = not path.exists()
    # The newest first: of several old logs it was the last one in place.
    for folder in sorted(_folders(path.parent), key=lambda each: each.stat().st_mtime, reverse=True):
        if draft.fullmatch(folder.name):
            yield Leftover(folder, "draft of a log")
        elif draft.fullmatch(folder.name.removesuffix(".replaced")):
            kind = "old log, to be moved back" if is_missing else "old log"
            yield Leftover(folder, kind, path if is_missing else None)
            is_missing = False


def _beside_file(path: Path) -> Iterator[Leftover]:
    """Drafts of a file without versions."""
    draft = re.compile(rf"\.writing\.{_HEX}\.{re.escape(path.name)}")
    for each in path.parent.iterdir() if path.parent.is_dir() and not path.parent.is_symlink() else ():
        if draft.fullmatch(each.name) and each.is_file() and not each.is_symlink():
            yield Leftover(each, "draft of a file")


def _folders(path: Path) -> list[Path]:
    """The folders in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return []
    with os.scandir(path) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
