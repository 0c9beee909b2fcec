"""Fingerprints: of the code that a node runs, and of the files that a run reads."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import marshal
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec, resolve_name
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem

from ..files import data_files

PACKAGE = __name__.split(".", maxsplit=1)[0]
_LENGTH = 16
# Nodes may run in threads, and some releases of Python 3.11 fail where two threads parse at once.
_parsing = threading.Lock()


def fingerprint(content: Any) -> str:
    """A short hash of JSON content, whatever the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def code_fingerprint(function: Callable[..., Any]) -> str:
    """A hash of the code that a node's function may run, as far as it belongs to this package.

    It covers the syntax of the function's module and of the package's modules that it imports, directly or not, and the
    templates beside the module; comments and layout do not count. Of a function from elsewhere, for example a notebook,
    it covers the bytecode. Arguments that ``functools.partial`` binds count as well.
    """
    bound = []
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        if isinstance(function, functools.partial):
            bound.append(repr((function.args, sorted(function.keywords.items()))))
            function = function.func
        else:
            function = function.__wrapped__
    code = _function_fingerprint(function)
    return _short_hash(f"{code} {bound}".encode()) if bound else code


def _function_fingerprint(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] == PACKAGE:
        with _parsing:
            return _module_fingerprint(module)
    code = getattr(function, "__code__", None)
    return _short_hash(marshal.dumps(code) if code else repr(function).encode())


def content_fingerprint(filesystem: AbstractFileSystem, path: str) -> str | None:
    """A hash of the content of a file, of the files of a folder, or of those that a glob matches.

    The name of a single file does not count, names of files in a folder do. In remote storage the storage's own
    checksums stand for the contents, which may be large.

    Returns:
        None where there is no file.
    """
    files = data_files(filesystem, path)
    if not files:
        return None
    if len(files) == 1:
        return _file_hash(filesystem, files[0])[:_LENGTH]
    listing = "".join(f"{PurePosixPath(file).name} {_file_hash(filesystem, file)}\n" for file in files)
    return _short_hash(listing.encode())


def _file_hash(filesystem: AbstractFileSystem, file: str) -> str:
    if "file" not in filesystem.protocol:
        return str(filesystem.checksum(file))
    with filesystem.open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_LENGTH]


@lru_cache
def _module_fingerprint(module: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(_imported_modules(module)):
        digest.update(f"{name} {_syntax(name)}".encode())
    for template in sorted((_source(module).parent / "templates").glob("*")):
        digest.update(template.read_bytes())
    return digest.hexdigest()[:_LENGTH]


def _imported_modules(module: str) -> set[str]:
    """The module and the package's modules that it imports, directly or not."""
    visited: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in visited:
            visited.add(name)
            queue.extend(_imports(name))
    return visited


@lru_cache
def _imports(module: str) -> tuple[str, ...]:
    spec = find_spec(module)
    package = module if spec is not None and spec.submodule_search_locations else module.rpartition(".")[0]
    names: set[str] = set()
    for statement in ast.walk(_tree(module)):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            base = resolve_name("." * statement.level + (statement.module or ""), package)
            names |= {base, *(f"{base}.{alias.name}" for alias in statement.names)}
    return tuple(_modules_of_package(names))


def _modules_of_package(names: set[str]) -> Iterator[str]:
    """The modules among imported names; functions and classes are left out."""
    for name in sorted(names):
        if name.split(".", maxsplit=1)[0] != PACKAGE:
            continue
        parent = find_spec(name.rpartition(".")[0]) if "." in name else None
        if (parent is None or parent.submodule_search_locations) and find_spec(name) is not None:
            yield name


@lru_cache
def _syntax(module: str) -> str:
    return ast.dump(_tree(module))


@lru_cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module).read_text(encoding="utf-8"))


def _source(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} has no source file")
    return Path(spec.origin)
