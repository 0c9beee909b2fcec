"""A label that cannot be learned is skipped: what depends on it passes the reason on, and everything else runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline


@dataclass(frozen=True)
class Skipped:
    """What stands for a dataset that could not be made.

    Args:
        reason: why, in words that go on after "because" or a colon.
    """

    reason: str


class CannotLearn(ValueError):
    """There is nothing to learn from; the message is the reason."""


def passing_on(pipeline: Pipeline) -> Pipeline:
    """The same pipeline, whose nodes give ``Skipped`` for each of their outputs where there is nothing to learn from.

    That is where the node itself finds out (``CannotLearn``), or where one of its inputs is ``Skipped`` already.
    """
    return Pipeline([_passing_on(node) for node in pipeline.nodes])


class SkippingCatalog(DataCatalog):
    """A catalog that keeps ``Skipped`` in memory, for the nodes of the same run, where others are written.

    So a label that is skipped leaves no new version, and the versions it had stay the latest.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As Kedro's own."""
        super().__init__(*args, **kwargs)
        self._skipped: dict[str, Skipped] = {}

    def save(self, ds_name: str, data: Any) -> None:
        """Write the data, or remember why there is none."""
        if isinstance(data, Skipped):
            self._skipped[ds_name] = data
        else:
            super().save(ds_name, data)

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """What was written, or why nothing was."""
        if ds_name in self._skipped:
            return self._skipped[ds_name]
        return super().load(ds_name, version)


def _passing_on(node: Node) -> Node:
    # Kedro has no public way to change a node's function.
    outputs = node._outputs
    return node._copy(func=_skippable(node.func, None if isinstance(outputs, str) else len(outputs)))


def _skippable(func: Callable[..., Any], outputs: int | None) -> Callable[..., Any]:
    """The function, which may give ``Skipped``: as often as it has outputs, or once where it has not a list of them.

    Its signature and type hints stay, since Kedro builds blocks of parameters by them.
    """

    @wraps(func)
    def run(*inputs: Any) -> Any:
        skipped = next((value for value in inputs if isinstance(value, Skipped)), None)
        if skipped is None:
            try:
                return func(*inputs)
            except CannotLearn as error:
                skipped = Skipped(str(error))
        return skipped if outputs is None else [skipped] * outputs

    return run
