"""Trial runs: a part of a pipeline with other parameters, in memory, for notebooks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kedro.framework.session import KedroSession
from kedro.io import MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from .runs.versions import catalog_of


def trial_run(pipeline: Pipeline, outputs: Sequence[str], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Compute datasets with other parameters, in memory.

    Inputs that the pipeline does not make are loaded from the project's catalog, in their latest version. Nothing is
    saved, so a trial never becomes the latest version of a dataset.

    Args:
        pipeline: the nodes to choose from.
        outputs: the datasets to compute.
        parameters: as for ``kedro run --params``, nested.

    Returns:
        The datasets by name; dataframes are lazy.

    Raises:
        ValueError: where the pipeline does not make such a dataset, or a parameter is out of bounds.
    """
    session = KedroSession.create(runtime_params=parameters)
    with session:
        catalog = catalog_of(session.load_context())
    part = pipeline.to_outputs(*outputs)
    # The runner releases a dataset after the last node that needs it, so copies are made under other names.
    copies = {name: f"trial_output_{number}" for number, name in enumerate(outputs)}
    copying = Pipeline([Node(func=_identity, inputs=name, outputs=copy) for name, copy in copies.items()])
    for name in part.all_outputs() | set(copies.values()):
        catalog[name] = MemoryDataset(copy_mode="assign")  # Spark's dataframes and models cannot be copied
    with _only_warnings("kedro"):
        SequentialRunner().run(part + copying, catalog)
        return {name: catalog.load(copy) for name, copy in copies.items()}


@contextmanager
def _only_warnings(name: str) -> Iterator[None]:
    """Silence the runner's messages on every dataset; searches still log their progress."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _identity(data: Any) -> Any:
    return data
