"""Retention: the old versions to remove after a run; what a kept version was made from is kept as well."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kedro.io import DataCatalog
from kedro.pipeline import Node

from .locks import ActiveRun
from .versions import hide, metadata_of, provenance_path, version_path, versioned_on_this_machine

RUN_SUMMARY = "run_summary"


class DatasetVersion(NamedTuple):
    """One version of one dataset."""

    dataset: str
    version: str


class Versions:
    """The complete versions of a catalog's datasets on this machine, and the summaries of the runs that made them."""

    def __init__(self, catalog: DataCatalog, names: Iterable[str]) -> None:
        """Of these datasets; each is looked up once."""
        self._datasets = versioned_on_this_machine(catalog, {*names, RUN_SUMMARY})
        self._versions: dict[str, list[str]] = {}
        self._summaries: dict[str, Mapping[str, Any]] = {}

    def of(self, dataset: str) -> list[str]:
        """The complete versions of a dataset, the newest first; none where it has no versions."""
        if dataset not in self._versions:
            known = self._datasets.get(dataset)
            self._versions[dataset] = [] if known is None else known.list_versions(full_path=False)
        return self._versions[dataset]

    def with_lineage_kept(self) -> dict[str, list[str]]:
        """The datasets whose catalog entry says ``metadata: {keep_lineage: true}``, by namespace.

        The datasets of a namespace belong together: a version of one is kept where another one has it.
        """
        groups = defaultdict(list)
        for name, dataset in self._datasets.items():
            if metadata_of(dataset).get("keep_lineage"):
                groups[name.rpartition(".")[0]].append(name)
        return dict(groups)

    def hide(self, old: DatasetVersion) -> Path:
        """Turn a version into a hidden path, to be deleted."""
        path = version_path(self._datasets[old.dataset], old.version)
        hidden = hide(path)
        provenance_path(path).unlink(missing_ok=True)
        return hidden

    def summary_of(self, run_id: str) -> Mapping[str, Any]:
        """The summary of a run; empty where it was killed before it wrote one, or the file cannot be read."""
        if run_id not in self._summaries:
            self._summaries[run_id] = self._read_summary(run_id) if run_id in self.of(RUN_SUMMARY) else {}
        return self._summaries[run_id]

    def _read_summary(self, run_id: str) -> Mapping[str, Any]:
        """From the file itself: the catalog would log every load."""
        try:
            summary: Mapping[str, Any] = json.loads(version_path(self._datasets[RUN_SUMMARY], run_id).read_text())
        except (OSError, ValueError):
            return {}
        return summary


def versions_to_prune(
    written: Iterable[str],
    versions: Versions,
    nodes: Iterable[Node],
    active: Iterable[ActiveRun],
    keep: int,
    keep_of: Mapping[str, int] | None = None,
) -> list[DatasetVersion]:
    """The versions to remove of the datasets that a run has written.

    Args:
        written: the datasets.
        versions: the versions that exist.
        nodes: how all datasets are made, to follow kept versions to what they were made from.
        active: the other runs that hold a lock.
        keep: how many versions of each dataset are kept in any case; 0 for all.
        keep_of: the same for single datasets.

    Returns:
        Dataset by dataset, the oldest version first. Never a version that an active run reads or writes, nor what the
        newest ``keep`` versions of datasets with ``keep_lineage`` were made from, nor the summaries of the runs that
        made it.
    """
    kept = set(_kept_lineage(versions, nodes, keep)) if keep else set()
    active, number = list(active), {name: (keep_of or {}).get(name, keep) for name in written}
    return [
        DatasetVersion(name, version)
        for name in sorted(number)
        if number[name]
        for version in reversed(versions.of(name)[number[name] :])
        if (name, version) not in kept and not any(run.uses(name, version) for run in active)
    ]


def _kept_lineage(versions: Versions, nodes: Iterable[Node], keep: int) -> Iterator[DatasetVersion]:
    """The newest versions of the datasets with ``keep_lineage``, and everything that they were made from."""
    inputs: dict[str, list[str]] = {}
    for node in nodes:
        for made in node.outputs:
            inputs.setdefault(made, []).extend(node.inputs)
    visited: set[DatasetVersion] = set()
    for group in versions.with_lineage_kept().values():
        newest = {version for name in group for version in versions.of(name)[:keep]}
        for name in group:
            for version in sorted(newest):
                yield from _lineage(DatasetVersion(name, version), versions, inputs, visited)


def _lineage(
    made: DatasetVersion, versions: Versions, inputs: Mapping[str, list[str]], visited: set[DatasetVersion]
) -> Iterator[DatasetVersion]:
    """The version, its run's summary, and the same of each version that it was made from.

    Where a run was killed and left no summary, the newest version of its time counts as what it read.
    """
    if made in visited:
        return
    visited.add(made)
    yield made
    yield DatasetVersion(RUN_SUMMARY, made.version)
    summary = versions.summary_of(made.version)
    known = {**summary.get("versions_read", {}), **summary.get("versions_written", {})}
    for name in inputs.get(made.dataset, ()):
        earlier = (version for version in versions.of(name) if version <= made.version)
        version = known.get(name) or next(earlier, made.version)
        yield from _lineage(DatasetVersion(name, version), versions, inputs, visited)
