"""Datasets of one file that is complete or does not exist: CSV, JSON, text and plotly figures."""

from __future__ import annotations

import re
from copy import copy
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import pandas as pd
from kedro.io.core import DatasetError, get_filepath_str
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from kedro_datasets.plotly import JSONDataset as PlotlyDataset
from kedro_datasets.text import TextDataset
from pydantic import BaseModel

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# What a spreadsheet may take for the beginning of a formula (OWASP, "CSV injection").
_FORMULA = r"[=+\-@\t\r]"


class AtomicFileMixin:
    """``AtomicFileMixin``, before a dataset of kedro-datasets, writes to a hidden file and renames it when complete.

    The dataset's own ``save`` does the writing; only the path is changed. The hidden file keeps the file's ending, from
    which a compression may be inferred. A write that fails leaves nothing; one that is killed leaves the hidden file,
    which is not a version.

    Where the catalog entry says ``metadata: {optional: true}``, a file that does not exist loads as None: another
    pipeline may have made it, or not.
    """

    metadata: dict[str, Any] | None
    # Attributes of the datasets of kedro-datasets, for which there are no public names.
    _protocol: str
    _fs: AbstractFileSystem
    _fs_open_args_save: dict[str, Any]
    _get_save_path: Any
    _invalidate_cache: Any
    exists: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the catalog able to write its entries out again, as ``kedro catalog resolve-patterns`` does."""
        inherits_constructor = "__init__" not in vars(cls)
        super().__init_subclass__(**kwargs)
        if inherits_constructor:
            # Kedro wraps an inherited constructor in one that loses the names of its arguments.
            del cls.__init__

    def load(self) -> Any:
        """The data; None where the file does not exist and the entry is optional.

        Raises:
            DatasetError: where there is no such file, or it cannot be read.
        """
        if (self.metadata or {}).get("optional") and not self.exists():
            return None
        return super().load()  # type: ignore[misc]  # of the dataset that follows the mixin

    def save(self, data: Any) -> None:
        """Write the data.

        Raises:
            DatasetError: where the version exists already, the data cannot be written, the path is a folder, or the
                file would not be opened for writing from its beginning.
        """
        path = self._get_save_path()
        target = get_filepath_str(path, self._protocol)
        self._check_target(target)
        hidden = path.with_name(f".writing.{uuid4().hex}.{path.name}")
        draft = get_filepath_str(hidden, self._protocol)
        writer = copy(self)
        writer._get_save_path = lambda: hidden
        try:
            # Kedro's wrapper around save looks for the version afterwards: the inner method is called without it.
            super().save.__wrapped__(writer, data)  # type: ignore[misc]  # of the dataset that follows the mixin
            self._fs.mv(draft, target)
        except BaseException as error:
            if isinstance(error, OSError) and error.errno and not error.filename:
                error.filename = target  # a write to a full device names no file
            if self._fs.exists(draft):
                self._fs.rm(draft)
            raise
        self._invalidate_cache()

    def _check_target(self, target: str) -> None:
        mode = self._fs_open_args_save["mode"]
        if "w" not in mode:
            raise DatasetError(f"Files are written as a whole: open_args_save needs a mode with 'w', not '{mode}'.")
        if self._fs.isdir(target):
            raise DatasetError(f"{target} is a folder, where a file would be written: does it hold versions?")


class AtomicCSVDataset(AtomicFileMixin, CSVDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``AtomicCSVDataset`` is ``pandas.CSVDataset`` with atomic writes.

    A text that a spreadsheet would take for a formula is written with an apostrophe before it, which loading removes. A
    CSV file holds no types: name in ``load_args`` the columns that only look like numbers.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        customers:
          type: sparkify_kedro.framework.datasets.AtomicCSVDataset
          filepath: data/07_model_output/customers.csv
          versioned: true
          load_args:
            dtype:
              id: str
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> import pandas as pd
        >>>
        >>> customers = pd.DataFrame({"id": ["007", "12"], "risk": [0.4, 0.2]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicCSVDataset(filepath=f"{folder}/customers.csv", load_args={"dtype": {"id": str}})
        ...     dataset.save(customers)
        ...     dataset.load()
            id  risk
        0  007   0.4
        1   12   0.2
    """

    def load(self) -> pd.DataFrame | None:
        """The table, its texts as they were saved; None where there is no file and the entry is optional."""
        data = super().load()
        return None if data is None else _replace_in_texts(data, rf"^'('*{_FORMULA})", r"\1")

    def save(self, data: pd.DataFrame) -> None:
        """Write the table.

        Raises:
            DatasetError: as every atomic file.
        """
        super().save(_replace_in_texts(data, rf"^('*{_FORMULA})", r"'\1"))


class AtomicJSONDataset(AtomicFileMixin, JSONDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``AtomicJSONDataset`` is ``json.JSONDataset`` with atomic writes; it also saves pydantic models.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        metrics:
          type: sparkify_kedro.framework.datasets.AtomicJSONDataset
          filepath: data/08_reporting/metrics.json
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


class AtomicPlotlyDataset(AtomicFileMixin, PlotlyDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``AtomicPlotlyDataset`` is ``plotly.JSONDataset`` with atomic writes. kedro-viz draws the figure.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        activity_figure:
          type: sparkify_kedro.framework.datasets.AtomicPlotlyDataset
          filepath: data/08_reporting/activity.json
          versioned: true
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> import plotly.graph_objects as go
        >>>
        >>> figure = go.Figure(go.Bar(x=["free", "paid"], y=[0.3, 0.2]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicPlotlyDataset(filepath=f"{folder}/figure.json")
        ...     dataset.save(figure)
        ...     dataset.load() == figure
        True
    """


class AtomicTextDataset(AtomicFileMixin, TextDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``AtomicTextDataset`` is ``text.TextDataset`` with atomic writes, in UTF-8 on every machine.

    A version is a folder beside the file's path with the file in it: of ``report/report.html`` it is
    ``report/<version>/report.html``, so that a text can lie in the folder of the version that it describes.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        report:
          type: sparkify_kedro.framework.datasets.AtomicTextDataset
          filepath: data/08_reporting/report/report.html
          versioned: true
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicTextDataset(filepath=f"{folder}/readme.txt")
        ...     dataset.save("Two lines of text.")
        ...     dataset.load()
        'Two lines of text.'
    """

    DEFAULT_FS_ARGS: ClassVar[dict[str, Any]] = {
        "open_args_save": {"mode": "w", "encoding": "utf-8"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }

    def _get_versioned_path(self, version: str) -> PurePosixPath:
        # Kedro's own path refuses versions that would lead out of the folder.
        file = PurePosixPath(super()._get_versioned_path(version))
        return file.parents[2] / version / file.name


def _replace_in_texts(data: pd.DataFrame, pattern: str, replacement: str) -> pd.DataFrame:
    """The table with the pattern replaced in every cell that is a text."""

    def replaced(cell: Any) -> Any:
        return re.sub(pattern, replacement, cell) if isinstance(cell, str) else cell

    texts = data.select_dtypes(include=["object", "string"])
    return data.assign(**{str(name): column.map(replaced) for name, column in texts.items()})
