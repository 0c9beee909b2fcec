"""Spark ML pipeline models, versioned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, DatasetError, Version, get_protocol_and_path
from kedro_datasets._utils.databricks_utils import to_spark_path
from kedro_datasets._utils.spark_utils import get_spark_filesystem
from pyspark import SparkContext
from pyspark.ml import PipelineModel

from sparkify_kedro.framework.session import get_session

from .spark_dataframe_dataset import SUCCESS_MARKER

# What a fitted pipeline may be made of. Spark loads whatever class a stage's file names, a Python module's too.
_STAGES = ("org.apache.spark.ml.PipelineModel", "org.apache.spark.ml.classification.", "org.apache.spark.ml.feature.")
# Its statement is SQL, and SQL can call any static method of Java.
_RUNS_STATEMENTS = "org.apache.spark.ml.feature.SQLTransformer"


class SparkMLDataset(AbstractVersionedDataset[PipelineModel, PipelineModel]):
    """``SparkMLDataset`` loads and saves fitted Spark ML pipelines in Spark's own format: nothing is pickled.

    A model is many files. The marker ``_SUCCESS`` is written after all of them, and only a model with the marker
    exists: "latest" never names a version that was cut off. An existing model is never overwritten. Looking up
    versions starts no JVM. Since a version never changes, it is read once: until the dataset is released, further loads
    give the same model. A model of stages that are not Spark's own classifiers and feature transformers, or one that
    runs SQL, is not loaded: its files could name any code there is.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        churn_model:
          type: sparkify_kedro.framework.datasets.SparkMLDataset
          filepath: data/06_models/churn_model
          versioned: true

        "{label}.{algorithm}.model":
          type: sparkify_kedro.framework.datasets.SparkMLDataset
          filepath: s3a://bucket/06_models/{label}/{algorithm}/model
          versioned: true
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> from kedro.io.core import Version
        >>> from pyspark.ml import Pipeline
        >>> from pyspark.ml.classification import LogisticRegression
        >>> from pyspark.ml.feature import VectorAssembler
        >>> from sparkify_kedro.framework.session import get_session
        >>>
        >>> rows = get_session().createDataFrame([(0.0, 0.0), (1.0, 1.0)], "x double, label double")
        >>> stages = [VectorAssembler(inputCols=["x"], outputCol="features"), LogisticRegression()]
        >>> model = Pipeline(stages=stages).fit(rows)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = SparkMLDataset(filepath=f"{folder}/model", version=Version(None, None))
        ...     dataset.save(model)
        ...     [row.prediction for row in dataset.load().transform(rows).collect()]
        [0.0, 1.0]
    """

    # Spark's session lives in this process.
    _SINGLE_PROCESS = True

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Creates a new instance of ``SparkMLDataset``.

        Args:
            filepath: Folder of the model, local or a URL that both Spark (Hadoop) and fsspec can reach.
            version: ``Version(load, save)`` as for every versioned dataset.
            credentials: Credentials for fsspec.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        if protocol == "file":
            path = str(Path(path).resolve())
        self._protocol = protocol
        self._fs = get_spark_filesystem(protocol, deepcopy(credentials))
        self.metadata = metadata
        self._read: tuple[str, SparkContext, PipelineModel] | None = None
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._is_complete,
            glob_function=self._fs.glob,
        )

    def load(self) -> PipelineModel:
        """The fitted pipeline.

        Raises:
            DatasetError: where there is no complete model, naming the path, or it names code that is not Spark's.
        """
        path = str(self._get_load_path())
        if not self._is_complete(path):
            raise DatasetError(f"There is no complete model at {path}.")
        read, context = self._read, get_session().sparkContext
        if read and read[:2] == (path, context):
            return read[2]
        for stage in self._stages(path):
            if not stage.startswith(_STAGES) or stage == _RUNS_STATEMENTS:
                raise DatasetError(
                    f"The model at {path} is not loaded: it has a stage '{stage}', which can run any code."
                )
        model = PipelineModel.load(to_spark_path(self._protocol, path))
        if self._version:
            self._read = path, context, model
        return model

    def save(self, data: PipelineModel) -> None:
        """Write the fitted pipeline.

        Raises:
            DatasetError: where a model exists at the path already, or Spark cannot write it.
        """
        path = str(self._get_save_path())
        if self._is_complete(path):
            raise DatasetError(f"There is a model at {path} already, and models are not overwritten.")
        get_session()
        data.write().save(to_spark_path(self._protocol, path))
        self._fs.touch(f"{path}/{SUCCESS_MARKER}")

    def _stages(self, path: str) -> Iterator[str]:
        """The classes that the model's files name, as Spark would read them."""
        for file in self._fs.find(path):
            place = PurePosixPath(file)
            if place.parent.name != "metadata" or place.name.startswith((".", "_")):
                continue
            try:
                lines = self._fs.read_text(file, encoding="utf-8").splitlines()
                yield from [str(json.loads(line)["class"]) for line in lines]
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(f"The model at {path} is not loaded: {file} does not say what it is.") from error

    def _is_complete(self, path: str) -> bool:
        return self._fs.exists(f"{path}/{SUCCESS_MARKER}")

    def _exists(self) -> bool:
        return self._is_complete(str(self._get_load_path()))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}

    def _release(self) -> None:
        super()._release()
        self._read = None
        self._fs.invalidate_cache(str(self._filepath))
