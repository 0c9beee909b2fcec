"""Start Spark when a run begins."""

from __future__ import annotations

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from ..session import configure_session, get_session


class SparkHooks:
    """Configure the session when a context is created, start it when a run begins.

    Commands that need no Spark (``kedro registry list``, ``kedro catalog``, ``kedro viz``) start no JVM; in notebooks
    and ``kedro ipython`` the first dataset that is loaded or saved starts it.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the settings of ``conf/*/spark.yml`` for the session to come."""
        configure_session(context.config_loader["spark"])

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Start Spark before the first node, so that a missing Java is reported at once."""
        get_session()
