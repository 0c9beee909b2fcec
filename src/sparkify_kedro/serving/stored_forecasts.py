"""The stored scores of complete runs, read without Spark."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from pydantic import BaseModel

from sparkify_kedro.churn.portable_model import Array, PortableModel
from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.churn.vocabulary import FORECAST
from sparkify_kedro.framework.runs.versions import VERSION, provenance_path

from .forecast import Forecast, Table
from .settings import Serving

Model = TypeVar("Model", bound=BaseModel)


class _Stored(NamedTuple):
    """A versioned dataset on any storage."""

    files: AbstractFileSystem
    path: PurePosixPath

    @classmethod
    def at(cls, location: str) -> _Stored:
        files, path = fsspec.core.url_to_fs(location)
        return cls(files, PurePosixPath(path))

    def versions(self) -> list[str]:
        """Folders of versions, whether complete or not, the newest first."""
        self.files.invalidate_cache(str(self.path))
        try:
            found = self.files.ls(str(self.path), detail=False)
        except FileNotFoundError:
            return []
        names = (PurePosixPath(path).name for path in found)
        return sorted((name for name in names if VERSION.fullmatch(name)), reverse=True)

    def version(self, version: str) -> str:
        return str(self.path / version / self.path.name)

    def made_from(self, version: str) -> dict[str, Any] | None:
        """The versions of its inputs by name; None where it is not complete: they are written last."""
        path = provenance_path(PurePosixPath(self.version(version)))
        try:
            provenance = json.loads(self.files.cat_file(str(path)))
        except FileNotFoundError:
            return None
        return {name: made["version"] for name, made in provenance["inputs"].items()}

    def table(self, version: str, columns: Container[str] | None = None) -> pa.Table:
        """Of all columns, or of those among the given ones."""
        parts = []
        # Part by part: pyarrow's own reader of folders imports pandas, which takes as long as all other imports.
        for path in sorted(self.files.glob(f"{self.version(version)}/*.parquet")):
            with self.files.open(path) as part:
                file = pq.ParquetFile(part)
                names = [name for name in file.schema_arrow.names if columns is None or name in columns]
                parts.append(file.read(names))
        return pa.concat_tables(parts)

    def model(self, version: str, of: type[Model]) -> Model:
        return of.model_validate_json(self.files.cat_file(self.version(version)))


class StoredForecasts:
    """The scores that runs have stored, the newest first.

    A run's scores count when they are complete with all that they were made from: no version is ever changed, so what
    the provenance of the scores names stays the same.
    """

    def __init__(self, serving: Serving) -> None:
        """Nothing is read yet."""
        self._serving = serving
        where = serving.locations
        self._scores, self._rows = _Stored.at(where.churn_scores), _Stored.at(where.rows_to_score)
        self._metadata, self._champions = _Stored.at(where.champion_metadata), _Stored.at(where.portable_champion)

    def newest(self) -> str | None:
        """The newest complete version of the scores; None where there is none."""
        return next((each for each in self._scores.versions() if self._scores.made_from(each) is not None), None)

    def load(self, version: str) -> Forecast:
        """The scores of a version, with the rows and the champion that they were made from.

        Raises:
            FileNotFoundError: where a version was removed meanwhile.
            ValueError: where a file is not what a run writes.
        """
        made_from = self._scores.made_from(version)
        if made_from is None:
            raise FileNotFoundError(f"{self._scores.version(version)} is not complete")
        metadata = self._metadata.model(made_from[f"{FORECAST}.champion_metadata"], ChampionMetadata)
        scores = self._scores.table(version)
        scores = scores.take(pc.sort_indices(scores["rank"]))
        return Forecast(
            run=version,
            scores=_columns(scores.drop_columns("as_of")),
            as_of_ms=_milliseconds(scores),
            rows=self._rows_of(made_from["rows_to_score"], scores["user_id"], metadata),
            metadata=metadata,
            champion=self._champion(made_from[f"{FORECAST}.champion"], metadata.model),
            registry=self._serving.feature_registry,
            themes=self._serving.reason_themes,
            bounds=self._serving.bounds,
        )

    def _rows_of(self, version: str, users: pa.ChunkedArray, metadata: ChampionMetadata) -> Table:
        """What the reasons are found from, in the order of the users."""
        told = {str(theme.tells) for theme in self._serving.reason_themes.told().values()}
        rows = self._rows.table(version, {"user_id", *metadata.features, *told})
        at = pc.index_in(users, value_set=rows["user_id"].combine_chunks())
        return _columns(rows.take(at).drop_columns("user_id"))

    def _champion(self, version: str, model: str) -> PortableModel | None:
        """Written after the champion, by the same run or by a later one that resumed it; None where that did not."""
        for each in reversed([found for found in self._champions.versions() if found >= version]):
            if self._champions.made_from(each) is None:
                continue
            portable = self._champions.model(each, PortableModel)
            if portable.model == model:
                return portable
        return None


def _columns(table: pa.Table) -> Table:
    return {
        name: _values(column.combine_chunks()) for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _values(column: pa.Array) -> Sequence[Any] | Array:
    """Numbers as an array, anything else as a list."""
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    # pyarrow's own to_numpy imports pandas, which takes as long as all else that the server imports.
    return np.from_dlpack(column) if is_number and not column.null_count else column.to_pylist()


def _milliseconds(scores: pa.Table) -> int | None:
    newest = pc.max(scores["as_of"].cast(pa.timestamp("ms"))).cast(pa.int64()).as_py()
    return None if newest is None else int(newest)
