"""Trial runs: a part of a pipeline with other parameters, in memory, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from .in_memory import run_in_memory
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
    return run_in_memory(pipeline.to_outputs(*outputs), outputs, catalog)
