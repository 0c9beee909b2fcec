"""Progress in the log: one line per node, announced results, skipped namespaces, and links at the end."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from kedro.runner.runner import AbstractRunner
from pydantic import BaseModel

from sparkify_kedro.framework.hooks.progress import ProgressHooks
from sparkify_kedro.framework.skipping import SkipError, SkippingCatalog, skippable

VERSION = "2026-01-01T00.00.00.000Z"


class Result(BaseModel):
    summary: str


def compare() -> Result:
    return Result(summary="the best model has 3 leaves")


def as_mapping() -> dict[str, str]:
    return {"summary": "a mapping works as well"}


def fail() -> int:
    raise SkipError("there are no rows")


def split(model: int) -> tuple[int, int]:
    return model, model


def write(result: dict[str, str]) -> str:
    return f"<p>{result['summary']}</p>"


PIPELINE = skippable(
    Pipeline(
        [
            Node(func=fail, inputs=None, outputs="b.model", name="fail"),
            Node(func=split, inputs="b.model", outputs=["b.one", "b.two"], name="split"),
        ]
    )
) + Pipeline(
    [
        Node(func=compare, inputs=None, outputs="a.result", name="compare"),
        Node(func=as_mapping, inputs=None, outputs="c.result", name="as_mapping"),
        Node(func=write, inputs="a.result", outputs="page", name="write"),
    ]
)


def catalog_in(folder: Path) -> SkippingCatalog:
    result = {
        "type": "sparkify_kedro.framework.datasets.AtomicJSONDataset",
        "filepath": f"{folder}/{{name}}.json",
        "versioned": True,
    }
    page = {
        "type": "sparkify_kedro.framework.datasets.AtomicTextDataset",
        "filepath": f"{folder}/page.html",
        "versioned": True,
        "metadata": {"link": "The page"},
    }
    entries = {"{name}.result": {**result, "metadata": {"announce": "summary"}}, "{name}.{part}": result, "page": page}
    return SkippingCatalog.from_config(entries, save_version=VERSION)


@pytest.mark.parametrize("runner", [SequentialRunner(), ThreadRunner()], ids=lambda runner: type(runner).__name__)
def test_a_run_logs_its_progress_and_its_results(
    runner: AbstractRunner, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, hooks = catalog_in(tmp_path), _create_hook_manager()
    hooks.register(ProgressHooks())
    with caplog.at_level(logging.INFO, logger="sparkify_kedro"):
        hooks.hook.before_pipeline_run(run_params={}, pipeline=PIPELINE, catalog=catalog)
        runner.run(PIPELINE, catalog, hook_manager=hooks, run_id=VERSION)
        hooks.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=PIPELINE, catalog=catalog)

    lines = [record.getMessage() for record in caplog.records if record.name.endswith("hooks.progress")]
    nodes = [line.split() for line in lines if "/5 " in line]
    # Nodes of no registered pipeline have no stage.
    assert [(position, stage) for _, position, stage, _ in nodes] == [(f"{number}/5", "-") for number in range(1, 6)]
    assert sorted(name for *_, name in nodes) == ["as_mapping", "compare", "fail", "split", "write"]
    assert {time for time, *_ in nodes} <= {"0:00:00", "0:00:01", "0:00:02"}
    others = sorted(line for line in lines if "/5 " not in line)
    assert others == [
        "a: the best model has 3 leaves",
        "b is skipped: there are no rows",
        "c: a mapping works as well",
    ]
    assert capsys.readouterr().out.splitlines()[-1] == f"The page: {tmp_path}/{VERSION}/page.html"
    assert (tmp_path / VERSION / "page.html").read_text() == "<p>the best model has 3 leaves</p>"
