"""What happens around a run: Spark starts when it is needed, and what the run did is written down."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from copy import copy
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, DatasetError, is_parameter
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.exceptions import ParameterValidationError
from omegaconf import OmegaConf

from sparkify_kedro.framework.errors import MissingVersions, sentence_of
from sparkify_kedro.framework.hooks.runs import LineageHooks
from sparkify_kedro.framework.parameters import unknown_parameters
from sparkify_kedro.framework.runs.versions import has_versions, pin_own
from sparkify_kedro.framework.session import configure_session, get_session
from sparkify_kedro.framework.skipping import Skipped

logger = logging.getLogger(__name__)

RUN_SUMMARY = "run_summary"
RUN_SO_FAR = "run_so_far"
REPORT = "report"
# What of a command line a summary keeps.
_ASKED_FOR = (
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
# Whose nodes know what is wrong with a log, but not where it lies.
_INGESTION = "sparkify_kedro.pipelines.ingestion."
PACKAGES = ("kedro", "kedro-datasets", "pyspark", "pandas", "numpy", "pyarrow")


class InputHooks:
    """Refuse what a run could only fail with later: parameters that nobody knows, and versions that are not there."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the parameters given with those configured.

        Raises:
            ParameterValidationError: naming each parameter that is not known, and what is like it.
        """
        wrong = list(_unknown(context)) if context.config_loader.runtime_params else []
        if wrong:
            raise ParameterValidationError(" ".join(wrong))

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Make sure that the versions which the run begins with are there, before it takes minutes to find out.

        Raises:
            MissingVersions: naming the datasets, and what makes them.
        """
        if run_params.get("only_missing_outputs"):
            return  # Kedro has yet to say which nodes run.
        missing = [name for name in sorted(pipeline.inputs()) if not is_parameter(name) and _lacks(catalog, name)]
        if missing:
            raise MissingVersions(missing, run_params.get("load_versions") or {})


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


class PathHooks:
    """Keep what is read and written where its path says at first sight."""

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Look at the paths of the configuration and of ``--params``.

        Raises:
            ValueError: naming the dataset whose path has a ``..`` in it.
        """
        for name, entry in conf_catalog.items():
            path = entry.get("filepath") if isinstance(entry, dict) else None
            if path is not None and ".." in PurePosixPath(str(path)).parts:
                raise ValueError(f"the path of {name} leads out of its folder by '..' ({path}): give it in full")


class ProgressHooks:
    """Say which node begins, what came out, and which label is skipped.

    Kedro's runner says how many of how many nodes are done.
    """

    @hook_impl
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Start afresh; the catalog knows where the report goes."""
        self._catalog, self._has_report = catalog, False
        self._skipped: set[str] = set()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """One line per node."""
        logger.info("Running %s", node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """A sentence per champion, and one per label without."""
        if isinstance(data, Skipped):
            label = _label(dataset_name)
            if label not in self._skipped:
                self._skipped.add(label)
                logger.warning("%s is skipped: %s", label, data.reason)
        elif dataset_name.endswith(".comparison"):
            logger.info(_result(dataset_name.removesuffix(".comparison"), data))
        self._has_report |= dataset_name == REPORT

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Where the report is, in a line of its own, which no log handler breaks in two."""
        if self._has_report:
            click.echo(f"The report: {self._catalog[REPORT]._get_load_path()}")


class RunSummaryHooks:
    """Write the dataset ``run_summary``: what a run read, did and wrote, how long it took and with what.

    It is the run's manifest: with what is in it, the run can be repeated. A node that takes ``run_so_far`` gets what is
    known of it by then.
    """

    def __init__(self, lineage: LineageHooks) -> None:
        self._lineage = lineage
        self._context: KedroContext | None = None
        self._begin()

    def _begin(self) -> None:
        self._started = time.perf_counter()
        self._read: dict[str, str] = {}
        self._files_read: dict[str, str] = {}
        self._written: dict[str, str | None] = {}
        self._skipped: dict[str, str] = {}
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
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Note the version that was read, or the file where there are no versions."""
        if isinstance(data, Skipped) or dataset_name in self._written:
            return
        dataset = self._catalog[dataset_name]
        if not isinstance(dataset, AbstractVersionedDataset) or not dataset.exists():
            return
        version_read = dataset.resolve_load_version()
        if version_read is None:
            self._files_read[dataset_name] = self._within_project(str(dataset._filepath))
        else:
            self._read[dataset_name] = version_read

    @hook_impl
    def before_node_run(self, node: Node, run_id: str) -> dict[str, Any] | None:
        """A node that loads nothing begins here; one that asks for the run so far is given it."""
        self._node_started.setdefault(node.name, time.perf_counter())
        if RUN_SO_FAR not in node.inputs:
            return None
        return {RUN_SO_FAR: self._told(run_id) | {"earlier": self._earlier_runs()}}

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Note version and rows; a node's time ends with the last dataset it saves, where Spark does the work."""
        if isinstance(data, Skipped):
            self._skipped.setdefault(_label(dataset_name), data.reason)
        else:
            self._note_written(dataset_name)
        self._outputs.setdefault(node.name, []).append(dataset_name)
        self._node_seconds[node.name] = time.perf_counter() - self._node_started[node.name]

    def _note_written(self, dataset_name: str) -> None:
        dataset = self._catalog[dataset_name]
        if isinstance(dataset, AbstractVersionedDataset):
            self._written[dataset_name] = dataset.resolve_save_version()
        rows = getattr(dataset, "rows_written", None)
        if rows is not None:
            self._rows[dataset_name] = rows

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """To what is wrong with a log, add which log it is."""
        read = [self._files_read[name] for name in ("scoring_events", "raw_events") if name in self._files_read]
        if read and isinstance(error, ValueError) and node.func.__module__.startswith(_INGESTION):
            error.add_note(f"the log is {read[0]}")

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Write the summary of a run that succeeded."""
        self._save(run_params, error=None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """Write the summary of a run that failed."""
        try:
            self._save(run_params, error=sentence_of(error))
        except Exception as second:  # the run's own error is the one to be told
            logger.warning("The summary of the failed run could not be written: %s", sentence_of(second))

    def _within_project(self, path: str) -> str:
        """The path as seen from the project's folder, if it lies in there."""
        assert self._context is not None
        return path.removeprefix(f"{self._context.project_path}/")

    def _told(self, run_id: str) -> dict[str, Any]:
        """What is known of the run."""
        assert self._context is not None
        return {
            "run_id": run_id,
            "seconds": round(time.perf_counter() - self._started, 2),
            "parameters": self._lineage.parameters,
            "files_read": dict(self._files_read),
            "versions_read": dict(sorted(self._read.items())),
            "versions_written": dict(sorted(self._written.items())),
            "contents_read": {
                name: file["content"]
                for made in self._lineage.made.values()
                for name, file in made.files.items()
                if name in self._files_read
            },
            "fingerprints": {name: made.fingerprint for name, made in sorted(self._lineage.made.items())},
            "skipped": dict(sorted(self._skipped.items())),
            "stages": _stages(self._node_seconds),
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

    def _earlier_runs(self) -> list[dict[str, Any]]:
        """The summaries of the runs that made what this one has read, as far as they are there, newest first."""
        found = []
        for run_id in sorted(set(self._read.values()), reverse=True):
            try:
                found.append(self._catalog.load(RUN_SUMMARY, version=run_id))
            except DatasetError:
                logger.debug("The run %s has left no summary.", run_id)
        return found

    def _save(self, run_params: dict[str, Any], error: str | None) -> None:
        told = self._told(run_params["run_id"])
        summary = {
            "run_id": told.pop("run_id"),
            "succeeded": error is None,
            "error": error,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": told.pop("seconds"),
            "asked_for": {key: run_params[key] for key in _ASKED_FOR if run_params.get(key)},
            **told,
        }
        pin_own(self._catalog[RUN_SUMMARY])
        self._catalog.save(RUN_SUMMARY, summary)
        self._begin()


def _unknown(context: KedroContext) -> Iterator[str]:
    """What is wrong with the parameters of the command line."""
    # A loader that has been given none; it knows, like the one it is a copy of, where the configuration lies.
    plain = copy(context.config_loader)
    given, plain.runtime_params = plain.runtime_params or {}, {}
    in_base, in_environment, *_ = plain._read_raw_config("catalog")
    entries = "".join(OmegaConf.to_yaml(part) for part in (*in_base.values(), *in_environment.values()))
    of_catalog = set(re.findall(r"\$\{runtime_params:\s*(\w+)", entries))
    own = {key: value for key, value in given.items() if key not in of_catalog}
    if own:
        yield from unknown_parameters(own, dict.fromkeys(of_catalog) | dict(plain["parameters"]), _blocks())


def _blocks() -> set[str]:
    """The paths of all parameters that a node takes."""
    pipelines.set_requested(None)
    names = set().union(*(pipeline.inputs() for pipeline in pipelines.values()))
    return {name.removeprefix("params:") for name in names if is_parameter(name)}


def _lacks(catalog: DataCatalog, name: str) -> bool:
    """Whether a dataset has versions, should have one, and has none that is complete."""
    dataset = catalog.get(name)
    return has_versions(dataset) and not (dataset.metadata or {}).get("optional") and not dataset.exists()


def _label(dataset_name: str) -> str:
    """The label in whose namespace a dataset lies."""
    return dataset_name.partition(".")[0]


def _stages(node_seconds: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Nodes and seconds by registered pipeline, in the registry's order, which is the data's."""
    spent = {
        name: [node_seconds[node.name] for node in pipeline.nodes if node.name in node_seconds]
        for name, pipeline in pipelines.items()
        if name != "__default__"
    }
    return {name: {"nodes": len(each), "seconds": round(sum(each), 2)} for name, each in spent.items() if each}


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
