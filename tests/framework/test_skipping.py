"""A label that cannot be trained is skipped with a reason; independent nodes run, and old versions stay."""

from __future__ import annotations

import inspect
import json
import logging
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from kedro.framework.session import KedroSession
from kedro.io import MemoryDataset
from kedro.io.core import Version
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from kedro.runner.runner import AbstractRunner
from pyspark.sql import SparkSession

from sparkify_kedro.framework.datasets import AtomicJSONDataset
from sparkify_kedro.framework.skipping import SkipError, Skipped, SkippingCatalog, skippable

REASON = "there are no rows to learn from"


def learn(rows: int, least: int) -> dict[str, int]:
    """Fails as a search does."""
    if rows < least:
        raise SkipError(REASON)
    return {"rows": rows}


def split(model: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    return model, model


def describe(*models: Any) -> list[str]:
    return [f"skipped: {model.reason}" if isinstance(model, Skipped) else "learned" for model in models]


LABELS = skippable(
    Pipeline(
        [
            node
            for label in ("a", "b")
            for node in (
                Node(func=learn, inputs=[f"rows_{label}", "least"], outputs=f"{label}.model", name=f"learn_{label}"),
                Node(
                    func=split, inputs=f"{label}.model", outputs=[f"{label}.one", f"{label}.two"], name=f"split_{label}"
                ),
            )
        ]
    )
) + Pipeline([Node(func=describe, inputs=["a.two", "b.two"], outputs="description", name="describe")])


@pytest.fixture
def catalog(tmp_path: Path) -> SkippingCatalog:
    def file(name: str) -> AtomicJSONDataset:
        return AtomicJSONDataset(filepath=str(tmp_path / f"{name}.json"), version=Version(None, "now"))

    names = [f"{label}.{name}" for label in ("a", "b") for name in ("model", "one", "two")]
    datasets = {name: file(name) for name in [*names, "description"]}
    return SkippingCatalog(
        datasets | {"rows_a": MemoryDataset(10), "rows_b": MemoryDataset(1), "least": MemoryDataset(5)}
    )


@pytest.mark.parametrize("runner", [SequentialRunner(), ThreadRunner()], ids=lambda runner: type(runner).__name__)
def test_dependent_nodes_are_skipped_and_leave_no_version(
    runner: AbstractRunner, catalog: SkippingCatalog, tmp_path: Path
) -> None:
    runner.run(LABELS, catalog)

    assert catalog.load("description") == ["learned", f"skipped: {REASON}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.model.json",
        "a.one.json",
        "a.two.json",
        "description.json",
    ]
    assert catalog.load("a.two") == {"rows": 10}
    assert catalog.load("b.one") == catalog.load("b.model") == Skipped(REASON)


def test_a_node_may_take_its_inputs_by_name() -> None:
    def join(*, left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
        return {"rows": left["rows"] + right["rows"]}

    nodes = skippable(
        Pipeline(
            [
                Node(func=learn, inputs={"rows": "rows_a", "least": "least"}, outputs="a", name="learn_a"),
                Node(func=learn, inputs={"rows": "rows_b", "least": "least"}, outputs="b", name="learn_b"),
                Node(func=join, inputs={"left": "a", "right": "a"}, outputs="joined", name="join"),
                Node(func=join, inputs={"left": "a", "right": "b"}, outputs="skipped", name="join_skipped"),
            ]
        )
    )
    catalog = SkippingCatalog(
        {"rows_a": MemoryDataset(10), "rows_b": MemoryDataset(1), "least": MemoryDataset(5)}
        | {name: MemoryDataset() for name in ("a", "b", "joined", "skipped")}
    )
    SequentialRunner().run(nodes, catalog)
    assert catalog.load("joined") == {"rows": 20}
    assert catalog.load("skipped") == Skipped(REASON)


def test_other_errors_are_errors() -> None:
    def fail(rows: int) -> int:
        raise ValueError("a leak")

    catalog = SkippingCatalog({"rows": MemoryDataset(1)})
    with pytest.raises(ValueError, match="a leak"):
        SequentialRunner().run(skippable(Pipeline([Node(func=fail, inputs="rows", outputs="model")])), catalog)


def test_skippable_nodes_keep_name_and_signature() -> None:
    """Their names, signatures and type hints: blocks of parameters are built by them."""
    node = next(node for node in LABELS.nodes if node.name == "learn_a")
    assert inspect.signature(node.func) == inspect.signature(learn)
    assert get_type_hints(node.func) == get_type_hints(learn)
    assert (node.func.__name__, inspect.unwrap(node.func)) == ("learn", learn)
    assert (node.inputs, node.outputs) == (["rows_a", "least"], ["a.model"])


def test_a_skipped_label_is_logged_once_and_recorded(
    spark: SparkSession, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the project's hooks and catalog, on the label's own datasets."""

    def audit() -> dict[str, Any]:
        raise SkipError(REASON)

    label = "will_churn_soon"
    nodes = skippable(
        Pipeline(
            [
                Node(func=audit, inputs=None, outputs=f"{label}.feature_audit", name="audit"),
                Node(func=describe, inputs=f"{label}.feature_audit", outputs=f"{label}.choice", name="choose"),
            ]
        )
    ) + Pipeline([Node(func=describe, inputs=f"{label}.choice", outputs="log.most_played", name="tell")])
    with KedroSession.create(project_path=project) as session, caplog.at_level(logging.WARNING):
        context = session.load_context()
        catalog = context._get_catalog(catalog_class=SkippingCatalog, save_version="now")
        hooks = session._hook_manager
        hooks.hook.before_pipeline_run(run_params={"run_id": "now"}, pipeline=nodes, catalog=catalog)
        SequentialRunner().run(nodes, catalog, hook_manager=hooks, run_id="now")
        hooks.hook.after_pipeline_run(run_params={"run_id": "now"}, run_result={}, pipeline=nodes, catalog=catalog)

    warnings = [
        record.getMessage() for record in caplog.records if record.name == "sparkify_kedro.framework.hooks.progress"
    ]
    assert warnings == [f"{label} is skipped: {REASON}"]
    summary = json.loads((project / "data/08_reporting/run_summary.json/now/run_summary.json").read_text())
    assert summary["succeeded"] is True
    assert summary["skipped"] == {label: REASON}
    assert list(summary["versions_written"]) == ["log.most_played"]
    assert [node["node"] for node in summary["nodes"]] == ["audit", "choose", "tell"]
    assert not (project / "data/06_models").exists()
