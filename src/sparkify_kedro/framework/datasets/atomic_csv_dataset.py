"""CSV files that are there whole or not at all."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from .atomic_file import AtomicFileMixin

# What a spreadsheet may take for the beginning of a formula (OWASP, "CSV injection").
_FORMULA = r"[=+\-@\t\r]"


class AtomicCSVDataset(AtomicFileMixin, CSVDataset):
    """``AtomicCSVDataset`` is ``pandas.CSVDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist. A text that a spreadsheet would take for a formula is written with
    an apostrophe before it, which loading takes away again. A CSV file holds no types: say in ``load_args`` which
    columns only look like numbers.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        users_at_risk:
          type: sparkify_kedro.framework.datasets.AtomicCSVDataset
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

    def load(self) -> pd.DataFrame | None:
        """The table, its texts as they were saved; None where there is none and the entry is optional."""
        data = super().load()
        return None if data is None else _replace_in_texts(data, rf"^'('*{_FORMULA})", r"\1")

    def save(self, data: pd.DataFrame) -> None:
        """Write the table.

        Raises:
            DatasetError: as every atomic file.
        """
        super().save(_replace_in_texts(data, rf"^('*{_FORMULA})", r"'\1"))


def _replace_in_texts(data: pd.DataFrame, pattern: str, by: str) -> pd.DataFrame:
    """The table with the pattern replaced in every cell that is a text."""

    def replaced(cell: Any) -> Any:
        return re.sub(pattern, by, cell) if isinstance(cell, str) else cell

    texts = data.select_dtypes(include=["object", "string"])
    return data.assign(**{name: column.map(replaced) for name, column in texts.items()})
