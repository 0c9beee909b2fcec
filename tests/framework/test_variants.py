"""Variants make again what depends on changed parameters, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.pipeline import Node, Pipeline
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.framework.parameters import ParameterBlock
from sparkify_kedro.framework.variants import Variant, inputs_of


class Scale(ParameterBlock):
    factor: int = Field(ge=1)
    labels: list[str]


def load(raw: int) -> int:
    raise AssertionError("no variant here changes what this depends on")


def scale(loaded: int, scaling: Scale) -> int:
    return loaded * scaling.factor


def shift(scaled: int, shift: int) -> int:
    return scaled + shift


def tell(shifted: int, scaling: Scale) -> str:
    return f"{shifted} {'/'.join(scaling.labels)}"


PIPELINE = Pipeline(
    [
        Node(load, ["raw"], "loaded"),
        Node(scale, ["loaded", "params:of.scaling"], "scaled"),
        Node(shift, ["scaled", "params:shift"], "shifted"),
        Node(tell, ["shifted", "params:of.scaling"], "told"),
    ]
)
SCALING = {"factor": 2, "labels": ["a", "b"]}
DATA: dict[str, Any] = {"raw": 0, "loaded": 10, "scaled": 20, "shifted": 21, "params:shift": 1}


def variant(changes: dict[str, Any], scaling: Any = SCALING) -> Variant:
    return Variant(PIPELINE, ["shifted"], {**DATA, "params:of.scaling": scaling}, changes)


def test_inputs_are_all_that_a_variant_may_begin_with() -> None:
    assert inputs_of(PIPELINE, ["shifted"]) == ["loaded", "params:of.scaling", "params:shift", "raw", "scaled"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 21),
        ({"shift": 5}, 25),
        ({"of": {"scaling": {"factor": 3}}}, 31),
        ({"of": {"scaling": {"factor": 3}}, "shift": 5}, 35),
    ],
)
@pytest.mark.parametrize("scaling", [SCALING, Scale.model_validate(SCALING)], ids=["plain", "typed"])
def test_outputs_follow_from_the_changed_parameters(changes: dict[str, Any], expected: int, scaling: Any) -> None:
    assert variant(changes, scaling).run() == {"shifted": expected}


def test_what_does_not_depend_on_a_change_is_taken_as_it_is() -> None:
    """A stored value that the parameters would not give shows which nodes ran."""
    data = {**DATA, "scaled": 1_000, "params:of.scaling": SCALING}
    assert Variant(PIPELINE, ["shifted"], data, {"shift": 5}).run() == {"shifted": 1_005}
    assert Variant(PIPELINE, ["shifted"], data, {}).run() == {"shifted": 1_001}


def test_a_list_replaces_a_list() -> None:
    data = {**DATA, "params:of.scaling": SCALING}
    assert Variant(PIPELINE, ["told"], data, {"of": {"scaling": {"labels": ["c"]}}}).run() == {"told": "21 c"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shfit": 5}, "shfit is not a known parameter: did you mean 'shift'?"),
        ({"of": {"scaling": {}}}, "of.scaling is an empty block"),
        ({"of": {"scaling": {"factr": 3}}}, "factr is not a known parameter"),
        ({"of": {"scaling": {"factor": 0}}}, "factor should be greater than or equal to 1"),
    ],
)
def test_wrong_changes_are_named_before_anything_runs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        variant(changes)


def test_fingerprints_tell_variants_apart_by_what_they_depend_on() -> None:
    prints = [variant(changes).fingerprint for changes in ({}, {"shift": 5}, {"of": {"scaling": {"factor": 3}}})]
    assert len(set(prints)) == 3
    assert prints[0] == variant({"shift": 1}).fingerprint
    other = variant({}, {**SCALING, "factor": 9})
    assert other.fingerprint == prints[0]  # the stored rows are taken as they are
    assert prints[2] != variant({"of": {"scaling": {"factor": 4}}}).fingerprint


def test_tables_between_nodes_are_kept_only_while_they_are_needed(spark: SparkSession) -> None:
    made: list[DataFrame] = []

    def grow(rows: DataFrame, times: int) -> DataFrame:
        made.append(rows.withColumn("value", F.col("id") * times))
        return made[-1]

    def total(rows: DataFrame) -> int:
        assert made[-1].storageLevel.useMemory
        return int(rows.agg(F.sum("value")).collect()[0][0])

    pipeline = Pipeline([Node(grow, ["rows", "params:times"], "grown"), Node(total, "grown", "total")])
    data = {"rows": spark.range(5), "params:times": 2, "grown": None}
    assert Variant(pipeline, ["total"], data, {"times": 3}).run() == {"total": 30}
    assert not made[-1].storageLevel.useMemory
