"""JSON files that are there whole or not at all."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from kedro.io.core import get_filepath_str
from kedro_datasets.json import JSONDataset


class AtomicJSONDataset(JSONDataset):
    """``AtomicJSONDataset`` is ``json.JSONDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        "{label}.{algorithm}.metrics":
          type: sparkify_kedro.datasets.AtomicJSONDataset
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
        """Write the value as JSON.

        Raises:
            DatasetError: where the version exists already, or the value cannot be written as JSON.
        """
        path = PurePosixPath(get_filepath_str(self._get_save_path(), self._protocol))
        draft = str(path.with_name(f".{path.name}.{uuid4().hex}.writing"))
        try:
            with self._fs.open(draft, **self._fs_open_args_save) as file:
                json.dump(data, file, **self._save_args)
            self._fs.mv(draft, str(path))
        except BaseException:
            if self._fs.exists(draft):
                self._fs.rm(draft)
            raise
        self._invalidate_cache()
