"""Datasets that kedro-datasets lacks: Spark tables and models, files and figures that are complete or do not exist."""

from .atomic_files import AtomicCSVDataset, AtomicJSONDataset, AtomicPlotlyDataset, AtomicTextDataset
from .file_list import FileListDataset
from .json_lines import JSONLinesDataset
from .json_records import JSONRecordsDataset
from .spark_dataframe import SparkDataFrameDataset
from .spark_ml import SparkMLDataset
from .stored_versions import StoredVersionsDataset

__all__ = [
    "AtomicCSVDataset",
    "AtomicJSONDataset",
    "AtomicPlotlyDataset",
    "AtomicTextDataset",
    "FileListDataset",
    "JSONLinesDataset",
    "JSONRecordsDataset",
    "SparkDataFrameDataset",
    "SparkMLDataset",
    "StoredVersionsDataset",
]
