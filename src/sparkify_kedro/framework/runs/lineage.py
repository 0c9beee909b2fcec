"""What a version was made from, written beside it; and whether a run as configured now would make it otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import AbstractDataset, DatasetError, is_parameter
from kedro.pipeline.node import Node
from kedro_datasets._utils.spark_utils import get_spark_filesystem

from sparkify_kedro.framework.datasets import AtomicJSONDataset

from .code import code_of
from .content import content_of
from .versions import has_versions, newest, note_of


@dataclass(frozen=True)
class Made:
    """How a version of a dataset came about.

    ``parameters`` are the blocks that its node takes, ``inputs`` the versions it read with their fingerprints, and
    ``files`` the files without versions, with a hash of their content. Nodes are deterministic, so versions with the
    same ``fingerprint`` (code, parameters, fingerprints of inputs, contents of files) hold the same.
    """

    dataset: str
    run_id: str
    node: str
    code: str
    parameters: dict[str, Any]
    inputs: dict[str, dict[str, str | None]]
    files: dict[str, dict[str, str | None]]
    fingerprint: str


class Ingredients(NamedTuple):
    """What a node takes, where what another node hands it in memory counts as that node's ingredients."""

    parameters: set[str]
    inputs: set[str]
    files: set[str]
    nodes: set[Node]

    def and_those_of(self, other: Ingredients) -> Ingredients:
        """Both."""
        return Ingredients(*(mine | theirs for mine, theirs in zip(self, other, strict=True)))


class Lineage:
    """The lineage of the datasets in a catalog, as a run sees it.

    Args:
        catalog: the run's catalog. Versions that the run has pinned count as the newest.
        nodes: all nodes there are, to know what makes a dataset.
        parameters: the parameters in effect.
        chosen_files: datasets without versions that the run itself reads, by the path configured now; of others, the
            path that was read when the version was made is looked at.
    """

    def __init__(
        self, catalog: DataCatalog, nodes: Iterable[Node], parameters: Mapping[str, Any], chosen_files: Iterable[str]
    ) -> None:
        self._catalog = catalog
        self._makers = {output: node for node in nodes for output in node.outputs}
        self._parameters = parameters
        self._chosen_files = set(chosen_files)
        self._stale: dict[str, dict[str, str]] = {}
        self._contents: dict[str, str | None] = {}
        self._made: dict[tuple[str, str], Made | None] = {}

    def record(self, name: str, node: Node, run_id: str) -> Made:
        """Write beside the version that was just saved how it came about.

        Raises:
            DatasetError: where it cannot be written.
        """
        takes = self._ingredients(node)
        parameters = {block: self._value(block) for block in sorted(takes.parameters)}
        inputs = {each: self._current(each) for each in sorted(takes.inputs)}
        files = {each: self._file(each) for each in sorted(takes.files)}
        code = _hash_of(sorted(code_of(each.func) for each in takes.nodes))
        same = [parameters, code, {each: found["fingerprint"] for each, found in inputs.items()}]
        contents = {each: found["content"] for each, found in files.items()}
        fingerprint = _hash_of([name, node.name, *same, contents])
        made = Made(name, run_id, node.name, code, parameters, inputs, files, fingerprint)
        version = self._catalog[name].resolve_save_version()
        _note(self._catalog[name], version).save(asdict(made))
        self._made[name, version] = made
        return made

    def made(self, name: str) -> Made | None:
        """How the version came about that a load would read now; None where there is none, or nobody wrote it down."""
        version = newest(self._catalog[name])
        if version is None:
            return None
        if (name, version) not in self._made:
            self._made[name, version] = _read(_note(self._catalog[name], version))
        return self._made[name, version]

    def why_stale(self, name: str) -> dict[str, str]:
        """Why a run as configured now would make a dataset otherwise than the version that would be read.

        Returns:
            The datasets where it begins to differ, each with the difference in words: of what was made from a table
            that is stale, the table. Empty where nothing differs, or nobody wrote down how the version came about.
        """
        if name not in self._stale:
            # Against endless recursion, should a dataset ever be made from itself.
            self._stale[name] = {}
            made, node = self.made(name), self._makers.get(name)
            if made is not None and node is not None:
                own = next(self._own_differences(made, node), None)
                self._stale[name] = {name: own} if own else self._differences_of_inputs(made)
        return self._stale[name]

    def _own_differences(self, made: Made, node: Node) -> Iterator[str]:
        takes = self._ingredients(node)
        for block in sorted(takes.parameters & set(made.parameters)):
            yield from _parameter_differences(made.parameters[block], self._value(block), block)
        if _hash_of(sorted(code_of(each.func) for each in takes.nodes)) != made.code:
            yield "its code has changed"
        for each, file in made.files.items():
            if each not in takes.files:
                continue
            chosen = self._file(each) if each in self._chosen_files else self._file(each, file["path"])
            if chosen["content"] is not None and chosen["content"] != file["content"]:
                elsewhere = chosen["path"] != file["path"]
                yield (
                    f"{each} is {chosen['path']} and was {file['path']}"
                    if elsewhere
                    else f"{each} ({file['path']}) has changed"
                )
        for each, read in made.inputs.items():
            now = self._current(each)
            if now["version"] is not None and now["fingerprint"] != read["fingerprint"]:
                yield f"it was made from {each} {read['version'] or '(none yet)'}, and {now['version']} is there now"

    def _differences_of_inputs(self, made: Made) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in made.inputs:
            found |= self.why_stale(each)
        return found

    def _ingredients(self, node: Node) -> Ingredients:
        found = Ingredients(set(), set(), set(), {node})
        for name in node.inputs:
            if is_parameter(name):
                found.parameters.add(name.removeprefix("params:"))
                continue
            dataset = self._catalog[name]
            if has_versions(dataset):
                found.inputs.add(name)
            elif not isinstance(dataset, MemoryDataset):
                found.files.add(name)
            elif name in self._makers:
                found = found.and_those_of(self._ingredients(self._makers[name]))
        return found

    def _current(self, name: str) -> dict[str, str | None]:
        version, made = newest(self._catalog[name]), self.made(name)
        # Of a version that nobody has an account of, no other one is known to hold the same.
        return {"version": version, "fingerprint": made.fingerprint if made else version}

    def _file(self, name: str, path: str | None = None) -> dict[str, str | None]:
        dataset = self._catalog[name]
        path = path or str(dataset._filepath)
        if path not in self._contents:
            self._contents[path] = content_of(filesystem_of(dataset), path)
        return {"path": path, "content": self._contents[path]}

    def _value(self, block: str) -> Any:
        value: Any = self._parameters
        for part in [] if block == "parameters" else block.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        # As it reads when it comes back from the note.
        return json.loads(json.dumps(value, default=str))


def _note(dataset: AbstractDataset, version: str) -> AtomicJSONDataset:
    place = note_of(PurePosixPath(dataset._get_versioned_path(version)))
    protocol = dataset._protocol
    return AtomicJSONDataset(
        filepath=str(place) if protocol in ("file", "") else f"{protocol}://{place}", save_args={"indent": 2}
    )


def _read(note: AtomicJSONDataset) -> Made | None:
    try:
        return Made(**note.load())
    except (DatasetError, TypeError):
        return None


def filesystem_of(dataset: AbstractDataset) -> AbstractFileSystem:
    """The filesystem that a dataset lies in."""
    return getattr(dataset, "_fs", None) or get_spark_filesystem(dataset._protocol)


def _parameter_differences(was: Any, now: Any, at: str) -> Iterator[str]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from _parameter_differences(was.get(key), now.get(key), f"{at}.{key}")
    elif was != now:
        yield f"{at} is {now!r} and was {was!r}"


def _hash_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
