"""The parameter block ``runs``, which the hooks read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeInt

from ..parameters import ParameterBlock


class RunSettings(ParameterBlock):
    """How many versions a run keeps, and what it does about stale inputs."""

    keep_versions: int = Field(ge=0, strict=True, description="complete versions kept of a dataset; 0: all")
    keep_versions_of: dict[str, NonNegativeInt] = Field(
        default={}, description="the same for single datasets, of which more or fewer are kept"
    )
    on_stale: Literal["warn", "stop"] = Field(description="what a run does about inputs that it would make anew")
    without_effect: list[str] = Field(default=[], description="parameters that do not change what a dataset holds")


class _Parameters(ParameterBlock):
    """Around the block, so that errors name its keys in full."""

    runs: RunSettings


def run_settings(parameters: Mapping[str, Any]) -> RunSettings:
    """The block ``runs`` of all parameters.

    Raises:
        ModelInstantiationError: one sentence that names every wrong key.
    """
    return _Parameters.model_validate({"runs": parameters.get("runs")}).runs
