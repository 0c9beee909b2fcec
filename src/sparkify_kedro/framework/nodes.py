"""Node functions with bound arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def bind(func: Callable[..., Any], **arguments: Any) -> Callable[..., Any]:
    """The function with some arguments bound by name, for nodes that differ in a constant.

    Name, module, annotations and the remaining signature stay, since Kedro builds typed parameters from them, which it
    does not for a plain ``functools.partial``.

    Examples:
        >>> def scale(values: list[int], factor: int) -> list[int]:
        ...     return [value * factor for value in values]
        >>> bind(scale, factor=3)([1, 2])
        [3, 6]
    """
    bound = functools.update_wrapper(functools.partial(func, **arguments), func)
    signature = inspect.signature(func)
    remaining = [each for name, each in signature.parameters.items() if name not in arguments]
    bound.__signature__ = signature.replace(parameters=remaining)  # type: ignore[attr-defined]  # inspect reads it
    return bound
