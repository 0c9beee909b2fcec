"""What every block of parameters has in common: it is frozen, knows its keys, and complains in one sentence."""

from __future__ import annotations

from typing import Any, Self

from kedro.validation.exceptions import ModelInstantiationError
from pydantic import BaseModel, ConfigDict, ValidationError


class ParameterBlock(BaseModel):
    """A typed, bounded block of ``conf/*/parameters_*.yml``.

    Kedro builds it from the YAML before a run starts, because a node's signature asks for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:
        """Build the block from plain values.

        Raises:
            ModelInstantiationError: one sentence that names every wrong key, what it must be and what it is.
        """
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise ModelInstantiationError("; ".join(_complaint(detail) for detail in error.errors())) from error


def _complaint(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key} is not a known parameter"
    if detail["type"] == "missing":
        return f"{key} is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not key:
        return message
    return f"{key} {message} (it is {detail['input']!r})"
