"""Write the summary of every run, and tell nodes about the run so far."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from kedro.pipeline.node import Node

from ..errors import InputDataError, error_message
from ..registry import registered_pipelines, stages
from ..runs.retention import RUN_SUMMARY
from ..runs.summary import GitState, NodeSummary, RunSoFar, RunSummary, StageSummary
from ..runs.versions import counts_in_provenance, file_of, is_versioned, newest, pin_own, protocol_of
from ..skipping import Skipped, namespace_of
from .lineage import LineageHooks

logger = logging.getLogger(__name__)

RUN_SO_FAR = "run_so_far"
PACKAGES = ("kedro", "kedro-datasets", "pyspark", "pandas", "numpy", "pyarrow")
# The options of ``kedro run`` that a summary keeps.
_OPTIONS = (
    "env",
    "pipeline_names",
    "namespaces",
    "tags",
    "node_names",
    "from_nodes",
    "to_nodes",
    "from_inputs",
    "to_outputs",
    "only_missing_outputs",
    "load_versions",
    "runtime_params",
)


class RunSummaryHooks:
    """Save the dataset ``run_summary`` when a run ends, and pass ``run_so_far`` to the nodes that take it."""

    def __init__(self, lineage: LineageHooks) -> None:
        self._lineage = lineage
        self._reset()

    def _reset(self) -> None:
        self._started = time.perf_counter()
        self._versions_read: dict[str, str] = {}
        self._files_read: dict[str, str] = {}
        self._written: dict[str, str | None] = {}
        self._skipped: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self._node_started: dict[str, float] = {}
        self._node_seconds: dict[str, float] = {}
        self._outputs: dict[str, list[str]] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the project's folder."""
        self._project = context.project_path

    @hook_impl
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Start a new record."""
        self._reset()
        self._catalog = catalog

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """A node's time begins with the first dataset that it loads."""
        self._node_started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Record the version that was read, or the path where the dataset has no versions."""
        if isinstance(data, Skipped) or dataset_name in self._written:
            return
        dataset = self._catalog[dataset_name]
        if not counts_in_provenance(dataset):
            return
        if is_versioned(dataset):
            if (read := newest(dataset)) is not None and dataset.exists():
                self._versions_read[dataset_name] = read
        elif protocol_of(dataset) is not None:
            self._files_read[dataset_name] = file_of(dataset).removeprefix(f"{self._project}/")

    @hook_impl
    def before_node_run(self, node: Node, run_id: str) -> dict[str, Any] | None:
        """Pass the run so far to a node that takes it; a node that loads nothing begins here."""
        self._node_started.setdefault(node.name, time.perf_counter())
        if RUN_SO_FAR not in node.inputs:
            return None
        return {RUN_SO_FAR: RunSoFar(**self._record(run_id), earlier=self._earlier_runs())}

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record version and rows; a node's time ends with the last dataset it saves, where Spark does the work."""
        if isinstance(data, Skipped):
            self._skipped.setdefault(namespace_of(dataset_name), data.reason)
        else:
            dataset = self._catalog[dataset_name]
            if is_versioned(dataset):
                self._written[dataset_name] = dataset.resolve_save_version()
            if (rows := getattr(dataset, "rows_written", None)) is not None:
                self._rows[dataset_name] = rows
        self._outputs.setdefault(node.name, []).append(dataset_name)
        self._node_seconds[node.name] = time.perf_counter() - self._node_started[node.name]

    @hook_impl
    def on_node_error(self, error: Exception) -> None:
        """Add to an error about the content of an input file which file was read."""
        if isinstance(error, InputDataError) and self._files_read:
            error.add_note(f"read from {', '.join(self._files_read.values())}")

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Save the summary of a successful run."""
        self._save(run_params, error=None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """Save the summary of a failed run."""
        try:
            self._save(run_params, error=error_message(error))
        except Exception as second:  # the run's own error is the one to report
            logger.warning("The summary of the failed run could not be written: %s", error_message(second))

    def _record(self, run_id: str) -> dict[str, Any]:
        """The fields of a ``RunRecord``."""
        provenance = self._lineage.written
        return {
            "run_id": run_id,
            "seconds": round(time.perf_counter() - self._started, 2),
            "parameters": self._lineage.parameters,
            "files_read": dict(self._files_read),
            "versions_read": dict(sorted(self._versions_read.items())),
            "versions_written": dict(sorted(self._written.items())),
            "contents_read": {
                name: file["content"]
                for made in provenance.values()
                for name, file in made.files.items()
                if name in self._files_read
            },
            "fingerprints": {name: made.fingerprint for name, made in sorted(provenance.items())},
            "skipped": dict(sorted(self._skipped.items())),
            "stages": _stages(self._node_seconds),
            "nodes": [self._node_summary(name, seconds) for name, seconds in self._node_seconds.items()],
            "git": _git_state(self._project),
            "python": sys.version.split()[0],
            "packages": {name: version(name) for name in PACKAGES},
        }

    def _node_summary(self, name: str, seconds: float) -> NodeSummary:
        rows = {output: self._rows[output] for output in self._outputs[name] if output in self._rows}
        return NodeSummary(node=name, seconds=round(seconds, 2), rows_written=rows)

    def _earlier_runs(self) -> list[RunSummary]:
        """The summaries of the runs whose results this one has read, as far as they exist, the newest first."""
        summaries = []
        for run_id in sorted(set(self._versions_read.values()), reverse=True):
            try:
                summaries.append(self._catalog.load(RUN_SUMMARY, version=run_id))
            except DatasetError:
                logger.debug("The run %s has left no summary.", run_id)
        return summaries

    def _save(self, run_params: dict[str, Any], error: str | None) -> None:
        summary = RunSummary(
            **self._record(run_params["run_id"]),
            succeeded=error is None,
            error=error,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            asked_for={key: run_params[key] for key in _OPTIONS if run_params.get(key)},
        )
        dataset = self._catalog[RUN_SUMMARY]
        if is_versioned(dataset):
            pin_own(dataset)
        self._catalog.save(RUN_SUMMARY, summary)
        self._reset()


def _stages(node_seconds: Mapping[str, float]) -> dict[str, StageSummary]:
    """Nodes and seconds by registered pipeline, in the order of the registry."""
    stage = stages()
    spent = {
        name: [seconds for node, seconds in node_seconds.items() if stage.get(node) == name]
        for name in registered_pipelines()
    }
    return {name: StageSummary(nodes=len(each), seconds=round(sum(each), 2)) for name, each in spent.items() if each}


def _git_state(project: Path) -> GitState | None:
    """The commit of the project, and whether files differ from it; None outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return GitState(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain")))
    except (OSError, subprocess.CalledProcessError):
        return None
