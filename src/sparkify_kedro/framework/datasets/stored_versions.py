"""All versions of a dataset, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from kedro.io.core import AbstractDataset, AbstractVersionedDataset, DatasetError, VersionNotFoundError


class StoredVersionsDataset(AbstractDataset[None, dict[str, Callable[[], Any]]]):
    """``StoredVersionsDataset`` loads every complete version of another dataset, by version, the newest first.

    As with Kedro's ``PartitionedDataset``, a value is a function that loads; nothing is read before it is called. Where
    there is no version, the dictionary is empty. The validator of the other dataset's own entry is not applied.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        stored_forecasts:
          type: sparkify_kedro.framework.datasets.StoredVersionsDataset
          dataset:
            type: sparkify_kedro.framework.datasets.SparkDataFrameDataset
            filepath: data/07_model_output/forecasts
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> from kedro.io.core import Version
        >>> from sparkify_kedro.framework.datasets import AtomicJSONDataset
        >>>
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/counts.json"
        ...     for version in ("2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"):
        ...         AtomicJSONDataset(filepath=path, version=Version(None, version)).save({"made": version[:7]})
        ...     stored = StoredVersionsDataset(
        ...         dataset={"type": "sparkify_kedro.framework.datasets.AtomicJSONDataset", "filepath": path}
        ...     )
        ...     [load() for load in stored.load().values()]
        [{'made': '2026-02'}, {'made': '2026-01'}]
    """

    def __init__(self, *, dataset: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Creates a new instance of ``StoredVersionsDataset``.

        Args:
            dataset: The catalog entry of the dataset, which must be one that has versions.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        self._entry = {**dataset, "versioned": True}
        self.metadata = metadata

    def load(self) -> dict[str, Callable[[], Any]]:
        """The versions that exist now, the newest first."""
        try:
            versions = self._of(None).list_versions(full_path=False)
        except VersionNotFoundError:
            versions = []
        return {version: partial(self._load_version, version) for version in versions}

    def save(self, data: None) -> None:
        """Versions are made by the dataset's own entry.

        Raises:
            DatasetError: always.
        """
        raise DatasetError("the stored versions of a dataset are only read")

    def _load_version(self, version: str) -> Any:
        return self._of(version).load()

    def _of(self, version: str | None) -> AbstractVersionedDataset[Any, Any]:
        dataset = AbstractDataset.from_config("stored", dict(self._entry), load_version=version)
        if not isinstance(dataset, AbstractVersionedDataset):
            raise DatasetError(f"{self._entry.get('type')} has no versions: name a dataset that has")
        return dataset

    def _describe(self) -> dict[str, Any]:
        return {"dataset": self._entry.get("type"), "filepath": self._entry.get("filepath")}
