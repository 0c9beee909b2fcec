"""The registered pipelines, and the names in them that a command line can select."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kedro.framework.project import pipelines
from kedro.io.core import is_parameter
from kedro.pipeline import Node, Pipeline

from .parameters import did_you_mean


class UnknownNameError(ValueError):
    """The command line names a pipeline, node, namespace, tag or dataset that does not exist.

    Args:
        kind: what the name should be.
        name: the unknown name.
        known: the names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Build the message, which suggests the closest known name."""
        super().__init__(f"There is no {kind} '{name}': {did_you_mean(name, known)}")


def registered_pipelines() -> dict[str, Pipeline]:
    """Every registered pipeline by name, whichever of them the current run requested."""
    pipelines.set_requested(None)
    return dict(pipelines)


def registered_nodes() -> list[Node]:
    """The nodes of every registered pipeline; a dataset may be made by a node in each of several pipelines."""
    return [node for pipeline in registered_pipelines().values() for node in pipeline.nodes]


def makers_of(datasets: Iterable[str]) -> set[str]:
    """The names of the registered pipelines that make any of the datasets.

    ``__default__`` is left out, and so is a pipeline if smaller ones make all that it would.
    """
    wanted, makers, made = set(datasets), set[str](), set[str]()
    for name, pipeline in _the_smallest_first():
        outputs = wanted & pipeline.all_outputs()
        if outputs - made:
            makers.add(name)
            made |= outputs
    return makers


def stages() -> dict[str, str]:
    """The registered pipeline that each node, by its name, is part of: of several the smallest; not ``__default__``."""
    of_node: dict[str, str] = {}
    for name, pipeline in _the_smallest_first():
        for node in pipeline.nodes:
            of_node.setdefault(node.name, name)
    return of_node


def _the_smallest_first() -> list[tuple[str, Pipeline]]:
    """All but ``__default__``: first its parts, since what others make may take the place of what it makes."""
    registered = registered_pipelines()
    default = set(registered["__default__"].nodes) if "__default__" in registered else set()
    named = [(name, pipeline) for name, pipeline in registered.items() if name != "__default__"]
    return sorted(named, key=lambda each: (not set(each[1].nodes) <= default, len(each[1].nodes)))


def check_selection(options: Mapping[str, object]) -> None:
    """Check the names that select a part of the registered pipelines.

    Args:
        options: of ``kedro run``, by parameter name.

    Raises:
        UnknownNameError: for the first unknown name.
    """
    registered = registered_pipelines()
    every_node = registered_nodes()
    nodes = {node.name for node in every_node}
    datasets = {name for node in every_node for name in (*node.inputs, *node.outputs) if not is_parameter(name)}
    namespaces = {
        ".".join(parts[: depth + 1])
        for parts in (node.namespace.split(".") for node in every_node if node.namespace)
        for depth in range(len(parts))
    }
    known = {
        **dict.fromkeys(("pipeline", "pipelines"), ("pipeline", set(registered))),
        "tags": ("tag", {tag for node in every_node for tag in node.tags}),
        "namespaces": ("namespace", namespaces),
        **dict.fromkeys(("node_names", "from_nodes", "to_nodes"), ("node", nodes)),
        **dict.fromkeys(("from_inputs", "to_outputs"), ("dataset", datasets)),
    }
    for option, (kind, names) in known.items():
        given = options.get(option) or ()
        for name in [given] if isinstance(given, str) else list(given):  # type: ignore[call-overload]  # click's values
            if name not in names:
                raise UnknownNameError(kind, name, names)
