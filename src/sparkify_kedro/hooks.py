"""What happens around a run: Spark starts when it is needed, and what the run did is written down."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline.node import Node

from sparkify_kedro.spark_session import configure_session, get_session

logger = logging.getLogger(__name__)

RUN_SUMMARY = "run_summary"
PACKAGES = ("kedro", "kedro-datasets", "pyspark", "pandas", "numpy", "pyarrow")


class SparkHooks:
    """Configure the session where a context is made, start it where a run begins.

    Commands that need no Spark (``kedro registry list``, ``kedro catalog``, ``kedro viz``) start no JVM; in notebooks
    and ``kedro ipython`` the first dataset that is loaded or saved starts it.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the settings of ``conf/*/spark.yml``."""
        configure_session(context.config_loader["spark"])

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Start Spark before the first node, so that a missing Java is told at once."""
        get_session()


class ProgressHooks:
    """Say which node begins; Kedro's runner says how many of how many are done."""

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """One line per node."""
        logger.info("Running %s", node.name)


class RunSummaryHooks:
    """Write the dataset ``run_summary``: what a run read, did and wrote, how long it took and with what."""

    def __init__(self) -> None:
        self._context: KedroContext | None = None
        self._begin()

    def _begin(self) -> None:
        self._started = time.perf_counter()
        self._read: dict[str, str] = {}
        self._files_read: dict[str, str] = {}
        self._written: dict[str, str | None] = {}
        self._rows: dict[str, int] = {}
        self._node_started: dict[str, float] = {}
        self._node_seconds: dict[str, float] = {}
        self._outputs: dict[str, list[str]] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters and paths."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Start afresh."""
        self._begin()
        self._catalog = catalog

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """A node's time begins with the first dataset it loads."""
        self._node_started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str) -> None:
        """Note the version that was read, or the file where there are no versions."""
        dataset = self._catalog[dataset_name]
        if not isinstance(dataset, AbstractVersionedDataset) or dataset_name in self._written:
            return
        version_read = dataset.resolve_load_version()
        if version_read is None:
            self._files_read[dataset_name] = str(dataset._filepath)
        else:
            self._read[dataset_name] = version_read

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """A node that loads nothing begins here."""
        self._node_started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Note version and rows; a node's time ends with the last dataset it saves, where Spark does the work."""
        dataset = self._catalog[dataset_name]
        if isinstance(dataset, AbstractVersionedDataset):
            self._written[dataset_name] = dataset.resolve_save_version()
        rows = getattr(dataset, "rows_written", None)
        if rows is not None:
            self._rows[dataset_name] = rows
        self._outputs.setdefault(node.name, []).append(dataset_name)
        self._node_seconds[node.name] = time.perf_counter() - self._node_started[node.name]
        if dataset_name.endswith(".comparison"):
            logger.info(_result(dataset_name.removesuffix(".comparison"), data))

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Write the summary of a run that succeeded."""
        self._save(run_params, error=None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """Write the summary of a run that failed."""
        try:
            self._save(run_params, error=str(error))
        except Exception as second:  # the run's own error is the one to be told
            logger.warning("The summary of the failed run could not be written: %s", second)

    def _save(self, run_params: dict[str, Any], error: str | None) -> None:
        assert self._context is not None
        run_id = run_params["run_id"]
        summary = {
            "run_id": run_id,
            "succeeded": error is None,
            "error": error,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._started, 2),
            "asked_for": {
                key: run_params[key]
                for key in (
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
                if run_params.get(key)
            },
            "parameters": dict(self._context.config_loader["parameters"]),
            "files_read": self._files_read,
            "versions_read": dict(sorted(self._read.items())),
            "versions_written": dict(sorted(self._written.items())),
            "nodes": [
                {
                    "node": name,
                    "seconds": round(seconds, 2),
                    "rows_written": {
                        output: self._rows[output] for output in self._outputs[name] if output in self._rows
                    },
                }
                for name, seconds in self._node_seconds.items()
            ],
            "git": _git(self._context.project_path),
            "python": sys.version.split()[0],
            "packages": {name: version(name) for name in PACKAGES},
        }
        self._catalog.save(RUN_SUMMARY, summary)
        self._begin()


def _result(label: str, comparison: dict[str, Any]) -> str:
    """One sentence on a label's champion, and one on what to make of it where there is a reason to doubt."""
    scores = comparison["algorithms"][comparison["champion"]][comparison["judged_on"]]
    if scores["auc_pr"] is None:
        found = "cannot be judged"
    else:
        (low, high), roc = scores["auc_pr_interval"], scores["auc_roc"]
        found = (
            f"has AUC-PR {scores['auc_pr']:.3f} (95 % interval {low:.3f} to {high:.3f}, chance "
            f"{scores['prevalence']:.3f}) and AUC-ROC {roc:.3f}"
        )
    judged = f"{scores['positives']} positives in {scores['rows']} rows of {comparison['judged_on']}"
    doubt = f"; {scores['warning']}" if scores["warning"] else ""
    return f"{label}: {comparison['champion']} is the champion and {found} ({judged}{doubt})"


def _git(project: Path) -> dict[str, Any] | None:
    """The commit the project is at and whether the tree differs from it; None outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
