"""How many versions are kept: the newest of each dataset, and whatever a champion comes from that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from .locks import Run
from .storage import place, set_aside, versioned_on_this_machine
from .versions import note_of

RUN_SUMMARY = "run_summary"
# A champion and what is said of it, for a program and for people; all that they were made from is kept with them.
_OF_CHAMPION = ("champion", "champion_metadata", "model_card")


class DatasetVersion(NamedTuple):
    """One version of one dataset."""

    dataset: str
    version: str


class Versions:
    """The complete versions of a catalog's datasets, looked up once, and what the runs that made them have told."""

    def __init__(self, catalog: DataCatalog, names: Iterable[str]) -> None:
        """Of those of the datasets that have versions on this machine."""
        self._datasets = versioned_on_this_machine(catalog, {*names, RUN_SUMMARY})
        self._found: dict[str, list[str]] = {}
        self._told: dict[str, Mapping[str, Any]] = {}

    def of(self, dataset: str) -> list[str]:
        """The complete versions of a dataset, the newest first; none where it has no versions."""
        if dataset not in self._found:
            known = self._datasets.get(dataset)
            self._found[dataset] = [] if known is None else known.list_versions(full_path=False)
        return self._found[dataset]

    def set_aside(self, old: DatasetVersion) -> Path:
        """Take a version out of the versions; its new place, to be deleted."""
        version = place(self._datasets[old.dataset], old.version)
        aside = set_aside(version)
        note_of(version).unlink(missing_ok=True)
        return aside

    def told_by(self, run_id: str) -> Mapping[str, Any]:
        """The run's summary; empty where it has left none, because it was killed, or none that can be read."""
        if run_id not in self._told:
            self._told[run_id] = self._read_summary(run_id) if run_id in self.of(RUN_SUMMARY) else {}
        return self._told[run_id]

    def _read_summary(self, run_id: str) -> Mapping[str, Any]:
        """From the file itself: the catalog would log each."""
        try:
            return json.loads(place(self._datasets[RUN_SUMMARY], run_id).read_text())
        except (OSError, ValueError):
            return {}


def versions_to_prune(
    written: Iterable[str], versions: Versions, pipeline: Pipeline, running: Iterable[Run], keep: int
) -> list[DatasetVersion]:
    """The versions that are not kept of the datasets that a run has written.

    Args:
        written: the datasets.
        versions: the versions that there are.
        pipeline: how all datasets are made, to follow champions to what they were made from.
        running: the runs that run now.
        keep: how many versions of each dataset are kept in any case; 0 for all.

    Returns:
        Dataset by dataset, the oldest version first. Never one that a running run reads or writes, nor what the newest
        ``keep`` champions and cards of a label were made from, nor the summaries of the runs that made it.
    """
    if keep == 0:
        return []
    kept = set(_kept_for_champions(versions, pipeline, keep))
    running = list(running)
    return [
        DatasetVersion(name, version)
        for name in sorted(written)
        for version in reversed(versions.of(name)[keep:])
        if (name, version) not in kept and not any(run.uses(name, version) for run in running)
    ]


def _kept_for_champions(versions: Versions, pipeline: Pipeline, keep: int) -> Iterator[DatasetVersion]:
    """The newest champions and cards of each label, and what they were made from."""
    inputs = {made: node.inputs for node in pipeline.nodes for made in node.outputs}
    labels = [name.removesuffix(".champion") for name in inputs if name.endswith(".champion")]
    seen: set[DatasetVersion] = set()
    for label in labels:
        champions = versions.of(f"{label}.champion")[:keep]
        for part in (f"{label}.{part}" for part in _OF_CHAMPION):
            for version in sorted({*champions, *versions.of(part)[:keep]}):
                yield from _made_from(DatasetVersion(part, version), versions, inputs, seen)


def _made_from(
    made: DatasetVersion, versions: Versions, inputs: Mapping[str, list[str]], seen: set[DatasetVersion]
) -> Iterator[DatasetVersion]:
    """The version, its run's summary, and the same of each version that it was made from.

    A run's summary says what it has read and written. Of a run that has left none, because it was killed, what it has
    written has its version, and what it has read was the newest of its time.
    """
    if made in seen:
        return
    seen.add(made)
    yield made
    yield DatasetVersion(RUN_SUMMARY, made.version)
    told = versions.told_by(made.version)
    known = {**told.get("versions_read", {}), **told.get("versions_written", {})}
    for name in inputs.get(made.dataset, ()):
        there = versions.of(name)
        at_the_time = next((version for version in there if version <= made.version), made.version)
        yield from _made_from(DatasetVersion(name, known.get(name) or at_the_time), versions, inputs, seen)
