"""What a node's code is: the syntax of its module and of the project's modules that it imports."""

from __future__ import annotations

import ast
import hashlib
import inspect
import marshal
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

PACKAGE = __name__.split(".", maxsplit=1)[0]


def code_of(function: Callable[..., Any]) -> str:
    """A hash of the code that a node's function may run, as far as it is the project's own.

    Comments and layout do not count. Templates beside the module do. Of a function from elsewhere, of a notebook for
    example, its own bytecode counts.
    """
    function = inspect.unwrap(function)
    if function.__module__.split(".")[0] == PACKAGE:
        return _hash_of(function.__module__)
    code = getattr(function, "__code__", None)
    return hashlib.sha256(marshal.dumps(code) if code else function.__qualname__.encode()).hexdigest()[:16]


@lru_cache
def _hash_of(module: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(_imported_from(module)):
        digest.update(f"{name} {_syntax(name)}".encode())
    for template in sorted((_file(module).parent / "templates").glob("*")):
        digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def _imported_from(module: str) -> set[str]:
    """The module and the project's modules that it imports, directly or not."""
    found: set[str] = set()
    to_look_at = [module]
    while to_look_at:
        name = to_look_at.pop()
        if name not in found:
            found.add(name)
            to_look_at.extend(_imports(name))
    return found


@lru_cache
def _imports(module: str) -> tuple[str, ...]:
    spec = find_spec(module)
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    names: set[str] = set()
    for statement in ast.walk(_tree(module)):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            base = resolve_name("." * statement.level + (statement.module or ""), package)
            names |= {base, *(f"{base}.{alias.name}" for alias in statement.names)}
    return tuple(_modules_of_the_project(names))


def _modules_of_the_project(names: set[str]) -> Iterator[str]:
    """Names of functions and classes look like those of modules, and are none."""
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
    return ast.parse(_file(module).read_text(encoding="utf-8"))


def _file(module: str) -> Path:
    return Path(find_spec(module).origin)
