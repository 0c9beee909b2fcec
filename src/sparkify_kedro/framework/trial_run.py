"""Runs that leave nothing behind: for notebooks, where one wants to know what would be if."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kedro.framework.session import KedroSession
from kedro.io import CatalogConfigResolver, DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

# Spark's dataframes and models are handed on as they are.
_IN_MEMORY = {"{name}": {"type": "MemoryDataset", "copy_mode": "assign"}}


def trial_run(pipeline: Pipeline, outputs: Sequence[str], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run what it takes to make some datasets, with other parameters, in memory.

    What a pipeline does not make itself is read from the project's catalog, in its latest version. Nothing is saved, so
    that no version of a trial becomes the latest for anybody else.

    Args:
        pipeline: the nodes to choose from.
        outputs: the datasets to make.
        parameters: as for ``kedro run --params``, nested.

    Returns:
        The datasets by name. Dataframes among them are lazy.

    Raises:
        ValueError: where the pipeline makes no such dataset, or a parameter is out of its bounds.
    """
    with KedroSession.create(runtime_params=parameters) as session:
        kept = session.load_context().catalog
    part = pipeline.to_outputs(*outputs)
    # The runner forgets what the last node that needs it has had.
    kept_outputs = {name: f"kept_{place}" for place, name in enumerate(outputs)}
    keeping = Pipeline([Node(func=_same, inputs=name, outputs=kept) for name, kept in kept_outputs.items()])
    scratch = DataCatalog(config_resolver=CatalogConfigResolver(default_runtime_patterns=_IN_MEMORY))
    for name in part.inputs():
        scratch[name] = kept[name]
    with _quiet("kedro"):
        SequentialRunner().run(part + keeping, scratch)
        return {name: scratch.load(place) for name, place in kept_outputs.items()}


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A runner tells of every dataset, which nobody in a notebook wants to read; searches still tell of their fits."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _same(data: Any) -> Any:
    return data
