"""What the server is told when it starts: its bounds, where scores are stored, and the words of reasons."""

from __future__ import annotations

import os
from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.io import CatalogConfigResolver
from pydantic import BaseModel, Field

from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.vocabulary import FORECAST
from sparkify_kedro.framework.parameters import ParameterBlock

TOKEN_VARIABLE = "SPARKIFY_SERVING_TOKEN"  # noqa: S105 - the name of a variable, not a token
_IN_MEMORY = {"{default}": {"type": "kedro.io.MemoryDataset"}}
# Names the folder that all processes of a server share: its settings, and the metrics of each.
FOLDER_VARIABLE = "SPARKIFY_SERVING_FOLDER"


class Bounds(ParameterBlock):
    """The parameter ``serving``: what a request may ask for, and how often new scores are looked for."""

    refresh_seconds: float = Field(gt=0, description="between two looks for the scores of a newer run")
    most_users: int = Field(ge=1, description="in an answer of GET /users")
    most_rows: int = Field(ge=1, description="in a request of POST /score")
    most_bytes: int = Field(ge=1, description="of the body of a request")
    most_seconds: float = Field(gt=0, description="for an answer")
    reasons: int = Field(ge=1, le=20, description="of each user or row, at most")


class Locations(BaseModel):
    """The configured paths or URLs of the datasets that are served, absolute."""

    churn_scores: str
    rows_to_score: str
    champion_metadata: str
    portable_champion: str


class Serving(BaseModel):
    """All of it; every process of a server reads it from a file."""

    bounds: Bounds
    locations: Locations
    feature_registry: FeatureRegistry
    reason_themes: ReasonThemes

    @classmethod
    def configured(cls, configuration: OmegaConfigLoader, project: Path) -> Serving:
        """From the project's configuration.

        Args:
            configuration: the loader of the catalog and the parameters.
            project: the folder that relative paths of the catalog begin in.

        Raises:
            ModelInstantiationError: one sentence that names every wrong parameter.
        """
        parameters = configuration["parameters"]
        # Whatever no pattern of the catalog matches is in memory, and not served.
        catalog = CatalogConfigResolver(configuration["catalog"], default_runtime_patterns=_IN_MEMORY)

        def location(name: str) -> str:
            path = str(catalog.resolve_pattern(name)["filepath"])
            return path if "://" in path else str(project / path)

        return cls(
            bounds=Bounds.model_validate(parameters.get("serving")),
            locations=Locations(
                churn_scores=location("churn_scores"),
                rows_to_score=location("rows_to_score"),
                champion_metadata=location(f"{FORECAST}.champion_metadata"),
                portable_champion=location(f"{FORECAST}.portable_champion"),
            ),
            feature_registry=FeatureRegistry.model_validate(parameters["feature_registry"]),
            reason_themes=ReasonThemes.model_validate(parameters["reason_themes"]),
        )

    def write(self, folder: Path) -> None:
        """For the processes of the server, whose environment names the folder."""
        (folder / "serving.json").write_text(self.model_dump_json(), encoding="utf-8")
        os.environ[FOLDER_VARIABLE] = str(folder)

    @classmethod
    def read(cls) -> Serving:
        """What ``write`` has written."""
        return cls.model_validate_json((Path(os.environ[FOLDER_VARIABLE]) / "serving.json").read_bytes())
