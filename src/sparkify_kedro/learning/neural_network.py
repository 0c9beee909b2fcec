"""Neural networks as Spark classifiers (the extra ``torch``).

Networks are trained on the driver, on rows that it collects, and score batches of rows on Spark's executors. For each
fold of users there is one, which is trained without the fold and stops when the loss on it no longer falls; the margin
is the mean of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from pyspark import keyword_only
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasFeaturesCol, HasLabelCol, HasRawPredictionCol, HasSeed, HasWeightCol
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sparkify_kedro.churn.vocabulary import LANDMARKS_EARLIER
from sparkify_kedro.framework.skipping import SkipError

from .curves import Array

if TYPE_CHECKING:
    import torch

    from .networks import Network, Shape

# Rows have it where users are in folds.
FOLD = "fold"
_EARLIER = re.compile(r"(.+)_(\d+)_earlier")
# Where there are no folds, every so many-th row is held out in turn.
_PARTS = 5
_MOST_ROWS_OF_IMPORTANCES = 1_000
_WEIGHTS = "weights"
_IMPORTANCES = "importances"
_DEFAULTS: dict[str, Any] = {
    "weightDecay": 0.1, "seed": 0, "hiddenUnits": 16, "hiddenLayers": 1, "learningRate": 0.003, "batchSize": 256,
    "maxEpochs": 60, "patience": 5, "mostRows": 1_000_000, "names": [],
}  # fmt: skip


def _param(name: str, text: str, convert: Any) -> Any:
    return Param(Params._dummy(), name, text, convert)


class _NetworkParams(HasFeaturesCol, HasLabelCol, HasWeightCol, HasRawPredictionCol, HasSeed):
    """What estimators and their model share: the columns, and the shape of the networks."""

    hiddenUnits = _param("hiddenUnits", "units of each hidden layer", TypeConverters.toInt)
    hiddenLayers = _param("hiddenLayers", "hidden layers", TypeConverters.toInt)
    names = _param("names", "names of the features, where they are a sequence", TypeConverters.toListString)

    def setFeaturesCol(self, name: str) -> Self:
        """The vector of the features."""
        return self._set(featuresCol=name)

    def setRawPredictionCol(self, name: str) -> Self:
        """The raw scores."""
        return self._set(rawPredictionCol=name)

    def setSeed(self, seed: int) -> Self:
        """The seed."""
        return self._set(seed=seed)

    def _shape(self, features: int) -> Shape:
        from .networks import Shape  # noqa: PLC0415 - PyTorch belongs to an extra

        names = self.getOrDefault(self.names)
        steps = sequence_in(names)
        return Shape(
            features,
            units=self.getOrDefault(self.hiddenUnits),
            layers=self.getOrDefault(self.hiddenLayers),
            steps=steps,
            known=names.index(LANDMARKS_EARLIER) if steps and LANDMARKS_EARLIER in names else None,
        )


class NeuralNetworkClassifier(Estimator["NeuralNetworkModel"], _NetworkParams):
    """Fits networks of two classes.

    With the names of the features, a recurrent unit reads those that the row has for earlier landmarks, too, one
    landmark after the other.
    """

    learningRate = _param("learningRate", "step of the optimizer", TypeConverters.toFloat)
    weightDecay = _param("weightDecay", "share that a weight loses per unit of the step", TypeConverters.toFloat)
    batchSize = _param("batchSize", "rows per step", TypeConverters.toInt)
    maxEpochs = _param("maxEpochs", "passes over the rows at most", TypeConverters.toInt)
    patience = _param("patience", "passes without a lower loss after which a network stops", TypeConverters.toInt)
    mostRows = _param("mostRows", "rows to collect at most", TypeConverters.toInt)

    @keyword_only
    def __init__(  # noqa: PLR0913 - the settings that a grid may vary
        self,
        *,
        featuresCol: str = "features",
        labelCol: str = "label",
        weightCol: str | None = None,
        rawPredictionCol: str = "rawPrediction",
        names: Sequence[str] = (),
        seed: int = _DEFAULTS["seed"],
        hiddenUnits: int = _DEFAULTS["hiddenUnits"],
        hiddenLayers: int = _DEFAULTS["hiddenLayers"],
        learningRate: float = _DEFAULTS["learningRate"],
        weightDecay: float = _DEFAULTS["weightDecay"],
        batchSize: int = _DEFAULTS["batchSize"],
        maxEpochs: int = _DEFAULTS["maxEpochs"],
        patience: int = _DEFAULTS["patience"],
        mostRows: int = _DEFAULTS["mostRows"],
    ) -> None:
        """Every setting is a Spark parameter of the same name."""
        super().__init__()
        given: dict[str, Any] = self._input_kwargs  # type: ignore[attr-defined]  # keyword_only sets it
        self._setDefault(**_DEFAULTS)
        self._set(**{name: value for name, value in given.items() if value is not None})

    def _fit(self, dataset: DataFrame) -> NeuralNetworkModel:
        """Fit the networks.

        Raises:
            SkipError: where there are more rows than ``mostRows``.
        """
        from .networks import Rows, Schedule, integrated_gradients, train  # noqa: PLC0415

        features, labels, weights, folds = self._collect(dataset)
        rows, shape = Rows.of(features, labels, weights), self._shape(features.shape[1])
        schedule = Schedule(
            learning_rate=self.getOrDefault(self.learningRate),
            weight_decay=self.getOrDefault(self.weightDecay),
            batch_size=self.getOrDefault(self.batchSize),
            max_epochs=self.getOrDefault(self.maxEpochs),
            patience=self.getOrDefault(self.patience),
        )
        networks = [
            train(shape, rows.where(~is_out), rows.where(is_out), schedule, self.getSeed() + number)
            for number, is_out in enumerate(_held_out_to_stop_on(labels, folds))
        ]
        spread = features[:: max(1, len(features) // _MOST_ROWS_OF_IMPORTANCES)]
        added = integrated_gradients(networks, spread, features.mean(axis=0, dtype=np.float64))
        model = NeuralNetworkModel(networks, _shares(np.abs(added).mean(axis=0)))
        return self._copyValues(model._resetUid(self.uid))

    def _collect(self, dataset: DataFrame) -> tuple[Array, Array, Array, Array]:
        """The features (rows x features), and of each row its label, weight and fold."""
        most = self.getOrDefault(self.mostRows)
        weight = F.col(self.getWeightCol()) if self.isSet(self.weightCol) else F.lit(1.0)
        columns = {
            "features": vector_to_array(F.col(self.getFeaturesCol())),
            "label": F.col(self.getLabelCol()).cast("double"),
            "weight": weight.cast("double"),
            "fold": F.col(FOLD) if FOLD in dataset.columns else F.lit(None).cast("int"),
        }
        frame = dataset.select(*[column.alias(name) for name, column in columns.items()]).limit(most + 1).toPandas()
        if len(frame) > most:
            raise SkipError(
                f"a neural network collects the training rows, and there are more than {most}: raise the algorithm's "
                "mostRows (conf/base/parameters_modeling.yml), or keep fewer rows (sampling.labels)"
            )
        folds = frame["fold"] if frame["fold"].notna().all() else pd.Series(np.arange(len(frame)) % _PARTS)
        rows = np.array(frame["features"].tolist(), dtype=np.float32)
        return rows, frame["label"].to_numpy(), frame["weight"].to_numpy(), folds.to_numpy()


class NeuralNetworkModel(Model, _NetworkParams, MLWritable, MLReadable["NeuralNetworkModel"]):
    """Fitted networks: adds the raw scores (minus the margin, the margin) to rows with the vector of features."""

    def __init__(self, networks: Sequence[Network] = (), importances: Array | None = None) -> None:
        """From fitted networks, and each feature's share of the mean absolute contribution."""
        super().__init__()
        self._setDefault(**{name: _DEFAULTS[name] for name in ("seed", "hiddenUnits", "hiddenLayers", "names")})
        self.networks = list(networks)
        self.importances = np.zeros(0) if importances is None else importances

    def _transform(self, dataset: DataFrame) -> DataFrame:
        networks = self.networks

        @pandas_udf("array<double>")  # type: ignore[call-overload,untyped-decorator]  # pyspark's types lack iterators
        def raw_scores(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
            import torch  # noqa: PLC0415

            from sparkify_kedro.learning.networks import margins  # noqa: PLC0415

            for batch in batches:
                rows = torch.as_tensor(np.stack(batch.to_list()), dtype=torch.float32)
                found = margins(networks, rows).double().numpy()
                yield pd.Series(list(np.column_stack([-found, found])))

        scores = array_to_vector(raw_scores(vector_to_array(F.col(self.getFeaturesCol()))))
        return dataset.withColumn(self.getRawPredictionCol(), scores)

    def contributions(self, rows: Array, means: Array) -> Array:
        """What each feature adds to the margin of each row, from the means (rows x features): integrated gradients."""
        from .networks import integrated_gradients  # noqa: PLC0415

        return integrated_gradients(self.networks, rows, means)

    def write(self) -> MLWriter:
        """Parameters as JSON, and weights as safetensors in a table of one row: no pickle."""
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader[NeuralNetworkModel]:
        """Of what ``write`` has written."""
        return _Reader()


class _Writer(MLWriter):
    def __init__(self, model: NeuralNetworkModel) -> None:
        super().__init__()
        self._model = model

    def saveImpl(self, path: str) -> None:
        import torch  # noqa: PLC0415
        from safetensors.torch import save  # noqa: PLC0415

        DefaultParamsWriter.saveMetadata(self._model, path, self.sparkSession)
        tensors = {
            f"{number}.{name}": tensor.contiguous()
            for number, network in enumerate(self._model.networks)
            for name, tensor in network.state_dict().items()
        }
        content = save({**tensors, _IMPORTANCES: torch.as_tensor(self._model.importances)})
        table = self.sparkSession.createDataFrame([(bytearray(content),)], "weights binary")
        table.coalesce(1).write.parquet(f"{path}/{_WEIGHTS}")


class _Reader(MLReader[NeuralNetworkModel]):
    def load(self, path: str) -> NeuralNetworkModel:
        from safetensors.torch import load  # noqa: PLC0415

        from .networks import restored  # noqa: PLC0415

        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession)
        model = NeuralNetworkModel()
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(model, metadata)
        (row,) = self.sparkSession.read.schema("weights binary").parquet(f"{path}/{_WEIGHTS}").collect()
        tensors = load(bytes(row["weights"]))
        model.importances = tensors.pop(_IMPORTANCES).numpy()
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            states.setdefault(int(number), {})[name] = tensor
        shape = model._shape(len(model.importances))
        model.networks = [restored(shape, state) for _, state in sorted(states.items())]
        return model


def sequence_in(names: Sequence[str]) -> list[list[int]]:
    """The positions of the features at each landmark, the earliest first; empty where there are no earlier ones."""
    position = {name: number for number, name in enumerate(names)}
    earlier = [(match[1], int(match[2])) for name in names if (match := _EARLIER.fullmatch(name))]
    last = max((number for _, number in earlier), default=0)
    # Those of every landmark, the present one included.
    repeated = [
        name for name in names if last and all(f"{name}_{number}_earlier" in position for number in range(1, last + 1))
    ]
    steps = [[position[f"{name}_{number}_earlier"] for name in repeated] for number in range(last, 0, -1)]
    return [*steps, [position[name] for name in repeated]] if repeated else []


def _held_out_to_stop_on(labels: Array, folds: Array) -> list[Array]:
    """The rows of each fold without which both classes are there to train on; where there is none, no rows at all."""
    of_folds = [folds == fold for fold in np.unique(folds)]
    usable = [is_out for is_out in of_folds if 0 < labels[~is_out].sum() < (~is_out).sum()]
    return usable or [np.zeros(len(folds), dtype=bool)]


def _shares(strengths: Array) -> Array:
    shares: Array = strengths / strengths.sum() if strengths.sum() > 0 else strengths
    return shares
