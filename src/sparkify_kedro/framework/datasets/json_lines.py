"""JSON lines: one file, or a folder of parts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import fsspec
from kedro.io.core import AbstractDataset, DatasetError, get_protocol_and_path
from kedro_datasets._utils.databricks_utils import to_spark_path
from kedro_datasets._utils.spark_utils import get_spark_filesystem
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from ..errors import java_cause
from ..session import get_session

_CODECS = {".json": "none", ".json.gz": "gzip", ".json.bz2": "bzip2"}


class JSONLinesDataset(AbstractDataset[DataFrame, DataFrame]):
    """``JSONLinesDataset`` saves a Spark dataframe as JSON lines: one file, or a folder of gzip parts.

    The path decides: what ends in ``.json``, ``.json.gz`` or ``.json.bz2`` is one file, everything else a folder. The
    data is written to a hidden folder and moved to the path when it is complete, and only then the old data is
    removed. Partitions become parts in order; one file takes a dataframe of one partition.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        simulated_events:
          type: sparkify_kedro.framework.datasets.JSONLinesDataset
          filepath: data/01_raw/simulated_events
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> from sparkify_kedro.framework.session import get_session
        >>>
        >>> log = get_session().createDataFrame([(1, "Home")], "ts long, page string").coalesce(1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = JSONLinesDataset(filepath=f"{folder}/log.json")
        ...     dataset.save(log)
        ...     print(open(f"{folder}/log.json").read().strip())
        {"ts":1,"page":"Home"}
    """

    _SINGLE_PROCESS = True

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Creates a new instance of ``JSONLinesDataset``.

        Args:
            filepath: File or folder to write.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        self._protocol, path = get_protocol_and_path(filepath)
        if self._protocol == "file":
            path = fsspec.filesystem("file")._strip_protocol(path)
        self._fs = get_spark_filesystem(self._protocol)
        self._path = PurePosixPath(path)
        suffix = "".join(PurePosixPath(self._path.name).suffixes[-2:])
        self._codec = next((codec for ending, codec in _CODECS.items() if suffix.endswith(ending)), None)
        self.metadata = metadata
        self.rows_written: int | None = None

    def load(self) -> DataFrame:
        """The lines, one column ``value``.

        Raises:
            DatasetError: where the path does not exist.
        """
        if not self._exists():
            raise DatasetError(f"There is no file or folder at {self._path}.")
        return get_session().read.text(to_spark_path(self._protocol, str(self._path)))

    def save(self, data: DataFrame) -> None:
        """Write the lines; afterwards ``rows_written`` is the number of lines.

        Raises:
            DatasetError: where one file is to be written and the dataframe has several partitions, where a folder
                that would be replaced holds other files than parts, or where Spark cannot write.
        """
        self._check_replaceable()
        get_session()
        rows = Observation()
        # Spark skips hidden names, so a glob over the files beside it does not read a draft.
        folder = str(self._path.with_name(f".{self._path.name}.{uuid4().hex}.writing"))
        draft = f"{folder}/_log"
        observed = data.observe(rows, F.count(F.lit(1)).alias("rows"))
        try:
            observed.write.json(to_spark_path(self._protocol, draft), compression=self._codec or "gzip")
            self._replace_by(draft)
        except (PySparkException, Py4JError) as error:
            raise DatasetError(f"Spark could not write to '{self._path}': {java_cause(error)}") from error
        finally:
            if self._fs.exists(folder):
                self._fs.rm(folder, recursive=True)
        self.rows_written = rows.get["rows"]

    def _check_replaceable(self) -> None:
        path = str(self._path)
        if not self._fs.isdir(path):
            return
        names = sorted(PurePosixPath(found).name for found in self._fs.ls(path, detail=False))
        others = [name for name in names if not name.startswith(("part-", ".part-", "_SUCCESS", "._SUCCESS"))]
        if self._codec or others:
            raise DatasetError(
                f"{path} is a folder that would be replaced, and holds other files than parts of JSON lines "
                f"({', '.join(others[:3] or names[:3])}): choose another path."
            )

    def _replace_by(self, draft: str) -> None:
        complete = draft
        if self._codec:
            parts = self._fs.glob(f"{draft}/part-*")
            if len(parts) != 1:
                raise DatasetError(
                    f"{self._path} is one file, but the data has {len(parts)} partitions: make one partition of them "
                    "or name a folder."
                )
            complete = parts[0]
        if not self._fs.isdir(str(self._path)):
            self._fs.mv(complete, str(self._path), recursive=self._codec is None)
            return
        # A folder cannot be replaced in one move: the old one is moved aside, and back if the new one cannot be moved.
        aside = str(self._path.with_name(f"{PurePosixPath(draft).parent.name}.replaced"))
        self._fs.mv(str(self._path), aside, recursive=True)
        try:
            self._fs.mv(complete, str(self._path), recursive=True)
        except BaseException:
            self._fs.mv(aside, str(self._path), recursive=True)
            raise
        self._fs.rm(aside, recursive=True)

    @property
    def path(self) -> Path:
        """The file or folder."""
        return Path(self._path)

    def _exists(self) -> bool:
        return bool(self._fs.exists(str(self._path)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path, "protocol": self._protocol, "compression": self._codec or "gzip"}
