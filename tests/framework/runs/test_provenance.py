"""Provenance is written beside each version, and stale versions are detected."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from sparkify_kedro.framework.nodes import bind
from sparkify_kedro.framework.runs.provenance import ProvenanceStore
from sparkify_kedro.framework.runs.versions import pin_newest, pin_own

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def double(source: list[int], factor: int) -> list[int]:
    return [number * factor for number in source]


def hand_on(doubled: list[int], limit: int) -> list[int]:
    return doubled[:limit]


def add(handed: list[int], offset: int) -> dict[str, int]:
    return {"total": sum(handed) + offset}


PIPELINE = Pipeline(
    [
        Node(func=double, inputs=["source", "params:made.factor"], outputs="doubled", name="double"),
        Node(func=hand_on, inputs=["doubled", "params:made.limit"], outputs="handed", name="hand_on"),
        Node(func=add, inputs=["handed", "params:offset"], outputs="total", name="add"),
    ]
)
PARAMETERS = {"made": {"factor": 2, "limit": 3}, "offset": 1}


class Workshop:
    """A catalog on disk, and runs in it: every node by hand, as a runner would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("source.json", [1, 2, 3])

    def write(self, name: str, numbers: list[int]) -> None:
        (self.folder / name).write_text(json.dumps(numbers))

    def catalog(self, run_id: str, source: str = "source.json") -> DataCatalog:
        versioned = {"type": "sparkify_kedro.framework.datasets.AtomicJSONDataset", "versioned": True}
        return DataCatalog.from_config(
            {
                "source": {"type": "json.JSONDataset", "filepath": str(self.folder / source)},
                "doubled": {**versioned, "filepath": str(self.folder / "doubled.json")},
                "total": {**versioned, "filepath": str(self.folder / "total.json")},
                "handed": {"type": "MemoryDataset"},
            },
            save_version=run_id,
        )

    def lineage(
        self, run_id: str = "now", parameters: dict[str, Any] = PARAMETERS, source: str = "source.json", **options: Any
    ) -> ProvenanceStore:
        chosen, without_effect = options.get("chosen", ()), options.get("without_effect", ())
        return ProvenanceStore(self.catalog(run_id, source), PIPELINE.nodes, parameters, chosen, without_effect)

    def run(self, run_id: str, parameters: dict[str, Any] = PARAMETERS, source: str = "source.json") -> dict[str, Any]:
        """Everything; what is written down of each dataset."""
        catalog = self.catalog(run_id, source)
        lineage = ProvenanceStore(catalog, PIPELINE.nodes, parameters, ["source"])
        blocks = {"params:made.factor": parameters["made"]["factor"], "params:made.limit": parameters["made"]["limit"]}
        blocks["params:offset"] = parameters["offset"]
        notes = {}
        for node in PIPELINE.nodes:
            values = [blocks[name] if name in blocks else catalog.load(name) for name in node.inputs]
            (output,) = node.outputs
            catalog.save(output, node.func(*values))
            if output != "handed":
                notes[output] = lineage.record(output, node, run_id)
        return notes


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def changed(**changes: Any) -> dict[str, Any]:
    """The parameters with some of the block ``made`` changed."""
    return {**PARAMETERS, "made": PARAMETERS["made"] | changes}


def test_provenance_is_written_beside_the_version(workshop: Workshop) -> None:
    notes = workshop.run(FIRST)
    lying_there = json.loads((workshop.folder / f"doubled.json/{FIRST}/doubled.json.provenance.json").read_text())
    assert lying_there["run_id"] == FIRST
    assert lying_there["node"] == "double"
    assert lying_there["parameters"] == {"made.factor": 2}
    assert lying_there["files"]["source"]["path"] == str(workshop.folder / "source.json")
    assert lying_there["fingerprint"] == notes["doubled"].fingerprint
    # What is handed on in memory counts as what it was made from.
    assert notes["total"].parameters == {"made.limit": 3, "offset": 1}
    assert notes["total"].inputs == {"doubled": {"version": FIRST, "fingerprint": notes["doubled"].fingerprint}}
    assert workshop.lineage().provenance("total") == notes["total"]


def test_equal_inputs_give_equal_fingerprints(workshop: Workshop) -> None:
    first, second = workshop.run(FIRST), workshop.run(SECOND)
    assert {name: note.fingerprint for name, note in first.items()} == {
        name: note.fingerprint for name, note in second.items()
    }
    assert workshop.lineage().why_stale("total") == {}


@pytest.mark.parametrize(
    ("parameters", "stale"),
    [
        (changed(factor=3), {"doubled": "parameter made.factor changed from 2 to 3"}),
        (changed(limit=2), {"total": "parameter made.limit changed from 3 to 2"}),
        ({**PARAMETERS, "offset": 0}, {"total": "parameter offset changed from 1 to 0"}),
        ({**PARAMETERS, "of_another_pipeline": 5}, {}),
    ],
)
def test_a_changed_parameter_makes_dependent_datasets_stale(
    workshop: Workshop, parameters: dict[str, Any], stale: dict[str, str]
) -> None:
    notes = workshop.run(FIRST)
    assert workshop.lineage(parameters=parameters).why_stale("total") == stale
    assert (workshop.run(SECOND, parameters)["total"].fingerprint == notes["total"].fingerprint) is not bool(stale)


def test_a_parameter_without_effect_makes_nothing_stale(workshop: Workshop) -> None:
    """Alone, in a block, and where there is none of the name."""
    workshop.run(FIRST)
    lineage = workshop.lineage(
        parameters={**changed(limit=2), "offset": 0},
        without_effect=["made.limit", "offset", "made.nothing", "no.block"],
    )
    assert lineage.why_stale("total") == {}
    other = workshop.lineage(parameters={**changed(limit=2), "offset": 0}, without_effect=["made.limit"])
    assert other.why_stale("total") == {"total": "parameter offset changed from 1 to 0"}


def test_an_input_that_does_not_count_makes_nothing_stale(workshop: Workshop) -> None:
    catalog = workshop.catalog(FIRST)
    catalog["source"].metadata = {"provenance": False}
    catalog.save("doubled", [2, 4, 6])
    lineage = ProvenanceStore(catalog, PIPELINE.nodes, PARAMETERS, ["source"])
    assert lineage.record("doubled", PIPELINE.nodes[0], FIRST).files == {}
    workshop.write("source.json", [7])
    assert lineage.why_stale("doubled") == {}


def test_of_several_nodes_that_make_a_dataset_the_one_that_did_counts(workshop: Workshop) -> None:
    """Such as the one that trains a model, and the one that only calibrates it again."""
    catalog = workshop.catalog(FIRST)
    catalog.save("doubled", [2, 4, 6])
    other = Node(func=hand_on, inputs=["source", "params:made.limit"], outputs="doubled", name="shorten")
    for nodes in ([*PIPELINE.nodes, other], [other, *PIPELINE.nodes]):
        lineage = ProvenanceStore(catalog, nodes, PARAMETERS, ["source"])
        lineage.record("doubled", other, FIRST)
        assert ProvenanceStore(catalog, nodes, PARAMETERS, ["source"]).why_stale("doubled") == {}
        longer = ProvenanceStore(catalog, nodes, changed(limit=9), ["source"])
        assert list(longer.why_stale("doubled").values()) == ["parameter made.limit changed from 3 to 9"]


def test_a_changed_file_is_named(workshop: Workshop) -> None:
    workshop.run(FIRST)
    workshop.write("source.json", [1, 2, 4])
    (why,) = workshop.lineage().why_stale("total").values()
    assert why == f"{workshop.folder}/source.json changed"


def test_another_file_counts_by_content_if_the_run_reads_it(workshop: Workshop) -> None:
    workshop.run(FIRST)
    workshop.write("copy.json", [1, 2, 3])
    workshop.write("other.json", [9])
    assert workshop.lineage(source="copy.json", chosen=["source"]).why_stale("doubled") == {}
    assert workshop.lineage(source="other.json").why_stale("doubled") == {}
    why = workshop.lineage(source="other.json", chosen=["source"]).why_stale("doubled")
    assert why == {"doubled": f"source was {workshop.folder}/source.json and is {workshop.folder}/other.json"}


def test_a_newer_input_counts_by_its_fingerprint(workshop: Workshop) -> None:
    workshop.run(FIRST)
    newer = workshop.folder / f"total.json/{SECOND}"
    workshop.run(SECOND)
    _forget(newer)
    assert workshop.lineage().why_stale("total") == {}
    workshop.write("other.json", [9])
    workshop.run(THIRD, source="other.json")
    _forget(workshop.folder / f"total.json/{THIRD}")
    why = workshop.lineage().why_stale("total")
    assert why == {"total": f"it was made from doubled {FIRST}, and the newest is {THIRD}"}


def _forget(version: Path) -> None:
    for file in version.iterdir():
        file.unlink()
    version.rmdir()


def test_a_version_without_provenance_is_not_stale(workshop: Workshop) -> None:
    workshop.run(FIRST)
    (workshop.folder / f"total.json/{FIRST}/total.json.provenance.json").unlink()
    lineage = workshop.lineage(parameters=changed(limit=1))
    assert lineage.provenance("total") is None
    assert lineage.why_stale("total") == {}


def test_an_unreadable_provenance_file_is_ignored(workshop: Workshop) -> None:
    workshop.run(FIRST)
    for text in ("[]", "{}", "{"):
        (workshop.folder / f"total.json/{FIRST}/total.json.provenance.json").write_text(text)
        assert workshop.lineage().provenance("total") is None


@pytest.mark.parametrize("pin", [pin_newest, pin_own])
def test_a_pinned_version_is_read_despite_newer_ones(workshop: Workshop, pin: Callable[[Any], None]) -> None:
    """A version that was there, or the run's own, beside a later one of another run."""
    workshop.run(FIRST)
    catalog = workshop.catalog(SECOND)
    if pin is pin_own:
        catalog.save("doubled", [0])
    pin(catalog["doubled"])
    workshop.write("other.json", [9])
    workshop.run(THIRD, source="other.json")
    assert catalog.load("doubled") == ([2, 4, 6] if pin is pin_newest else [0])
    catalog.release("doubled")
    assert catalog.load("doubled") == ([2, 4, 6] if pin is pin_newest else [0])
    assert workshop.catalog("later").load("doubled") == [18]


def test_an_own_version_does_not_exist_before_it_is_saved(workshop: Workshop) -> None:
    workshop.run(FIRST)
    catalog = workshop.catalog(SECOND)
    pin_own(catalog["doubled"])
    assert not catalog.exists("doubled")
    catalog.save("doubled", [0])
    assert catalog.exists("doubled")


def test_without_a_version_to_pin_a_later_one_is_read(workshop: Workshop) -> None:
    catalog = workshop.catalog(FIRST)
    pin_newest(catalog["doubled"])
    workshop.run(SECOND)
    assert catalog.load("doubled") == [2, 4, 6]


@pytest.mark.parametrize("bound", [functools.partial, bind])
def test_bound_arguments_of_a_node_are_part_of_its_code(
    workshop: Workshop, bound: Callable[..., Callable[..., Any]]
) -> None:
    def made(run_id: str, factor: int) -> str:
        node = Node(func=bound(double, factor=factor), inputs="source", outputs="doubled", name="double")
        catalog = workshop.catalog(run_id)
        catalog.save("doubled", node.func(catalog.load("source")))
        return ProvenanceStore(catalog, [node], {}, ["source"]).record("doubled", node, run_id).fingerprint

    first, same, other = made(FIRST, factor=2), made(SECOND, factor=2), made(THIRD, factor=3)
    assert first == same != other
