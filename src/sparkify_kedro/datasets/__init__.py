"""Datasets that kedro-datasets lacks: Spark dataframes, Spark ML models and JSON files that are never half there."""

from .atomic_json_dataset import AtomicJSONDataset
from .json_lines_dataset import JSONLinesDataset
from .spark_dataframe_dataset import SparkDataFrameDataset
from .spark_ml_dataset import SparkMLDataset

__all__ = ["AtomicJSONDataset", "JSONLinesDataset", "SparkDataFrameDataset", "SparkMLDataset"]
