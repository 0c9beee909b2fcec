"""Records of files in several formats, each record as a JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

import fsspec
import pyarrow as pa
from kedro.io.core import DatasetError
from kedro_datasets._utils.databricks_utils import to_spark_path
from kedro_datasets._utils.spark_utils import get_spark_filesystem
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from ..files import (
    FILE,
    FILE_COLUMNS,
    IS_UNTYPED,
    Codec,
    Content,
    UnreadableFormatError,
    columns_of,
    content_of,
    data_files,
    filesystem_path,
    path_of_uri,
    read_lines,
    separator_of,
)
from ..session import get_session
from .spark_dataframe import SparkDataFrameDataset

# What takes the place of a CSV row that has more or fewer fields than its header: which is which cannot be known.
NO_RECORD = "a row with another number of fields than the header"
_LINES_AT_ONCE = 10_000
_LINES_OF_FILE = pa.schema({"value": pa.string(), "path": pa.string(), "bytes": pa.int64(), "modified": pa.int64()})
_UNREADABLE = "_unreadable"


class JSONRecordsDataset(SparkDataFrameDataset):
    r"""``JSONRecordsDataset`` reads files of JSON lines, CSV (with a header) or Parquet as JSON objects.

    The content of a file decides what it is, not its name: JSON lines and CSV may be plain or compressed with gzip,
    bzip2 or zstd. A folder is read with the folders in it, and must not mix formats; names of folders such as
    ``year=2018`` add no columns. A dataframe has the columns ``value``, an object of the record, and ``file``, with the
    ``path``, ``bytes`` and time of change of the file that it is from; for CSV, which has no types, also ``is_untyped``
    (true): all values of these objects are texts. Looking at the beginning of each file takes a millisecond or less on
    a local disk.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        raw_events:
          type: sparkify_kedro.framework.datasets.JSONRecordsDataset
          filepath: data/01_raw/log
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = open(f"{folder}/people.csv", "w").write("name,age,city\nAda,36,London\n")
        ...     print(JSONRecordsDataset(filepath=folder).load().drop("file").collect())
        [Row(value='{"name":"Ada","age":"36","city":"London"}', is_untyped=True)]
    """

    def __init__(
        self, *, filepath: str, credentials: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Creates a new instance of ``JSONRecordsDataset``.

        Args:
            filepath: File, folder or glob, local or a URL that both Spark and fsspec can read.
            credentials: Credentials for fsspec.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        super().__init__(filepath=filepath, file_format="text", credentials=credentials, metadata=metadata)

    def contents(self) -> dict[str, Content]:
        """What each file holds, in the order of their names; looks at the beginning of each.

        Raises:
            DatasetError: where there is no file, a file is in another format, or the files are in several.
        """
        filesystem = get_spark_filesystem(self._protocol, self._credentials)
        path = str(self._get_load_path())
        if not filesystem.exists(path) and not filesystem.glob(path):
            raise DatasetError(f"There is no file or folder at '{self._original_filepath}'.")
        try:
            contents = {file: content_of(filesystem, file) for file in data_files(filesystem, path)}
        except UnreadableFormatError as error:
            raise DatasetError(str(error)) from error
        formats = {content.format: file for file, content in contents.items()}
        if len(formats) > 1:
            named = " and ".join(f"{name} ('{file}')" for name, file in sorted(formats.items()))
            raise DatasetError(f"'{self._original_filepath}' mixes formats, {named}: give each a folder of its own.")
        return contents

    def _load(self) -> DataFrame:
        """The records, lazily.

        Raises:
            DatasetError: as ``contents``.
        """
        contents = self.contents()
        session = get_session()
        match next((content.format for content in contents.values()), "JSON lines"):
            case "Parquet":
                table = session.read.parquet(*map(self._path_for_spark, contents))
                return table.select(F.to_json(F.struct("*")).alias("value"), file_of_row())
            case "CSV":
                return self._csv(session, contents)
        return self._lines(session, contents)

    def _csv(self, session: SparkSession, contents: dict[str, Content]) -> DataFrame:
        headers = dict.fromkeys(content.header for content in contents.values())
        tables = (
            _csv_objects(self._lines(session, {f: c for f, c in contents.items() if c.header == header}), header)
            for header in headers
        )
        return reduce(DataFrame.unionByName, tables)

    def _lines(self, session: SparkSession, contents: dict[str, Content]) -> DataFrame:
        """One row per line; files whose name does not say how they are compressed are not for Spark's own reader."""
        misnamed = {file: content.codec for file, content in contents.items() if not content.is_named_so}
        named = [self._path_for_spark(file) for file, content in contents.items() if content.is_named_so]
        if not contents:
            return session.createDataFrame([], f"value string, {FILE} struct<{FILE_COLUMNS}>")
        lines = [session.read.text(named).select("value", file_of_row())] if named else []
        if misnamed:
            read = _LineReader(self._protocol, self._credentials, misnamed)
            files = self.listed(session, misnamed).repartition(len(misnamed))
            others = files.mapInArrow(read, f"value string, {FILE_COLUMNS}")
            lines.append(others.select("value", F.struct(*files.columns).alias(FILE)))
        return reduce(DataFrame.unionByName, lines)

    def listed(self, session: SparkSession, files: Iterable[str]) -> DataFrame:
        """One row per file, with the columns of ``file``; no file is opened."""
        paths = [self._path_for_spark(file) for file in files]
        if not paths:
            return session.createDataFrame([], FILE_COLUMNS)
        return session.read.format("binaryFile").load(paths).select(file_of_row()).select(f"{FILE}.*")

    def _path_for_spark(self, file: str) -> str:
        """A path that stands for the file alone: Spark takes every path for a pattern."""
        path: str = to_spark_path(self._protocol, filesystem_path(file))
        return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def file_of_row() -> Column:
    """The file that a row is from, by what Spark knows of it."""
    known = F.col("_metadata")
    return F.struct(
        known.getField("file_path").alias("path"),
        known.getField("file_size").alias("bytes"),
        F.unix_millis(known.getField("file_modification_time")).alias("modified"),
    ).alias(FILE)


class _LineReader:
    """Reads files in Spark's Python processes, line by line."""

    def __init__(self, protocol: str, credentials: dict[str, Any], codecs: dict[str, Codec | None]) -> None:
        self._protocol, self._credentials, self._codecs = protocol, credentials, codecs

    def __call__(self, files: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        filesystem = fsspec.filesystem(self._protocol or "file", **self._credentials)
        for batch in files:
            for row in batch.to_pylist():
                path = path_of_uri(row["path"])
                try:
                    for lines in read_lines(filesystem, path, self._codecs[path], _LINES_AT_ONCE):
                        yield pa.RecordBatch.from_pylist([{"value": line, **row} for line in lines], _LINES_OF_FILE)
                except OSError as error:
                    raise ValueError(f"{path} cannot be read ({error}): check that it is complete.") from error


def _csv_objects(lines: DataFrame, header: str) -> DataFrame:
    columns = columns_of(header)
    schema = ", ".join(f"`{name.replace('`', '``')}` string" for name in (*columns, _UNREADABLE))
    options = {"sep": separator_of(header), "escape": '"', "columnNameOfCorruptRecord": _UNREADABLE}
    # The mark of byte order, and the end of a line as Windows writes it, are not part of a line.
    own = F.regexp_replace("value", "^\ufeff|\r$", "")
    rows = lines.select(own.alias("line"), FILE).where(F.col("line") != header)
    parsed = rows.select(FILE, F.from_csv("line", schema, options).alias("row"))
    fields = F.struct(*(F.col("row").getField(name).alias(name) for name in columns))
    is_unreadable = F.col("row").getField(_UNREADABLE).isNotNull()
    value = F.when(is_unreadable, NO_RECORD).otherwise(F.to_json(fields))
    return parsed.select(value.alias("value"), FILE, F.lit(True).alias(IS_UNTYPED))
