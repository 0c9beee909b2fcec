"""Track every run, where tracking is configured; a run never fails because of it."""

from __future__ import annotations

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from sparkify_kedro.framework.errors import error_message
from sparkify_kedro.framework.runs.retention import RUN_SUMMARY

from .settings import tracking_settings

logger = logging.getLogger(__name__)


class TrackingHooks:
    """Record a run in MLflow after its summary has been written."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters."""
        self._context = context

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Track a successful run."""
        self._track(run_params["run_id"], catalog)

    @hook_impl(trylast=True)
    def on_pipeline_error(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Track a failed run, marked as such."""
        self._track(run_params["run_id"], catalog)

    def _track(self, run_id: str, catalog: DataCatalog) -> None:
        tracking = tracking_settings(self._context.config_loader["parameters"])
        if tracking.target is None:
            return
        # Imported where they are needed: most runs are not tracked.
        from .mlflow_client import client_of  # noqa: PLC0415
        from .record import FailedRunError, track  # noqa: PLC0415

        try:
            summary = catalog.load(RUN_SUMMARY, version=run_id)
            track(client_of(tracking), tracking, summary, catalog)
        except FailedRunError:
            logger.info("The failed run is tracked at %s", tracking.target)
        except Exception as error:  # whatever it is, the run itself has ended as it has
            logger.warning("The run could not be tracked at %s: %s", tracking.target, error_message(error))
        else:
            logger.info("The run is tracked at %s", tracking.target)
