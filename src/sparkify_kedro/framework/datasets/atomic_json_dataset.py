"""JSON files that are there whole or not at all."""

from __future__ import annotations

from typing import Any

from kedro_datasets.json import JSONDataset
from pydantic import BaseModel

from .atomic_file import AtomicFileMixin


class AtomicJSONDataset(AtomicFileMixin, JSONDataset):
    """``AtomicJSONDataset`` is ``json.JSONDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        "{label}.{algorithm}.metrics":
          type: sparkify_kedro.framework.datasets.AtomicJSONDataset
          filepath: data/08_reporting/{label}/{algorithm}/metrics.json
          versioned: true
          save_args:
            indent: 2
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicJSONDataset(filepath=f"{folder}/metrics.json")
        ...     dataset.save({"auc_pr": 0.2})
        ...     dataset.load()
        {'auc_pr': 0.2}
    """

    def save(self, data: Any) -> None:
        """Write the data; a pydantic model as its JSON.

        Raises:
            DatasetError: as every atomic file.
        """
        super().save(data.model_dump(mode="json") if isinstance(data, BaseModel) else data)
