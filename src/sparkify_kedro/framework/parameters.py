"""What every block of parameters has in common: it is frozen, knows its keys, and complains in one sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Self

from kedro.validation.exceptions import ModelInstantiationError
from pydantic import BaseModel, ConfigDict, ValidationError

# Of more names, a sentence tells only how many there are.
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
            raise ModelInstantiationError("; ".join(_complaint(detail, cls) for detail in error.errors())) from error


class ParameterBlock(OneSentenceErrors):
    """A typed, bounded block of ``conf/*/parameters_*.yml``.

    Kedro builds it from the YAML before a run starts, because a node's signature asks for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence on a name that is not known: the known one most like it, or all there are."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return (
        f"there are {', '.join(names)}." if len(names) <= _MOST_LISTED else f"it is none of {len(names)} known names."
    )


def unknown_parameters(
    given: Mapping[str, Any], configured: Mapping[str, Any], blocks: Collection[str], path: str = ""
) -> Iterator[str]:
    """What is wrong with parameters given at the command line, as far as no typed block says it.

    Args:
        given: the parameters, nested.
        configured: those of ``conf``.
        blocks: the paths of the blocks that nodes take, which know their own keys.
        path: where in the tree ``given`` lies.

    Returns:
        A sentence for each key that ``conf`` does not have, and for each empty block, which would change nothing.
    """
    for key, value in given.items():
        here = f"{path}{key}"
        if key not in configured:
            yield f"{here} is not a known parameter: {did_you_mean(key, configured)}"
        elif isinstance(value, Mapping) and not value:
            yield f"{here} is an empty block, which changes nothing: name the keys to change."
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
                yield f"{path}{key} is an empty block, which changes nothing: name the keys to change."
            yield from _empty_blocks(value, f"{path}{key}.")


def _complaint(detail: Any, block: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key} is not a known parameter{_of_the_same_block(detail['loc'], block)}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    if detail["type"] in ("model_type", "dict_type"):
        return f"{key} should be a block of parameters (it is {detail['input']!r})".strip()
    message = re.sub(r"^(Value error, |(Input|List|Dictionary|String) (?=should))", "", detail["msg"])
    message = message.removesuffix(f" after validation, not {detail.get('ctx', {}).get('actual_length')}")
    if not key:
        return message
    return f"{key} {message} (it is {detail['input']!r})"


def _of_the_same_block(at: tuple[int | str, ...], block: type[BaseModel]) -> str:
    """The known parameter that was likely meant, in the block in which an unknown one stands."""
    for part in at[:-1]:
        field = block.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return ""
        block = field.annotation
    near = get_close_matches(str(at[-1]), block.model_fields, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
