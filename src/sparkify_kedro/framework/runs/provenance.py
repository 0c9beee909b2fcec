"""Provenance of versions, stored beside each; a version is stale if its code, parameters or inputs have changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import DatasetError, is_parameter
from kedro.pipeline.node import Node

from ..nested import differences, without
from .fingerprint import code_fingerprint, content_fingerprint, fingerprint
from .versions import (
    VersionedDataset,
    counts_in_provenance,
    file_of,
    filesystem_of,
    is_versioned,
    newest,
    protocol_of,
    provenance_path,
    version_path,
)

if TYPE_CHECKING:
    from ..datasets import AtomicJSONDataset


@dataclass(frozen=True)
class Provenance:
    """What a version of a dataset was made from.

    Nodes are deterministic, so versions with the same ``fingerprint`` hold the same data.

    Attributes:
        dataset: the dataset's name.
        run_id: the run that made it.
        node: the node that made it.
        code: fingerprint of the node's code.
        parameters: the parameters that the node takes, by name.
        inputs: ``version`` and ``fingerprint`` of each versioned input.
        files: ``path`` and ``content`` (a fingerprint) of each input without versions.
        fingerprint: of code, parameters, the inputs' fingerprints and the files' contents.
    """

    dataset: str
    run_id: str
    node: str
    code: str
    parameters: dict[str, Any]
    inputs: dict[str, dict[str, str | None]]
    files: dict[str, dict[str, str | None]]
    fingerprint: str


class Dependencies(NamedTuple):
    """What a node depends on; what another node passes to it in memory adds that node's dependencies."""

    parameters: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    nodes: frozenset[Node] = frozenset()

    def union(self, other: Dependencies) -> Dependencies:
        """The dependencies of both."""
        return Dependencies(
            self.parameters | other.parameters,
            self.inputs | other.inputs,
            self.files | other.files,
            self.nodes | other.nodes,
        )


class ProvenanceStore:
    """The provenance of the datasets of a catalog, as a run sees it.

    Args:
        catalog: the run's catalog. Versions that the run has pinned count as the newest.
        nodes: all registered nodes, to know what makes a dataset.
        parameters: the parameters in effect.
        run_inputs: the datasets that the run itself reads: of those without versions the configured path counts, of
            others the path that was read when the version was made.
        without_effect: paths of parameters that do not change what a dataset holds.
    """

    def __init__(
        self,
        catalog: DataCatalog,
        nodes: Iterable[Node],
        parameters: Mapping[str, Any],
        run_inputs: Iterable[str],
        without_effect: Iterable[str] = (),
    ) -> None:
        self._catalog = catalog
        self._makers: dict[str, dict[str, Node]] = {}
        for node in nodes:
            for output in node.outputs:
                self._makers.setdefault(output, {})[node.name] = node
        self._without_effect = set(without_effect)
        self._parameters = without(parameters, self._without_effect)
        self._run_inputs = set(run_inputs)
        self._stale: dict[str, dict[str, str]] = {}
        self._contents: dict[str, str | None] = {}
        self._loaded: dict[tuple[str, str], Provenance | None] = {}

    def record(self, name: str, node: Node, run_id: str) -> Provenance:
        """Write the provenance of the version that was just saved.

        Raises:
            DatasetError: where it cannot be written.
        """
        depends = self._dependencies(node)
        parameters = {block: self._parameter(block) for block in sorted(depends.parameters)}
        inputs = {each: self._current(each) for each in sorted(depends.inputs)}
        files = {each: self._file(each) for each in sorted(depends.files)}
        code = _code(depends)
        identity = [
            name,
            node.name,
            parameters,
            code,
            {each: version["fingerprint"] for each, version in inputs.items()},
            {each: file["content"] for each, file in files.items()},
        ]
        provenance = Provenance(name, run_id, node.name, code, parameters, inputs, files, fingerprint(identity))
        dataset = self._versioned(name)
        version = str(dataset.resolve_save_version())
        _provenance_dataset(dataset, version).save(asdict(provenance))
        self._loaded[name, version] = provenance
        return provenance

    def provenance(self, name: str) -> Provenance | None:
        """The provenance of the version that a load would read now; None where there is none."""
        dataset = self._versioned(name)
        version = newest(dataset)
        if version is None:
            return None
        if (name, version) not in self._loaded:
            self._loaded[name, version] = _load(_provenance_dataset(dataset, version))
        return self._loaded[name, version]

    def why_stale(self, name: str) -> dict[str, str]:
        """Why a version is stale: a run with the present configuration would make another one.

        Returns:
            A reason per dataset at which the changes begin: the dataset itself, or those that it was made from. Empty
            where the version is up to date, or has no provenance.
        """
        if name not in self._stale:
            # Guards against endless recursion, should a dataset ever be made from itself.
            self._stale[name] = {}
            provenance = self.provenance(name)
            if provenance is not None and (node := self._maker(name, provenance.node)) is not None:
                reason = next(self._changes(provenance, node), None)
                self._stale[name] = {name: reason} if reason else self._stale_inputs(provenance)
        return self._stale[name]

    def _changes(self, provenance: Provenance, node: Node) -> Iterator[str]:
        depends = self._dependencies(node)
        for block in sorted(depends.parameters & set(provenance.parameters)):
            for path, (was, now) in differences(provenance.parameters[block], self._parameter(block), block):
                # Versions of before it was said to have no effect have its value.
                if path not in self._without_effect:
                    yield f"parameter {path} changed from {was!r} to {now!r}"
        if _code(depends) != provenance.code:
            yield "its code changed"
        for name, file in provenance.files.items():
            if name not in depends.files:
                continue
            present = self._file(name) if name in self._run_inputs else self._file(name, file["path"])
            if present["content"] is not None and present["content"] != file["content"]:
                is_moved = present["path"] != file["path"]
                yield f"{name} was {file['path']} and is {present['path']}" if is_moved else f"{file['path']} changed"
        for name, version in provenance.inputs.items():
            current = self._current(name)
            if current["version"] is not None and current["fingerprint"] != version["fingerprint"]:
                was = version["version"] or "(none)"
                yield f"it was made from {name} {was}, and the newest is {current['version']}"

    def _stale_inputs(self, provenance: Provenance) -> dict[str, str]:
        reasons: dict[str, str] = {}
        for name in provenance.inputs:
            reasons |= self.why_stale(name)
        return reasons

    def _dependencies(self, node: Node) -> Dependencies:
        depends = Dependencies(nodes=frozenset({node}))
        for name in node.inputs:
            if is_parameter(name):
                depends = depends.union(Dependencies(parameters=frozenset({name.removeprefix("params:")})))
                continue
            dataset = self._catalog[name]
            if not counts_in_provenance(dataset):
                continue
            if is_versioned(dataset):
                depends = depends.union(Dependencies(inputs=frozenset({name})))
            elif not isinstance(dataset, MemoryDataset):
                depends = depends.union(Dependencies(files=frozenset({name})))
            elif name in self._makers:
                depends = depends.union(self._dependencies(next(reversed(self._makers[name].values()))))
        return depends

    def _maker(self, name: str, node: str) -> Node | None:
        """The node that makes a dataset: of several, the one of this name, or else the last."""
        makers = self._makers.get(name, {})
        return makers.get(node) or next(reversed(makers.values()), None)

    def _current(self, name: str) -> dict[str, str | None]:
        version, provenance = newest(self._versioned(name)), self.provenance(name)
        # A version without provenance is identified by its own id.
        return {"version": version, "fingerprint": provenance.fingerprint if provenance else version}

    def _file(self, name: str, path: str | None = None) -> dict[str, str | None]:
        dataset = self._catalog[name]
        path = path or file_of(dataset)
        if path not in self._contents:
            self._contents[path] = content_fingerprint(filesystem_of(dataset), path)
        return {"path": path, "content": self._contents[path]}

    def _parameter(self, block: str) -> Any:
        value: Any = self._parameters
        for part in [] if block == "parameters" else block.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        # As it reads when it is loaded again.
        return json.loads(json.dumps(value, default=str))

    def _versioned(self, name: str) -> VersionedDataset:
        dataset = self._catalog[name]
        if not is_versioned(dataset):
            raise TypeError(f"{name} has no versions")
        return dataset


def _code(depends: Dependencies) -> str:
    return fingerprint(sorted(code_fingerprint(node.func) for node in depends.nodes))


def _provenance_dataset(dataset: VersionedDataset, version: str) -> AtomicJSONDataset:
    # Datasets take seconds to import, and every command imports this module.
    from ..datasets import AtomicJSONDataset  # noqa: PLC0415

    path = provenance_path(PurePosixPath(version_path(dataset, version)))
    protocol = protocol_of(dataset)
    return AtomicJSONDataset(
        filepath=str(path) if protocol == "file" else f"{protocol}://{path}", save_args={"indent": 2}
    )


def _load(dataset: AtomicJSONDataset) -> Provenance | None:
    try:
        return Provenance(**dataset.load())
    except (DatasetError, TypeError):
        return None
