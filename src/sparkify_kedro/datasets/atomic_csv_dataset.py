"""CSV files that are there whole or not at all."""

from __future__ import annotations

from kedro_datasets.pandas import CSVDataset

from .atomic_file import AtomicFileMixin


class AtomicCSVDataset(AtomicFileMixin, CSVDataset):
    """``AtomicCSVDataset`` is ``pandas.CSVDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist. A CSV file holds no types: say in ``load_args`` which columns only
    look like numbers.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        users_at_risk:
          type: sparkify_kedro.datasets.AtomicCSVDataset
          filepath: data/07_model_output/users_at_risk.csv
          versioned: true
          load_args:
            dtype:
              user_id: str
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> import pandas as pd
        >>>
        >>> users = pd.DataFrame({"user_id": ["007", "12"], "risk": [0.4, 0.2]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicCSVDataset(filepath=f"{folder}/users.csv", load_args={"dtype": {"user_id": str}})
        ...     dataset.save(users)
        ...     dataset.load()
          user_id  risk
        0     007   0.4
        1      12   0.2
    """
