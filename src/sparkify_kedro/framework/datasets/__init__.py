"""Datasets that kedro-datasets lacks: Spark data, Spark ML models, files and figures that are never half there."""

from .atomic_csv_dataset import AtomicCSVDataset
from .atomic_json_dataset import AtomicJSONDataset
from .atomic_plotly_dataset import AtomicPlotlyDataset
from .atomic_text_dataset import AtomicTextDataset
from .json_lines_dataset import JSONLinesDataset
from .spark_dataframe_dataset import SparkDataFrameDataset
from .spark_ml_dataset import SparkMLDataset

__all__ = [
    "AtomicCSVDataset",
    "AtomicJSONDataset",
    "AtomicPlotlyDataset",
    "AtomicTextDataset",
    "JSONLinesDataset",
    "SparkDataFrameDataset",
    "SparkMLDataset",
]
