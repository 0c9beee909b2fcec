"""Spark dataframes whose versions exist only when they are complete."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow.dataset
from kedro.io.core import DatasetError, Version
from kedro_datasets._typing import TablePreview
from kedro_datasets._utils.databricks_utils import to_spark_path
from kedro_datasets._utils.spark_utils import get_spark_filesystem
from kedro_datasets.spark import SparkDatasetV2
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, is_remote
from pyspark.sql import functions as F

from ..errors import java_cause
from ..session import engine, get_session

logger = logging.getLogger(__name__)

# How Spark prints a type whose class, in Python, is stored in the file.
_PYTHON_TYPE = ": pythonuserdefined ("

# Hadoop's committer writes this file after all others, unless it is configured not to.
SUCCESS_MARKER = "_SUCCESS"
_WITHOUT_MARKER = {"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}


class SparkDataFrameDataset(SparkDatasetV2):  # type: ignore[misc]  # kedro-datasets has no types
    """``SparkDataFrameDataset`` is ``spark.SparkDatasetV2`` with complete versions only.

    A version exists only when Spark has finished writing it, so the latest version is never an incomplete one; a
    version is never overwritten; and the session has the project's settings. Looking up versions and previews start no
    JVM. A version never changes, so it is opened once: until the dataset is released, further loads return the same
    dataframe. Spark counts the rows while it saves: see ``rows_written``.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        customers:
          type: sparkify_kedro.framework.datasets.SparkDataFrameDataset
          filepath: data/04_feature/customers
          versioned: true

        events:
          type: sparkify_kedro.framework.datasets.SparkDataFrameDataset
          filepath: s3a://bucket/02_intermediate/events
          versioned: true
          save_args:
            partitionBy: [event_date]

        raw_events:
          type: sparkify_kedro.framework.datasets.SparkDataFrameDataset
          filepath: data/01_raw/*.json.gz
          file_format: text
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> from kedro.io.core import Version
        >>> from sparkify_kedro.framework.session import get_session
        >>>
        >>> people = get_session().createDataFrame([("Ada", 36), ("Bob", 12)], "name string, age int")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = SparkDataFrameDataset(filepath=f"{folder}/people", version=Version(None, None))
        ...     dataset.exists()
        ...     dataset.save(people)
        ...     dataset.exists(), dataset.rows_written, dataset.load().count()
        False
        (True, 2, 2)
    """

    def __init__(  # noqa: PLR0913 - a dataset's options are its catalog entry
        self,
        *,
        filepath: str,
        file_format: str = "parquet",
        load_args: dict[str, Any] | None = None,
        save_args: dict[str, Any] | None = None,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Creates a new instance of ``SparkDataFrameDataset``.

        Args:
            filepath: Folder, file or glob, local or a URL that both Spark and fsspec can read.
            file_format: A format of Spark's readers and writers.
            load_args: Options of Spark's reader.
            save_args: Options of Spark's writer, with ``partitionBy``.
            version: ``Version(load, save)`` as for every versioned dataset.
            credentials: Credentials for fsspec.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        super().__init__(
            filepath=filepath,
            file_format=file_format,
            load_args=load_args,
            save_args=save_args,
            version=version,
            credentials=credentials,
            metadata=metadata,
        )
        self._file_exists: Callable[[str], bool] = self._exists_function  # type: ignore[has-type]  # untyped base
        if version is not None:
            self._exists_function = self._is_complete
        self.rows_written: int | None = None
        self._opened: tuple[str, object, DataFrame] | None = None

    # The parent class defines these two, from which Kedro makes load and save.
    def _load(self) -> DataFrame | None:
        """The dataframe, lazily; None where the entry is optional and there is none, or none that can be read.

        Raises:
            DatasetError: where the path does not exist, the version is not complete, or a column has a user-defined
                type, whose code the file would bring with it.
        """
        is_optional = bool((self.metadata or {}).get("optional"))
        if is_optional and not self.exists():
            return None
        path = str(self._get_load_path())
        if self._version and not self._is_complete(path):
            raise DatasetError(
                f"There is no complete version '{self.resolve_load_version()}' at {self._original_filepath}."
            )
        if not self._version and not self._glob_function(path):
            raise DatasetError(f"There is no file or folder at '{self._original_filepath}'.")
        opened, running = self._opened, engine(get_session())
        if opened and opened[:2] == (path, running):
            return opened[2]
        try:
            data: DataFrame = super()._load()
        except (PySparkException, Py4JError) as error:
            if not is_optional:
                raise
            logger.warning("%s is left out: it cannot be read (%s)", self._original_filepath, java_cause(error))
            return None
        if _PYTHON_TYPE in _printed_schema(data):
            raise DatasetError(
                f"The table at '{self._original_filepath}' is not loaded: a column has a user-defined type, whose code "
                "is stored in the file."
            )
        if self._version:
            self._opened = path, running, data
        return data

    def _save(self, data: DataFrame | pd.DataFrame) -> None:
        """Write the dataframe; afterwards ``rows_written`` is the number of rows.

        Raises:
            DatasetError: where the version exists already, or Spark cannot write it.
        """
        if isinstance(data, pd.DataFrame):
            data = get_session().createDataFrame(data)
        path = str(self._get_save_path())
        rows = Observation()
        is_partitioned = "partitionBy" in self._save_args
        if is_partitioned:
            self._save_args |= _WITHOUT_MARKER
        try:
            super()._save(data.observe(rows, F.count(F.lit(1)).alias("rows")))
        except (PySparkException, Py4JError) as error:
            message = f"Spark could not write to '{self._original_filepath}': {java_cause(error)}"
            raise DatasetError(message) from error
        self.rows_written = rows.get["rows"]
        if is_partitioned and self.rows_written == 0:
            # Spark writes no file for a partitioned table without rows; an empty part keeps the columns, and its write
            # adds the marker.
            data.limit(0).write.mode("append").format(self._file_format).save(to_spark_path(self._protocol, path))
        elif is_partitioned:
            get_spark_filesystem(self._protocol, self._credentials).touch(f"{path}/{SUCCESS_MARKER}")

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for kedro-viz; read from the parquet files directly, so that no JVM starts.

        Args:
            nrows: How many rows.

        Returns:
            ``columns`` and ``data``, as pandas splits a table.

        Raises:
            DatasetError: where there is no complete version, or the files are not parquet.
        """
        if self._file_format != "parquet":
            raise DatasetError(f"Only parquet has a preview, and '{self._original_filepath}' is {self._file_format}.")
        if not self.exists():
            raise DatasetError(f"There is no version yet at '{self._original_filepath}'.")
        filesystem = get_spark_filesystem(self._protocol, self._credentials)
        table = pyarrow.dataset.dataset(str(self._get_load_path()), filesystem=filesystem, format="parquet")
        return TablePreview(json.loads(table.head(nrows).to_pandas().to_json(orient="split", date_format="iso")))

    def _is_complete(self, path: str) -> bool:
        return bool(self._file_exists(f"{path}/{SUCCESS_MARKER}"))

    def _exists(self) -> bool:
        path = str(self._get_load_path())
        return self._is_complete(path) if self._version else bool(self._glob_function(path))

    def _release(self) -> None:
        super()._release()
        self._opened = None


def _printed_schema(data: DataFrame) -> str:
    """The schema as Spark prints it; PySpark's own would unpickle the classes of types."""
    remote: Any = data
    if not is_remote():
        return str(remote._jdf.schema().treeString())
    client = remote.sparkSession.client
    return str(client._analyze(method="tree_string", plan=remote._plan.to_proto(client)).tree_string)
