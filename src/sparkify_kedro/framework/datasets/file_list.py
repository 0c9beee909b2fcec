"""The files of a log, without what is in them."""

from __future__ import annotations

from kedro_datasets._utils.spark_utils import get_spark_filesystem
from pyspark.sql import DataFrame

from ..files import data_files
from ..session import get_session
from .json_records import JSONRecordsDataset


class FileListDataset(JSONRecordsDataset):
    r"""``FileListDataset`` lists the files that ``JSONRecordsDataset`` reads from the same path.

    A dataframe has a row per file: ``path``, a URI; ``bytes``; and ``modified``, the time of its last change in ms
    since the epoch: what the column ``file`` of a record says.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        raw_files:
          type: sparkify_kedro.framework.datasets.FileListDataset
          filepath: data/01_raw/log
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = open(f"{folder}/people.csv", "w").write("name,age,city\nAda,36,London\n")
        ...     print(FileListDataset(filepath=folder).load().select("bytes").collect())
        [Row(bytes=28)]
    """

    def _load(self) -> DataFrame:
        filesystem = get_spark_filesystem(self._protocol, self._credentials)
        return self.listed(get_session(), data_files(filesystem, str(self._get_load_path())))
