"""Remove old versions after a run."""

from __future__ import annotations

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from ..registry import registered_nodes
from ..runs.locks import RunLocks
from ..runs.retention import RUN_SUMMARY, DatasetVersion, Versions, versions_to_prune
from ..runs.settings import RunSettings, run_settings
from ..runs.versions import delete

logger = logging.getLogger(__name__)


class RetentionHooks:
    """After a successful run, remove old versions of the datasets that it has written (``runs.keep_versions``)."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters and folder."""
        self._context = context

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Prune, after the run's summary has been written; a file that cannot be deleted does not fail the run."""
        settings = run_settings(self._context.config_loader["parameters"])
        if settings.keep_versions == 0:
            return
        try:
            pruned = self._prune(run_params["run_id"], pipeline, catalog, settings)
        except OSError as error:
            logger.warning("Old versions could not be removed: %s", error)
            return
        if pruned:
            datasets = len({old.dataset for old in pruned})
            logger.info(
                "Removed %d old versions of %d datasets (runs.keep_versions: %d)",
                len(pruned),
                datasets,
                settings.keep_versions,
            )

    def _prune(
        self, run_id: str, pipeline: Pipeline, catalog: DataCatalog, settings: RunSettings
    ) -> list[DatasetVersion]:
        nodes = registered_nodes()
        versions = Versions(catalog, {name for node in nodes for name in (*node.inputs, *node.outputs)})
        locks = RunLocks(self._context.project_path)
        with locks.exclusive():
            written = [name for name in (*pipeline.all_outputs(), RUN_SUMMARY) if run_id in versions.of(name)]
            others = [run for run in locks.active() if run.run_id != run_id]
            keep, keep_of = settings.keep_versions, settings.keep_versions_of
            pruned = versions_to_prune(written, versions, nodes, others, keep, keep_of)
            hidden = [versions.hide(old) for old in pruned]
        for path in hidden:
            delete(path)
        return pruned
