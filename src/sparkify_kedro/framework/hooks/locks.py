"""Hold a run lock while a run lasts."""

from __future__ import annotations

import weakref
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from ..runs.locks import RunLock, RunLocks
from ..runs.versions import newest, versioned


class RunLockHooks:
    """Lock the versions that a run reads, from its start to its end."""

    def __init__(self) -> None:
        self._held: dict[str, RunLock] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the project's folder, which holds the lock files."""
        self._locks = RunLocks(context.project_path)

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Acquire the lock, after everything that may still stop the run.

        Raises:
            RunLockError: where the project's folder cannot be written.
        """
        lock = self._locks.acquire(run_params["run_id"], lambda: readable_versions(pipeline, catalog))
        self._held[run_params["run_id"]] = lock
        # No hook is called for a run that is interrupted, but its pipeline object is collected then.
        weakref.finalize(pipeline, lock.release)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Release the lock."""
        self._release(run_params["run_id"])

    @hook_impl(trylast=True)
    def on_pipeline_error(self, run_params: dict[str, Any]) -> None:
        """Release the lock of a failed run."""
        self._release(run_params["run_id"])

    def _release(self, run_id: str) -> None:
        lock = self._held.pop(run_id, None)
        if lock is not None:
            lock.release()


def readable_versions(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """The versions that a run may read: of its inputs, and of outputs that it makes only if they are missing."""
    found = {name: newest(data) for name, data in versioned(catalog, sorted(pipeline.datasets())).items()}
    return {name: version for name, version in found.items() if version is not None}
