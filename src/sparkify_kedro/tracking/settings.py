"""The parameter block ``tracking``, and what it means for this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

_SQLITE = "sqlite:///"


class Tracking(ParameterBlock):
    """Where runs are tracked, and under which name."""

    uri: str | None = Field(
        description="an MLflow tracking URI; null: MLFLOW_TRACKING_URI, and without it nothing is tracked"
    )
    experiment: str = Field(min_length=1, description="the experiment, and the prefix of registered models")

    @property
    def target(self) -> str | None:
        """The tracking URI that applies; None where runs are not tracked."""
        return self.uri or os.environ.get("MLFLOW_TRACKING_URI") or None


class _Parameters(ParameterBlock):
    """Around the block, so that errors name its keys in full."""

    tracking: Tracking


def tracking_settings(parameters: Mapping[str, Any]) -> Tracking:
    """The block ``tracking`` of all parameters.

    Raises:
        ModelInstantiationError: one sentence that names every wrong key.
    """
    return _Parameters.model_validate({"tracking": parameters.get("tracking")}).tracking


def artifacts_beside(uri: str) -> str | None:
    """The folder for files of a local database: beside it. None where the server decides."""
    if not uri.startswith(_SQLITE):
        return None
    return (Path(uri.removeprefix(_SQLITE)).absolute().parent / "tracked_files").as_uri()
