"""Run a part of a pipeline in memory: nothing is saved."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pyspark.sql import DataFrame


def run_in_memory(part: Pipeline, outputs: Sequence[str], catalog: DataCatalog) -> dict[str, Any]:
    """Run nodes, and return some of the datasets that they make.

    Args:
        part: the nodes.
        outputs: the datasets to return.
        catalog: has what the nodes do not make; what they make replaces its entries.

    Returns:
        The datasets by name; dataframes are lazy.
    """
    # The runner releases a dataset after the last node that needs it, so copies are made under other names.
    copies = {name: f"output_in_memory_{number}" for number, name in enumerate(outputs)}
    copying = Pipeline([Node(func=_identity, inputs=name, outputs=copy) for name, copy in copies.items()])
    for name in part.all_outputs() | set(copies.values()):
        catalog[name] = MemoryDataset(copy_mode="assign")  # Spark's dataframes and models cannot be copied
    with _only_warnings("kedro"):
        SequentialRunner().run(part + copying, catalog)
        return {name: catalog.load(copy) for name, copy in copies.items()}


def persist_tables(part: Pipeline) -> tuple[Pipeline, list[DataFrame]]:
    """The same nodes, whose tables are computed once and kept, and a list in which those tables will be.

    Who calls it unpersists them. Nodes that return several datasets are left as they are.
    """
    tables: list[DataFrame] = []

    def persisting(node: Node) -> Node:
        def run(*args: Any, **kwargs: Any) -> Any:
            made = node.func(*args, **kwargs)
            if isinstance(made, DataFrame):
                made = made.persist()
                tables.append(made)
            return made

        return node._copy(func=run)  # Kedro has no public way to replace a node's function

    return Pipeline([persisting(node) for node in part.nodes]), tables


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
