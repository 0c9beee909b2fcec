"""Variants of a run: what depends on changed parameters is made again, in memory, from the data of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any

from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError
from kedro.validation.parameter_validator import ParameterValidator
from pydantic import BaseModel

from .errors import error_message
from .in_memory import persist_tables, run_in_memory
from .parameters import unknown_parameters
from .runs.fingerprint import code_fingerprint, fingerprint

_PREFIX = "params:"


def inputs_of(pipeline: Pipeline, outputs: Sequence[str]) -> list[str]:
    """All that any variant of the outputs may begin with: datasets and ``params:NAME``, in the order of their names."""
    return sorted({name for node in pipeline.to_outputs(*outputs).nodes for name in node.inputs})


class Variant:
    """A run with changed parameters, of those nodes alone whose result may differ.

    The nodes that make the outputs always run, also where nothing is changed.

    Args:
        pipeline: the nodes to choose from.
        outputs: the datasets to make.
        data: what the run has, by name: datasets, and parameters as ``params:NAME``; see ``inputs_of``.
        changes: the parameters to change, nested.

    Raises:
        ValueError: naming the changed parameters that no node takes, or those that are out of bounds.
    """

    def __init__(
        self, pipeline: Pipeline, outputs: Sequence[str], data: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> None:
        part = pipeline.to_outputs(*outputs)
        paths = [name.removeprefix(_PREFIX) for name in part.inputs() if name.startswith(_PREFIX)]
        configured: dict[str, Any] = {}
        for path in paths:
            _set(configured, path, _as_plain(data[f"{_PREFIX}{path}"]))
        if errors := list(unknown_parameters(changes, configured, paths)):
            raise ValueError(" ".join(errors))
        self._plain = _merged(configured, changes)
        try:
            typed = ParameterValidator({"variant": part}).validate_raw_params(self._plain)
        except ParameterValidationError as error:
            raise ValueError(error_message(error)) from error
        self._parameters = {f"{_PREFIX}{path}": _get(typed, path) for path in paths}
        changed = [f"{_PREFIX}{path}" for path in paths if _get(self._plain, path) != _get(configured, path)]
        self._outputs, self._data = list(outputs), data
        self._part = part.only_nodes_with_outputs(*outputs) + (part.from_inputs(*changed) if changed else Pipeline([]))

    @cached_property
    def fingerprint(self) -> str:
        """Of the parameters and the code that the variant depends on, and not of its data."""
        paths = sorted(name.removeprefix(_PREFIX) for name in self._part.inputs() if name.startswith(_PREFIX))
        values = {path: _get(self._plain, path) for path in paths}
        return fingerprint([values, [[node.name, code_fingerprint(node.func)] for node in self._part.nodes]])

    def run(self) -> dict[str, Any]:
        """Make the outputs.

        Returns:
            The datasets by name. Tables between the nodes are released: an output that is a table must not depend on
            them.
        """
        catalog = DataCatalog(
            {
                name: MemoryDataset(
                    self._parameters[name] if is_parameter(name) else self._data[name], copy_mode="assign"
                )
                for name in self._part.inputs()
            }
        )
        part, tables = persist_tables(self._part)
        try:
            return run_in_memory(part, self._outputs, catalog)
        finally:
            for table in tables:
                table.unpersist()


def _as_plain(value: Any) -> Any:
    """A parameter as the configuration has it."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else deepcopy(value)


def _merged(configured: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Block by block: a value that is no block, such as a list, replaces the one before."""
    merged = dict(configured)
    for key, value in changes.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return merged


def _set(tree: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[last] = value


def _get(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree[part] if isinstance(tree, Mapping) else getattr(tree, part)
    return tree
