"""Two runs are compared by parameters, inputs, software and results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog

from sparkify_kedro.framework.runs.compare import compare, format_comparison
from sparkify_kedro.framework.runs.summary import RunSummary

FIRST, SECOND = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
METRICS = {"test": {"auc_pr": 0.25, "interval": [0.1, 0.4]}, "model": "Pipeline_a"}


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    entry = {"type": "sparkify_kedro.framework.datasets.AtomicJSONDataset", "versioned": True}
    return DataCatalog.from_config({"metrics": {**entry, "filepath": str(tmp_path / "metrics.json")}})


def keep(catalog: DataCatalog, version: str, metrics: dict[str, Any]) -> None:
    folder = Path(str(catalog["metrics"]._filepath))
    writer = DataCatalog.from_config(
        {
            "metrics": {
                "type": "sparkify_kedro.framework.datasets.AtomicJSONDataset",
                "filepath": str(folder),
                "versioned": True,
            }
        },
        save_version=version,
    )
    writer.save("metrics", metrics)


def summary(run_id: str, **changes: Any) -> RunSummary:
    fields: dict[str, Any] = {
        "run_id": run_id,
        "succeeded": True,
        "error": None,
        "finished": "2026-01-01",
        "seconds": 1.0,
        "asked_for": {},
        "files_read": {},
        "parameters": {"modeling": {"trees": 30}, "seed": 1},
        "contents_read": {"raw_events": "abc"},
        "versions_read": {},
        "versions_written": {"metrics": run_id, "another": run_id},
        "nodes": [{"node": "select_events", "seconds": 1.0, "rows_written": {"events": 10}}],
        "git": {"commit": "c0ffee", "dirty": False},
        "python": "3.11.2",
        "packages": {"pyspark": "4.3.0"},
    }
    return RunSummary.model_validate(fields | changes)


def lines(one: RunSummary, other: RunSummary, catalog: DataCatalog) -> list[str]:
    catalog["another"] = None
    return list(format_comparison(compare(one, other, catalog)))


def test_equal_runs(catalog: DataCatalog) -> None:
    """A model's own id is another in every fit, and no finding."""
    keep(catalog, FIRST, METRICS)
    keep(catalog, SECOND, METRICS | {"model": "Pipeline_b"})
    assert lines(summary(FIRST), summary(SECOND), catalog) == [
        "parameters: the same",
        "inputs: the same",
        "software: the same",
        "results: all 2 are the same",
    ]


def test_runs_that_differ_in_all_parts(catalog: DataCatalog) -> None:
    keep(catalog, FIRST, METRICS)
    keep(catalog, SECOND, {"test": {"auc_pr": 0.5, "interval": [0.2, 0.4]}, "model": "Pipeline_b"})
    other = summary(
        SECOND,
        parameters={"modeling": {"trees": 5}, "seed": 1, "raw_events": "log.json"},
        contents_read={"raw_events": "def"},
        nodes=[{"node": "select_events", "seconds": 1.0, "rows_written": {"events": 12}}],
        git=None,
        packages={"pyspark": "4.3.1"},
    )
    assert lines(summary(FIRST), other, catalog) == [
        "parameters:",
        "  modeling.trees: 30 | 5",
        "  raw_events: None | 'log.json'",
        "inputs:",
        "  raw_events: 'abc' | 'def'",
        "software:",
        "  commit: 'c0ffee' | None",
        "  uncommitted changes: False | None",
        "  pyspark: '4.3.0' | '4.3.1'",
        "results: 2 of 2 differ",
        "  metrics: test.auc_pr: 0.25 | 0.5 (and 1 more)",
        "  rows of events: rows: 10 | 12",
    ]


def test_runs_without_common_datasets(catalog: DataCatalog) -> None:
    """One of them has made no findings; then one whose findings are kept no more."""
    nothing = summary(SECOND, versions_written={}, nodes=[])
    assert lines(summary(FIRST), nothing, catalog)[-1] == "results: none that both runs have written"
    gone = summary(SECOND, nodes=[])
    assert lines(summary(FIRST), gone, catalog)[-1] == "results: none that both runs have written"


def test_a_long_list_of_differences_is_truncated(catalog: DataCatalog) -> None:
    rows = {f"table_{number}": number for number in range(20)}
    one = summary(FIRST, nodes=[{"node": "n", "seconds": 1.0, "rows_written": rows}])
    other = summary(SECOND, nodes=[{"node": "n", "seconds": 1.0, "rows_written": {name: -1 for name in rows}}])
    printed = lines(one, other, catalog)
    assert printed[-1] == "  and 10 more"
    assert len([line for line in printed if line.startswith("  rows of")]) == 10
