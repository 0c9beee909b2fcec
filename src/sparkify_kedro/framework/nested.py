"""Nested mappings: their leaves, and where two of them differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

Difference = tuple[Any, Any]


def differences(one: Any, other: Any, path: str = "", ignore: Collection[str] = ()) -> Iterator[tuple[str, Difference]]:
    """The leaves in which two nested structures differ; a missing leaf counts as None.

    Args:
        one: mappings, lists of equal length and values.
        other: the same.
        path: the path of both, for the result.
        ignore: keys to skip at any depth.

    Yields:
        The path (``modeling.training.seed``, ``points[0].score``) and the two values.

    Examples:
        >>> dict(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}))
        {'a.c': (2, 3)}
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in ignore:
                inner = f"{path}.{key}" if path else str(key)
                yield from differences(one.get(key), other.get(key), inner, ignore)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for position, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{path}[{position}]", ignore)
    elif one != other:
        yield path, (one, other)


def changed_leaves(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``one`` that differs from ``other``, nested.

    Examples:
        >>> changed_leaves({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
        {'a': {'c': 2}}
    """
    changed: dict[str, Any] = {}
    for key, value in one.items():
        if isinstance(value, Mapping) and isinstance(other.get(key), Mapping):
            if inner := changed_leaves(value, other[key]):
                changed[key] = inner
        elif key not in other or value != other[key]:
            changed[key] = value
    return changed


def without(one: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A mapping without the values at these paths; paths that are not there do not matter.

    Examples:
        >>> without({"a": {"b": 1, "c": 2}}, ["a.c", "d"])
        {'a': {'b': 1}}
    """
    left = {key: dict(value) if isinstance(value, Mapping) else value for key, value in one.items()}
    for path in paths:
        key, _, rest = path.partition(".")
        if not rest:
            left.pop(key, None)
        elif isinstance(left.get(key), Mapping):
            left[key] = without(left[key], [rest])
    return left
