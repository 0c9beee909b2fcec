"""What a run does for itself among others, and for others.

It keeps to its versions and writes down what they are made from; it says that it runs and what it reads; and in the end
it takes old versions away.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from sparkify_kedro.framework.skipping import Skipped

from ..runs.lineage import Lineage, Made
from ..runs.locks import Announcement, RunningRuns
from ..runs.retention import RUN_SUMMARY, DatasetVersion, Versions, versions_to_prune
from ..runs.settings import run_parameters
from ..runs.storage import delete
from ..runs.versions import pin_newest, pin_own, versioned

logger = logging.getLogger(__name__)

# Datasets that a sentence names.
_NAMED = 5


class LineageHooks:
    """Keep a run to the versions it began with and those it writes, and write beside each version what it is made from.

    A run that would read what would be made otherwise now says so, and stops or goes on as ``runs.on_stale`` says; for
    ``--only-missing-outputs``, what is stale is missing.
    """

    def __init__(self) -> None:
        self.made: dict[str, Made] = {}
        self.parameters: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context for its parameters."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Look at what the run will read, and hold it fast.

        Raises:
            ModelInstantiationError: where the parameters ``runs`` are wrong, naming what is.
            ValueError: where what is read would be made otherwise now, and ``runs.on_stale`` is ``stop``.
        """
        # Once for all hooks: every look into the configuration reads its files anew.
        self.parameters = dict(self._context.config_loader["parameters"])
        self.runs = run_parameters(self.parameters)
        self.made, self._catalog, self._run_id = {}, catalog, run_params.get("run_id")
        inputs = versioned(catalog, pipeline.inputs())
        nodes = [node for each in pipelines.values() for node in each.nodes]
        self._lineage = Lineage(catalog, nodes, self.parameters, chosen_files=pipeline.inputs())

        named = set(run_params.get("load_versions") or ())
        stale = {name: why for name in sorted(inputs) if name not in named and (why := self._lineage.why_stale(name))}
        if stale:
            self._tell(stale)
        for dataset in inputs.values():
            pin_newest(dataset)
        if run_params.get("only_missing_outputs"):
            self._miss_what_is_stale(versioned(catalog, pipeline.all_outputs()))

    def _tell(self, stale: dict[str, dict[str, str]]) -> None:
        sentence = _staleness(stale)
        if self.runs.on_stale == "stop":
            raise ValueError(
                f"{sentence}; make it anew (with --only-missing-outputs, a run makes what is stale), or go on with "
                "--params=runs.on_stale=warn"
            )
        logger.warning(sentence)

    def _miss_what_is_stale(self, outputs: dict[str, AbstractVersionedDataset]) -> None:
        fresh = {name for name in outputs if self._lineage.made(name) and not self._lineage.why_stale(name)}
        for name, dataset in outputs.items():
            (pin_newest if name in fresh else pin_own)(dataset)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """From here on, the run reads this version, whatever others write."""
        if isinstance(data, Skipped):
            return
        for dataset in versioned(self._catalog, [dataset_name]).values():
            pin_own(dataset)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Write down what the version was made from."""
        if not isinstance(data, Skipped) and versioned(self._catalog, [dataset_name]):
            self.made[dataset_name] = self._lineage.record(dataset_name, node, self._run_id)


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
    datasets = versioned(catalog, sorted(pipeline.datasets()))
    return {name: dataset.resolve_load_version() for name, dataset in datasets.items() if dataset.exists()}


class RetentionHooks:
    """After a run that has succeeded, take away the old versions of what it has written."""

    def __init__(self, lineage: LineageHooks) -> None:
        self._lineage = lineage

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Know where runs are announced."""
        self._runs = RunningRuns(context.project_path)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Prune; what cannot be deleted is told, and does not make a failure of the run."""
        keep = self._lineage.runs.keep_versions
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

    def _prune(self, run_id: str, pipeline: Pipeline, catalog: DataCatalog, keep: int) -> list[DatasetVersion]:
        everything = sum(pipelines.values(), Pipeline([]))
        versions = Versions(catalog, everything.datasets())
        with self._runs.guarded():
            written = [name for name in (*pipeline.all_outputs(), RUN_SUMMARY) if run_id in versions.of(name)]
            others = [run for run in self._runs.locks() if run.run_id != run_id]
            pruned = versions_to_prune(written, versions, everything, others, keep)
            aside = [versions.set_aside(old) for old in pruned]
        for path in aside:
            delete(path)
        return pruned


def _staleness(stale: Mapping[str, Mapping[str, str]]) -> str:
    """One sentence: what differs where it begins, and what of it the run would read."""
    begins = {root: why for reasons in stale.values() for root, why in reasons.items()}
    found = "; ".join(f"{root}: {why}" for root, why in list(begins.items())[:_NAMED])
    more = f"; and {len(begins) - _NAMED} more" if len(begins) > _NAMED else ""
    read = f"{', '.join(list(stale)[:_NAMED])}{f' and {len(stale) - _NAMED} more' if len(stale) > _NAMED else ''}"
    return f"This run reads what would be made otherwise now ({read}): {found}{more}"
