"""The forecast of one run in memory: its scores, its rows, and the champion that made them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, reduce
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import Annotated, NotRequired, TypedDict  # noqa: UP035 - pydantic wants this TypedDict

from sparkify_kedro.churn.contributions import Array, explainer_of
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.portable_model import PortableModel, in_order, probabilities
from sparkify_kedro.churn.reasons import Usual, strongest_reasons, usual_in
from sparkify_kedro.churn.reports import ChampionMetadata

from .settings import Bounds

Table = Mapping[str, Any]  # columns of equal length

# No number of a log is as large; beyond, sums lose all digits. Of features on a log scale, the exponential.
_LARGEST, _LARGEST_LOG = 1e12, 100.0
_ON_LOG_SCALE = {"plain": "", "log": ", as its natural logarithm"}


class UnavailableError(Exception):
    """The champion's JSON is missing, or only Spark scores such a champion."""


@dataclass(frozen=True)
class Forecast:
    """What one run has scored; it never changes.

    Attributes:
        run: the version of the scores: the run that made them.
        scores: the columns of ``churn_scores`` by rank.
        as_of_ms: the as-of date (ms since the epoch); None where no user was scored.
        rows: the champion's features and the columns that reasons tell, in the same order.
        metadata: the champion's description.
        champion: its JSON; None where no run has exported it.
        registry: the definitions of the features.
        themes: the words of the reasons.
        bounds: how many rows and reasons there may be.
    """

    run: str
    scores: Table
    as_of_ms: int | None
    rows: Table
    metadata: ChampionMetadata
    champion: PortableModel | None
    registry: FeatureRegistry
    themes: ReasonThemes
    bounds: Bounds

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of each user in the order of the ranks."""
        return {user: position for position, user in enumerate(self.scores["user_id"])}

    @property
    def as_of(self) -> datetime | None:
        """When the horizon begins (UTC)."""
        return None if self.as_of_ms is None else datetime.fromtimestamp(self.as_of_ms / 1_000, tz=UTC)

    @property
    def is_explained(self) -> bool:
        """Whether there are reasons: not of a neural network, nor where the champion's JSON is missing."""
        return self.champion is not None and (self.champion.coefficients or self.champion.trees) is not None

    def reasons_of(self, positions: Sequence[int]) -> list[list[str]] | None:
        """The strongest reasons of stored users, by their positions; None where there are none."""
        if not self.is_explained:
            return None
        if not positions:
            return []
        chosen = {name: [values[position] for position in positions] for name, values in self.rows.items()}
        features = np.array([chosen[name] for name in self.metadata.features], dtype=float).T
        return self._reasons(features.reshape(len(positions), len(self.metadata.features)), chosen)

    def score(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[list[str]]]:
        """Score rows that ``request`` has checked.

        Args:
            rows: the champion's features by name, and perhaps other columns that reasons tell.

        Returns:
            The probability of each row, and its reasons: of the themes whose column every row has.

        Raises:
            UnavailableError: where this needs Spark.
        """
        champion = self._portable()
        values = in_order(champion, rows)
        shared = reduce(operator.and_, (row.keys() for row in rows))
        columns = {name: [row[name] for row in rows] for name in shared}
        return probabilities(champion, values).tolist(), self._reasons(values, columns)

    @cached_property
    def request(self) -> TypeAdapter[dict[str, list[dict[str, Any]]]]:
        """Checks ``{"rows": [...]}``: all features of the champion, other columns that reasons tell, and nothing else.

        Raises:
            UnavailableError: where such rows need Spark.
        """
        features = self._portable().features
        columns: dict[str, Any] = {name: self._number(name) for name in features}
        for theme in self.themes.told().values():
            name = str(theme.tells)
            if name in self.rows and name not in columns:
                columns[name] = NotRequired[Literal[tuple(theme.names)] if theme.names else self._number(name)]
        row = _closed("Row", columns)
        rows = Annotated[list[row], Field(min_length=1, max_length=self.bounds.most_rows)]  # type: ignore[valid-type]
        return TypeAdapter(_closed("ScoreRequest", {"rows": rows}))

    @cached_property
    def explainer(self) -> Callable[[Array], Array]:
        """What each feature adds to the margins of rows; of trees, the first use takes seconds."""
        return explainer_of(self._portable())

    @cached_property
    def _usual(self) -> Usual:
        return usual_in(self.rows, self.themes)

    def _portable(self) -> PortableModel:
        if self.champion is None:
            raise UnavailableError(
                f"no run has stored the champion {self.metadata.model} as JSON: kedro run "
                f"--nodes={self.metadata.label}.export_champion, then start the server again"
            )
        if not self.is_explained:
            raise UnavailableError(f"the champion is a {self.champion.algorithm}, which only Spark scores")
        return self.champion

    def _number(self, name: str) -> Any:
        feature = self.registry.features.get(name)
        largest = _LARGEST if feature is None or feature.scale == "plain" else _LARGEST_LOG
        unit = None if feature is None else f"{feature.definition} ({feature.unit}{_ON_LOG_SCALE[feature.scale]})"
        profile = self.metadata.profile.get(name)
        example = 0.0 if profile is None or profile.mean is None else round(profile.mean, 6)
        return Annotated[float, Field(ge=-largest, le=largest, description=unit, examples=[example])]

    def _reasons(self, features: Array, columns: Table) -> list[list[str]]:
        added = self.explainer(features)
        most = self.bounds.reasons
        return strongest_reasons(added, columns, self._usual, self.metadata, self.registry, self.themes, most)


def _closed(name: str, fields: dict[str, Any]) -> Any:
    """The type of dictionaries with these keys alone, whose values are not converted."""
    kind = TypedDict(name, fields)  # type: ignore[misc]  # the champion knows its features, no type checker does
    kind.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]
    return kind
