"""What runs can be told about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class RunParameters(ParameterBlock):
    """The block ``runs``, which hooks read."""

    keep_versions: int = Field(ge=0, strict=True, description="complete versions kept of a dataset; 0: all")
    on_stale: Literal["warn", "stop"]


class _Parameters(ParameterBlock):
    """Around the block, so that what is wrong in it is named in full."""

    runs: RunParameters


def run_parameters(parameters: Mapping[str, Any]) -> RunParameters:
    """The block out of all parameters.

    Raises:
        ModelInstantiationError: one sentence that names what is wrong.
    """
    return _Parameters.model_validate({"runs": parameters.get("runs")}).runs
