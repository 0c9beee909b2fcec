"""Progress of a run in the log: one line per node, results that datasets announce, and links to them at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

from ..registry import stages
from ..runs.versions import VersionedDataset, is_versioned, metadata_of, version_path
from ..skipping import Skipped, namespace_of

logger = logging.getLogger(__name__)


class ProgressHooks:
    """Log the stage, the position and the time of every node.

    Two keys of a catalog entry's ``metadata`` add to it: ``announce: FIELD`` logs that field of a report after the
    dataset was saved, and ``link: TEXT`` prints the path of the saved version when the run ends.
    """

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Reset the counters."""
        self._catalog, self._total, self._begun = catalog, len(pipeline.nodes), 0
        self._lock = threading.Lock()  # nodes may run in threads, and lines stay in order
        self._started = time.monotonic()
        self._links: dict[str, VersionedDataset] = {}
        self._skipped: set[str] = set()
        self._stage = stages()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """One line per node."""
        with self._lock:
            self._begun += 1
            position = f"{self._begun}/{self._total}"
            elapsed = timedelta(seconds=round(time.monotonic() - self._started))
            logger.info("%s %s %s %s", elapsed, position, self._stage.get(node.name, "-"), node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log what the dataset announces, or why its namespace is skipped."""
        if isinstance(data, Skipped):
            namespace = namespace_of(dataset_name)
            if namespace not in self._skipped:
                self._skipped.add(namespace)
                logger.warning("%s is skipped: %s", namespace, data.reason)
            return
        dataset = self._catalog[dataset_name]
        metadata = metadata_of(dataset)
        if field := metadata.get("announce"):
            logger.info("%s: %s", namespace_of(dataset_name), _field(data, field))
        if (text := metadata.get("link")) and is_versioned(dataset):
            self._links[text] = dataset

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Print each link in a line of its own, which no log handler wraps."""
        for text, dataset in self._links.items():
            click.echo(f"{text}: {version_path(dataset, str(dataset.resolve_save_version()))}")


def _field(data: BaseModel | Mapping[str, Any], name: str) -> Any:
    return getattr(data, name) if isinstance(data, BaseModel) else data[name]
