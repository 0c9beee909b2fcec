"""Old versions are removed, except those that a kept champion was made from and those that an active run uses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.runs.locks import ActiveRun
from sparkify_kedro.framework.runs.retention import DatasetVersion, Versions, versions_to_prune
from sparkify_kedro.framework.runs.versions import delete, provenance_path

RUN_SUMMARY = "run_summary"


def made(inputs: Any, outputs: Any) -> Node:
    return Node(
        func=lambda *values: values,
        inputs=inputs,
        outputs=outputs,
        name=f"make_{outputs if isinstance(outputs, str) else outputs[0]}",
    )


# The project's in small: the champion comes from the model, the card for people from its scores too.
PIPELINE = Pipeline(
    [
        made("lines", ["events", "rejected"]),
        made(["events", "params:sampling"], "soon.train"),
        made("events", "soon.test"),
        made("soon.train", "soon.lr.model"),
        made(["soon.lr.model", "soon.test"], "soon.metrics"),
        made("soon.lr.model", "soon.champion"),
        made("soon.champion", "soon.champion_metadata"),
        made(["soon.champion_metadata", "soon.metrics", "run_so_far"], "soon.model_card"),
        made(["soon.champion", "soon.champion_metadata", "events"], "scores"),
    ]
)
WHOLE = ("events", "rejected", "soon.train", "soon.test", "soon.lr.model", "soon.metrics", "soon.champion")
CARDS = ("soon.champion_metadata", "soon.model_card")


def version(day: int) -> str:
    return f"2026-01-{day:02}T00.00.00.000Z"


class Storage:
    """Versions in a folder, as runs leave them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, day: int, *written: str, reads: dict[str, int] | None = None, summary: bool = True) -> None:
        """A run that has written these datasets and read these, of the days named; it may have left no summary."""
        for name in written:
            self._write(name, day, name)
        if summary:
            content = {
                "versions_written": {name: version(day) for name in written},
                "versions_read": {name: version(of) for name, of in (reads or {}).items()},
            }
            self._write(RUN_SUMMARY, day, content)

    def _write(self, name: str, day: int, value: Any) -> None:
        path = self._folder / name / version(day) / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(value))

    def versions(self) -> Versions:
        entry = {"type": "sparkify_kedro.framework.datasets.AtomicJSONDataset", "versioned": True}
        names = {*PIPELINE.all_outputs(), RUN_SUMMARY}
        entries = {name: entry | {"filepath": f"{self._folder}/{name}"} for name in names}
        for name in ("soon.champion", *CARDS):
            entries[name]["metadata"] = {"keep_lineage": True}
        return Versions(DataCatalog.from_config(entries), PIPELINE.datasets())

    def pruned(
        self, *written: str, keep: int, running: Iterable[ActiveRun] = (), **keep_of: int
    ) -> dict[str, list[int]]:
        """The days of the versions that go, by dataset."""
        found: dict[str, list[int]] = {}
        for name, old in versions_to_prune(written, self.versions(), PIPELINE.nodes, running, keep, keep_of):
            found.setdefault(name, []).append(int(old[8:10]))
        return found


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def test_the_oldest_versions_are_removed(storage: Storage) -> None:
    for day in (1, 2, 3, 4):
        storage.run(day, "events", "rejected")
    assert storage.pruned("events", RUN_SUMMARY, keep=2) == {"events": [1, 2], RUN_SUMMARY: [1, 2]}
    assert storage.pruned("events", keep=4) == {}


def test_a_provenance_file_is_removed_with_its_version(storage: Storage, tmp_path: Path) -> None:
    storage.run(1, "events")
    place = tmp_path / "events" / version(1) / "events"
    provenance_path(place).write_text("{}")
    delete(storage.versions().hide(DatasetVersion("events", version(1))))
    assert not place.parent.exists()


def test_of_single_datasets_more_or_fewer_are_kept(storage: Storage) -> None:
    """Scores are kept until their outcome is known; 0 keeps all."""
    for day in (1, 2, 3, 4):
        storage.run(day, "events", "scores", "rejected")
    pruned = storage.pruned("events", "scores", "rejected", keep=2, scores=3, rejected=0)
    assert pruned == {"events": [1, 2], "scores": [1]}


def test_with_0_all_are_kept(storage: Storage) -> None:
    for day in (1, 2, 3):
        storage.run(day, "events")
    assert storage.pruned("events", keep=0) == {}


def test_repeated_runs_keep_the_newest_versions(storage: Storage) -> None:
    """The inputs of removed champions are removed."""
    for day in (1, 2, 3):
        storage.run(day, *WHOLE, *CARDS)
    everything = (*WHOLE, *CARDS, RUN_SUMMARY)
    assert storage.pruned(*everything, keep=2) == {name: [1] for name in everything}


def test_the_lineage_of_a_kept_champion_is_kept_across_runs(storage: Storage) -> None:
    """The champion of day 4 was made, in parts, from the log that was read on day 1."""
    storage.run(1, "events", "rejected")
    storage.run(2, "soon.train", "soon.test", reads={"events": 1})
    storage.run(3, "soon.lr.model", "soon.metrics", reads={"soon.train": 2, "soon.test": 2})
    storage.run(4, "soon.champion", *CARDS, reads={"soon.lr.model": 3, "soon.metrics": 3})
    for day in range(5, 9):
        storage.run(day, "events", "rejected", "soon.train", "soon.test", "soon.lr.model", "soon.metrics")

    assert storage.pruned(*WHOLE, RUN_SUMMARY, keep=1) == {
        "events": [5, 6, 7],
        "rejected": [1, 5, 6, 7],  # no champion comes from these
        "soon.train": [5, 6, 7],
        "soon.test": [5, 6, 7],
        "soon.lr.model": [5, 6, 7],
        "soon.metrics": [5, 6, 7],
        RUN_SUMMARY: [5, 6, 7],
    }


def test_a_champion_made_from_an_older_version_than_the_latest_keeps_that_one(storage: Storage) -> None:
    """As ``--load-versions`` asks for."""
    for day in (1, 2, 3):
        storage.run(day, "events", "soon.train", "soon.lr.model")
    storage.run(4, "soon.champion", reads={"soon.lr.model": 2})
    assert storage.pruned("events", "soon.train", "soon.lr.model", keep=1) == {
        name: [1] for name in ("events", "soon.train", "soon.lr.model")
    }


def test_for_a_killed_run_the_newest_versions_of_its_time_are_kept(storage: Storage) -> None:
    """It has left no summary, and what it has written has been used since."""
    storage.run(1, "events", "rejected")
    storage.run(2, "events", "rejected")
    storage.run(3, "soon.train", "soon.lr.model", summary=False)
    storage.run(4, "soon.champion", reads={"soon.lr.model": 3})
    storage.run(5, "events", "rejected", "soon.train", "soon.lr.model")
    assert storage.pruned("events", "soon.train", "soon.lr.model", keep=1) == {"events": [1]}


def test_an_unreadable_summary_counts_as_missing(storage: Storage, tmp_path: Path) -> None:
    for day in (1, 2):
        storage.run(day, *WHOLE)
    (tmp_path / RUN_SUMMARY / version(2) / RUN_SUMMARY).write_text("{half")
    assert storage.pruned("events", keep=1) == {"events": [1]}


def test_a_kept_model_card_keeps_its_champion(storage: Storage) -> None:
    storage.run(1, *WHOLE, *CARDS)
    storage.run(2, "soon.champion_metadata", reads={"soon.champion": 1})
    storage.run(3, *WHOLE)
    assert storage.pruned(*WHOLE, "soon.champion_metadata", keep=1) == {"rejected": [1]}


def test_a_kept_champion_keeps_its_model_card(storage: Storage) -> None:
    storage.run(1, *WHOLE, *CARDS)
    storage.run(2, "soon.model_card", reads={"soon.champion_metadata": 1, "soon.metrics": 1})
    assert storage.pruned(*CARDS, keep=1) == {}


def test_versions_of_an_active_run_are_kept(storage: Storage) -> None:
    for day in (1, 2, 3, 4):
        storage.run(day, "events", "scores")
    reading = ActiveRun(run_id=version(2), pid=1, reads={"events": version(1)})
    assert storage.pruned("events", "scores", keep=1, running=[reading]) == {"events": [3], "scores": [1, 3]}


def test_datasets_that_the_run_has_not_written_are_kept(storage: Storage) -> None:
    for day in (1, 2, 3):
        storage.run(day, "events", "scores")
    assert storage.pruned("scores", keep=1) == {"scores": [1, 2]}
