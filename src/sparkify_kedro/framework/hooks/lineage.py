"""Pin what a run reads, record what its versions are made from, and detect stale inputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ..registry import registered_nodes
from ..runs.provenance import Provenance, ProvenanceStore
from ..runs.settings import run_settings
from ..runs.versions import VersionedDataset, pin_newest, pin_own, versioned
from ..skipping import Skipped

logger = logging.getLogger(__name__)

# Datasets and reasons that a message lists.
_LISTED = 5


class LineageHooks:
    """Pin a run to the versions it began with and those it writes, and write the provenance of each new version.

    Stale inputs are reported, and stop the run if ``runs.on_stale`` is ``stop``; for ``--only-missing-outputs`` a stale
    version counts as missing.
    """

    def __init__(self) -> None:
        self.written: dict[str, Provenance] = {}
        self.parameters: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check the inputs of the run for staleness, and pin them.

        Raises:
            ModelInstantiationError: where the parameters ``runs`` are wrong.
            ValueError: where inputs are stale and ``runs.on_stale`` is ``stop``.
        """
        self.parameters = self._context.config_loader["parameters"]
        self._settings = run_settings(self.parameters)
        self.written, self._catalog, self._run_id = {}, catalog, run_params.get("run_id") or ""
        inputs = versioned(catalog, pipeline.inputs())
        nodes = registered_nodes()
        self._store = ProvenanceStore(catalog, nodes, self.parameters, pipeline.inputs(), self._settings.without_effect)

        requested = set(run_params.get("load_versions") or ())
        stale = {name: why for name in sorted(inputs) if name not in requested and (why := self._store.why_stale(name))}
        if stale:
            self._report_stale(stale)
        for dataset in inputs.values():
            pin_newest(dataset)
        if run_params.get("only_missing_outputs"):
            self._pin_outputs(versioned(catalog, pipeline.all_outputs()))

    def _report_stale(self, stale: Mapping[str, Mapping[str, str]]) -> None:
        message = _staleness(stale)
        if self._settings.on_stale == "stop":
            raise ValueError(
                f"{message}; make them again (--only-missing-outputs makes stale datasets too), or continue with "
                "--params=runs.on_stale=warn"
            )
        logger.warning(message)

    def _pin_outputs(self, outputs: dict[str, VersionedDataset]) -> None:
        """Fresh outputs are read as they are; stale ones do not exist for the run until it has made them."""
        fresh = {name for name in outputs if self._store.provenance(name) and not self._store.why_stale(name)}
        for name, dataset in outputs.items():
            (pin_newest if name in fresh else pin_own)(dataset)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """From here on the run reads its own version, whatever other runs write."""
        if isinstance(data, Skipped):
            return
        for dataset in versioned(self._catalog, [dataset_name]).values():
            pin_own(dataset)

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Write the provenance of the new version."""
        if not isinstance(data, Skipped) and versioned(self._catalog, [dataset_name]):
            self.written[dataset_name] = self._store.record(dataset_name, node, self._run_id)


def _staleness(stale: Mapping[str, Mapping[str, str]]) -> str:
    """One sentence: the stale inputs, and the changes that make them stale."""
    reasons = {origin: why for inner in stale.values() for origin, why in inner.items()}
    changes = "; ".join(f"{origin}: {why}" for origin, why in list(reasons.items())[:_LISTED])
    more_changes = f"; and {len(reasons) - _LISTED} more" if len(reasons) > _LISTED else ""
    more_inputs = f" and {len(stale) - _LISTED} more" if len(stale) > _LISTED else ""
    return f"Stale inputs: {', '.join(list(stale)[:_LISTED])}{more_inputs} ({changes}{more_changes})"
