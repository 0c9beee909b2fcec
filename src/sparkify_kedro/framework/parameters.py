"""Typed parameters: frozen, with known keys and bounds, and errors of one sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Self

from kedro.validation.exceptions import ModelInstantiationError
from pydantic import BaseModel, ConfigDict, ValidationError

# More names than these are counted, not listed.
_MOST_LISTED = 12


class OneSentenceErrors(BaseModel):
    """A model whose validation errors are one sentence; base class of typed parameters."""

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:
        """Build the model from plain values.

        Raises:
            ModelInstantiationError: one sentence that names every wrong key, what it must be and what it is.
        """
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise ModelInstantiationError("; ".join(_message(detail, cls) for detail in error.errors())) from error


class ParameterBlock(OneSentenceErrors):
    """A typed, bounded block of ``conf/*/parameters_*.yml``.

    Kedro builds it from the YAML before a run starts, because a node's signature asks for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice on an unknown name: the closest known name, or all known names."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return (
        f"known are {', '.join(names)}." if len(names) <= _MOST_LISTED else f"it is not among {len(names)} known names."
    )


def unknown_parameters(
    given: Mapping[str, Any], configured: Mapping[str, Any], blocks: Collection[str], path: str = ""
) -> Iterator[str]:
    """Errors in the parameters of a command line, as far as no typed block reports them.

    Args:
        given: the parameters, nested.
        configured: those of ``conf``.
        blocks: the paths of the blocks that nodes take, which check their own keys.
        path: the path of ``given`` in the tree.

    Returns:
        A sentence for each key that ``conf`` does not have, and for each empty block, which has no effect.
    """
    for key, value in given.items():
        here = f"{path}{key}"
        if key not in configured:
            yield f"{here} is not a known parameter: {did_you_mean(key, configured)}"
        elif isinstance(value, Mapping) and not value:
            yield f"{here} is an empty block, which has no effect: name the keys to change."
        elif here not in blocks and isinstance(configured[key], Mapping) is not isinstance(value, Mapping):
            what = "a block, not a value" if isinstance(configured[key], Mapping) else "a value, not a block"
            yield f"{here} is {what}."
        elif isinstance(value, Mapping) and here in blocks:
            yield from _empty_blocks(value, f"{here}.")
        elif isinstance(value, Mapping):
            yield from unknown_parameters(value, configured[key], blocks, f"{here}.")


def _empty_blocks(given: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in given.items():
        if isinstance(value, Mapping):
            if not value:
                yield f"{path}{key} is an empty block, which has no effect: name the keys to change."
            yield from _empty_blocks(value, f"{path}{key}.")


def _message(detail: Any, block: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key} is not a known parameter{_closest_key(detail['loc'], block)}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    if detail["type"] in ("model_type", "dict_type"):
        return f"{key} should be a block of parameters (it is {detail['input']!r})".strip()
    message = re.sub(r"^(Value error, |(Input|List|Dictionary|String) (?=should))", "", detail["msg"])
    message = message.removesuffix(f" after validation, not {detail.get('ctx', {}).get('actual_length')}")
    if not key:
        return message
    return f"{key} {message} (it is {detail['input']!r})"


def _closest_key(at: tuple[int | str, ...], block: type[BaseModel]) -> str:
    """The closest known parameter in the block of an unknown one."""
    for part in at[:-1]:
        field = block.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return ""
        block = field.annotation
    near = get_close_matches(str(at[-1]), block.model_fields, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
