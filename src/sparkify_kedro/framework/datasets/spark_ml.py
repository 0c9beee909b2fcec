"""Spark ML pipeline models, versioned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, DatasetError, Version, get_protocol_and_path
from kedro_datasets._utils.databricks_utils import to_spark_path
from kedro_datasets._utils.spark_utils import get_spark_filesystem
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel

from ..errors import java_cause
from ..session import engine, get_session
from .spark_dataframe import SUCCESS_MARKER

# The stages that a fitted pipeline may have: Spark loads any class that a stage's file names, Python classes too.
_STAGES = ("org.apache.spark.ml.PipelineModel", "org.apache.spark.ml.classification.", "org.apache.spark.ml.feature.")
# A pipeline that has stages in Python.
_PYTHON_PIPELINE = "pyspark.ml.pipeline.PipelineModel"
# Runs SQL, which can call any static Java method.
_SQL_TRANSFORMER = "org.apache.spark.ml.feature.SQLTransformer"


class SparkMLDataset(AbstractVersionedDataset[PipelineModel, PipelineModel]):
    """``SparkMLDataset`` loads and saves fitted Spark ML pipelines in Spark's own format: nothing is pickled.

    A model is many files. The marker ``_SUCCESS`` is written after all of them, and only a model with the marker
    exists, so the latest version is never an incomplete one. An existing model is never overwritten. Looking up
    versions starts no JVM. A version never changes, so it is read once: until the dataset is released, further loads
    return the same model. A model with stages other than Spark's classifiers and feature transformers and the trusted
    classes, or with a stage that runs SQL, is not loaded, because its files could name arbitrary code. Each stage has
    its folder as the attribute ``saved_at``.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        spam_model:
          type: sparkify_kedro.framework.datasets.SparkMLDataset
          filepath: data/06_models/spam_model
          versioned: true

        "{name}.model":
          type: sparkify_kedro.framework.datasets.SparkMLDataset
          filepath: s3a://bucket/06_models/{name}/model
          versioned: true
          trusted_stages: [my_package.networks.NetworkModel]
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

    # The Spark session belongs to this process.
    _SINGLE_PROCESS = True

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        trusted_stages: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Creates a new instance of ``SparkMLDataset``.

        Args:
            filepath: Folder of the model, local or a URL that both Spark and fsspec can read.
            version: ``Version(load, save)`` as for every versioned dataset.
            credentials: Credentials for fsspec.
            trusted_stages: Python classes that a stage may have, by their full names: those that load numbers alone.
            metadata: Ignored by Kedro; read by plugins such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        if protocol == "file":
            path = str(Path(path).resolve())
        self._protocol = protocol
        self._fs = get_spark_filesystem(protocol, deepcopy(credentials))
        self.metadata = metadata
        self._trusted = frozenset(trusted_stages)
        self._loaded: tuple[str, object, PipelineModel] | None = None
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._is_complete,
            glob_function=self._fs.glob,
        )

    def load(self) -> PipelineModel:
        """The fitted pipeline.

        Raises:
            DatasetError: where there is no complete model, or a stage is neither one of Spark's own nor trusted.
        """
        path = str(self._get_load_path())
        if not self._is_complete(path):
            raise DatasetError(f"There is no complete model at {path}.")
        loaded, running = self._loaded, engine(get_session())
        if loaded and loaded[:2] == (path, running):
            return loaded[2]
        for stage in self._stages(path):
            is_spark = stage.startswith(_STAGES) and stage != _SQL_TRANSFORMER
            if not (is_spark or stage == _PYTHON_PIPELINE or stage in self._trusted):
                raise DatasetError(f"The model at {path} is not loaded: its stage '{stage}' could run arbitrary code.")
        model = PipelineModel.load(to_spark_path(self._protocol, path))
        self._note_folders(path, model)
        if self._version:
            self._loaded = path, running, model
        return model

    def save(self, data: PipelineModel) -> None:
        """Write the fitted pipeline.

        Raises:
            DatasetError: where a model exists at the path already, or Spark cannot write it.
        """
        path = str(self._get_save_path())
        if self._is_complete(path):
            raise DatasetError(f"There is a model at {path} already, and models are not overwritten.")
        running = engine(get_session())
        try:
            data.write().save(to_spark_path(self._protocol, path))
        except (PySparkException, Py4JError) as error:
            raise DatasetError(f"Spark could not write to '{path}': {java_cause(error)}") from error
        self._fs.touch(f"{path}/{SUCCESS_MARKER}")
        self._note_folders(path, data)
        if self._version:
            # The other nodes of the run need not read it again.
            self._loaded = path, running, data

    def _note_folders(self, path: str, model: PipelineModel) -> None:
        """Note on each stage where it is saved, for what only the files tell: see ``saved_at`` of the class."""
        for number, stage in enumerate(model.stages):
            position = str(number).zfill(len(str(len(model.stages))))
            noted: Any = stage
            noted.saved_at = to_spark_path(self._protocol, f"{path}/stages/{position}_{stage.uid}")

    def _stages(self, path: str) -> Iterator[str]:
        """The classes that the model's files name."""
        for file in self._fs.find(path):
            place = PurePosixPath(file)
            if place.parent.name != "metadata" or place.name.startswith((".", "_")):
                continue
            try:
                lines = self._fs.read_text(file, encoding="utf-8").splitlines()
                yield from [str(json.loads(line)["class"]) for line in lines]
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(f"The model at {path} is not loaded: {file} does not name a class.") from error

    def _is_complete(self, path: str) -> bool:
        return bool(self._fs.exists(f"{path}/{SUCCESS_MARKER}"))

    def _exists(self) -> bool:
        return self._is_complete(str(self._get_load_path()))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}

    def _release(self) -> None:
        super()._release()
        self._loaded = None
        self._fs.invalidate_cache(str(self._filepath))
