"""What a run does for other runs: it says that it runs and what it reads, and in the end takes old versions away."""

from __future__ import annotations

import logging
import weakref
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from .parameters import RunParameters, run_parameters
from .places import delete, is_versioned
from .retention import RUN_SUMMARY, DatasetVersion, Versions, versions_to_prune
from .running import Announcement, RunningRuns

logger = logging.getLogger(__name__)


class RunningHooks:
    """Announce a run, with the versions that it reads, from its start to its end."""

    def __init__(self) -> None:
        self._announced: dict[str, Announcement] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Know where runs are announced."""
        self._runs = RunningRuns(context.project_path)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Announce the run, after everything that may yet stop it.

        Raises:
            AnnouncementError: where the project's folder cannot be written.
        """
        announcement = self._runs.announce(run_params["run_id"], lambda: versions_there(pipeline, catalog))
        self._announced[run_params["run_id"]] = announcement
        # A run that is interrupted ends without a word to any hook, but its pipeline, which is its own, goes with it.
        weakref.finalize(pipeline, announcement.withdraw)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """The run has ended."""
        self._end(run_params["run_id"])

    @hook_impl
    def on_pipeline_error(self, run_params: dict[str, Any]) -> None:
        """The run has failed, which is an end as well."""
        self._end(run_params["run_id"])

    def _end(self, run_id: str) -> None:
        announcement = self._announced.pop(run_id, None)
        if announcement is not None:
            announcement.withdraw()


def versions_there(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """The versions that a run may read: of its inputs, and of what it makes only if it is missing."""
    found = {}
    for name in sorted(pipeline.datasets()):
        dataset = catalog.get(name)
        if is_versioned(dataset) and dataset.exists():
            found[name] = dataset.resolve_load_version()
    return found


class RetentionHooks:
    """After a run that has succeeded, take away the old versions of what it has written."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters, and know where runs are announced."""
        self._context, self._runs = context, RunningRuns(context.project_path)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self) -> None:
        """A wrong parameter is told before Spark starts.

        Raises:
            ModelInstantiationError: naming it.
        """
        self._parameters()

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Prune; what cannot be deleted is told, and does not make a failure of the run."""
        keep = self._parameters().keep_versions
        if keep == 0:
            return
        try:
            pruned = self._prune(run_params["run_id"], pipeline, catalog, keep)
        except OSError as error:
            logger.warning("Old versions could not be removed: %s", error)
            return
        if pruned:
            datasets = len({old.dataset for old in pruned})
            logger.info("Removed %d old versions of %d datasets (runs.keep_versions: %d)", len(pruned), datasets, keep)

    def _parameters(self) -> RunParameters:
        return run_parameters(self._context.params)

    def _prune(self, run_id: str, pipeline: Pipeline, catalog: DataCatalog, keep: int) -> list[DatasetVersion]:
        everything = sum(pipelines.values(), Pipeline([]))
        versions = Versions(catalog, everything.datasets())
        with self._runs.guarded():
            written = [name for name in (*pipeline.all_outputs(), RUN_SUMMARY) if run_id in versions.of(name)]
            others = [run for run in self._runs.running() if run.run_id != run_id]
            pruned = versions_to_prune(written, versions, everything, others, keep)
            aside = [versions.set_aside(old) for old in pruned]
        for path in aside:
            delete(path)
        return pruned
