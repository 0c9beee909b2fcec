"""Skip a namespace that cannot be computed: everything that depends on it is skipped, and everything else runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline


@dataclass(frozen=True)
class Skipped:
    """Stands for a dataset that could not be made.

    Attributes:
        reason: why, in words that follow a colon.
    """

    reason: str


class SkipError(ValueError):
    """A node of a skippable pipeline has nothing to work with; the message is the reason."""


def skippable(pipeline: Pipeline) -> Pipeline:
    """The same pipeline, whose nodes return ``Skipped`` for each output where they cannot run.

    That is where the node raises ``SkipError``, or where one of its inputs is ``Skipped``.
    """
    # Kedro has no public way to replace a node's function.
    return Pipeline([node._copy(func=_skippable(node)) for node in pipeline.nodes])


def namespace_of(dataset_name: str) -> str:
    """The outermost namespace of a dataset, which is skipped as a whole."""
    return dataset_name.partition(".")[0]


class SkippingCatalog(DataCatalog):
    """A catalog that keeps ``Skipped`` in memory for the other nodes of the run instead of writing it.

    So a skipped namespace leaves no new versions, and the versions it had stay the newest.
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
        """The data, or why there is none."""
        if ds_name in self._skipped:
            return self._skipped[ds_name]
        return super().load(ds_name, version)


def _skippable(node: Node) -> Callable[..., Any]:
    """The node's function, which may return ``Skipped`` in the shape of the node's outputs.

    Signature and annotations stay, since Kedro builds typed parameters from them.
    """
    func = node.func
    # The outputs as declared: a name, a list of names, or a mapping from keys of the result to names.
    outputs: str | list[str] | dict[str, str] | None = node._outputs

    @wraps(func)
    def run(*args: Any, **kwargs: Any) -> Any:
        skipped = next((value for value in (*args, *kwargs.values()) if isinstance(value, Skipped)), None)
        if skipped is None:
            try:
                return func(*args, **kwargs)
            except SkipError as error:
                skipped = Skipped(str(error))
        if isinstance(outputs, dict):
            return dict.fromkeys(outputs, skipped)
        return [skipped] * len(outputs) if isinstance(outputs, list) else skipped

    return run
