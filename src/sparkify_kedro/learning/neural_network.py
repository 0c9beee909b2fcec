"""A small neural network in PyTorch as a Spark classifier (the extra ``torch``).

Networks are trained on the driver, on rows that it collects, and score batches of rows on Spark's executors. Of each
fold of users there is one network, which is trained without the fold and stops when the loss on it no longer falls; the
margin is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

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

from sparkify_kedro.framework.skipping import SkipError

from .curves import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

# Rows have it where users are in folds.
FOLD = "fold"
# Where they are not, every so many-th row is held out in turn.
_PARTS = 5
# Standardized features are cut here: counts have long tails.
_MOST_DEVIATIONS = 5.0
_STEPS = 20
_MOST_ROWS_OF_IMPORTANCES = 1_000
_WEIGHTS = "weights.safetensors"
_IMPORTANCES = "importances"


class _NetworkParams(HasFeaturesCol, HasLabelCol, HasWeightCol, HasRawPredictionCol, HasSeed):
    """What the estimator and its model share: the columns, and the shape of the networks."""

    hiddenUnits: Param[int] = Param(Params._dummy(), "hiddenUnits", "units of each hidden layer", TypeConverters.toInt)
    hiddenLayers: Param[int] = Param(Params._dummy(), "hiddenLayers", "hidden layers", TypeConverters.toInt)


class NeuralNetworkClassifier(Estimator["NeuralNetworkModel"], _NetworkParams):
    """Fits networks of two classes by AdamW (Loshchilov and Hutter 2019), with early stopping on folds of users."""

    learningRate: Param[float] = Param(Params._dummy(), "learningRate", "step of the optimizer", TypeConverters.toFloat)
    weightDecay: Param[float] = Param(
        Params._dummy(),
        "weightDecay",
        "share that a weight loses per unit of the step",
        TypeConverters.toFloat,
    )
    batchSize: Param[int] = Param(Params._dummy(), "batchSize", "rows per step", TypeConverters.toInt)
    maxEpochs: Param[int] = Param(Params._dummy(), "maxEpochs", "passes over the rows at most", TypeConverters.toInt)
    patience: Param[int] = Param(
        Params._dummy(), "patience", "passes without a lower loss after which a network stops", TypeConverters.toInt
    )
    mostRows: Param[int] = Param(Params._dummy(), "mostRows", "rows to collect at most", TypeConverters.toInt)

    @keyword_only
    def __init__(  # noqa: PLR0913 - the settings that a grid may vary
        self,
        *,
        featuresCol: str = "features",
        labelCol: str = "label",
        weightCol: str | None = None,
        rawPredictionCol: str = "rawPrediction",
        seed: int = 0,
        hiddenUnits: int = 16,
        hiddenLayers: int = 1,
        learningRate: float = 0.003,
        weightDecay: float = 0.1,
        batchSize: int = 256,
        maxEpochs: int = 60,
        patience: int = 5,
        mostRows: int = 1_000_000,
    ) -> None:
        """Every setting is a Spark parameter of the same name."""
        super().__init__()
        self._setDefault(
            weightDecay=0.1, seed=0, hiddenUnits=16, hiddenLayers=1, learningRate=0.003, batchSize=256, maxEpochs=60,
            patience=5, mostRows=1_000_000,
        )  # fmt: skip
        given: dict[str, Any] = self._input_kwargs  # type: ignore[attr-defined]  # keyword_only sets it
        self._set(**{name: value for name, value in given.items() if value is not None})

    def _fit(self, dataset: DataFrame) -> NeuralNetworkModel:
        """Fit the networks.

        Raises:
            SkipError: where there are more rows than ``mostRows``.
        """
        rows, labels, weights, folds = self._collect(dataset)
        networks = [
            self._train(number, rows, labels, weights, folds != fold)
            for number, fold in enumerate(_folds_to_stop_on(labels, folds))
        ]
        model = NeuralNetworkModel(networks, _importances(networks, rows))
        return self._copyValues(model._resetUid(self.uid))

    def _collect(self, dataset: DataFrame) -> tuple[Array, Array, Array, Array]:
        """The features (rows x features), and of each row its label, weight and fold."""
        most = self.getOrDefault(self.mostRows)
        weight = F.col(self.getWeightCol()) if self.isSet(self.weightCol) else F.lit(1.0)
        fold = F.col(FOLD) if FOLD in dataset.columns else F.lit(None).cast("int")
        columns = {
            "features": vector_to_array(F.col(self.getFeaturesCol())),
            "label": F.col(self.getLabelCol()).cast("double"),
            "weight": weight.cast("double"),
            "fold": fold,
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

    def _train(self, number: int, rows: Array, labels: Array, weights: Array, is_trained: Array) -> nn.Module:
        """A network of the rows that are trained on, as it was when its loss on the others was lowest."""
        import torch  # noqa: PLC0415 - it belongs to an extra

        generator = torch.Generator().manual_seed((self.getSeed() + number) % 2**63)
        data = [torch.as_tensor(values, dtype=torch.float32) for values in (rows, labels, weights)]
        trained = [values[is_trained] for values in data]
        stopping = [values[~is_trained] for values in data]
        network = _network(rows.shape[1], self.getOrDefault(self.hiddenUnits), self.getOrDefault(self.hiddenLayers))
        _initialize(network, trained, generator)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=self.getOrDefault(self.learningRate),
            weight_decay=self.getOrDefault(self.weightDecay),
        )
        best, lowest, waited = _state(network), _loss(network, stopping).item(), 0
        for _ in range(self.getOrDefault(self.maxEpochs)):
            order = torch.randperm(len(trained[0]), generator=generator)
            for batch in order.split(self.getOrDefault(self.batchSize)):
                optimizer.zero_grad()
                _loss(network, [values[batch] for values in trained]).backward()
                optimizer.step()
            with torch.no_grad():
                loss = _loss(network, stopping).item()
            if loss < lowest:
                best, lowest, waited = _state(network), loss, 0
            else:
                waited += 1
            if waited >= self.getOrDefault(self.patience):
                break
        network.load_state_dict(best)
        return network.eval().requires_grad_(False)


class NeuralNetworkModel(Model, _NetworkParams, MLWritable, MLReadable["NeuralNetworkModel"]):
    """Fitted networks: adds the raw scores (minus the margin, the margin) to rows with the vector of features."""

    def __init__(self, networks: Sequence[nn.Module] = (), importances: Array | None = None) -> None:
        """From fitted networks, and the importance of each feature."""
        super().__init__()
        self.networks = list(networks)
        self.importances = np.zeros(0) if importances is None else importances

    def _transform(self, dataset: DataFrame) -> DataFrame:
        networks = self.networks

        @pandas_udf("array<double>")  # type: ignore[call-overload,untyped-decorator]  # pyspark's types lack iterators
        def raw_scores(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
            # The function goes to the executors by value, without this module.
            import torch  # noqa: PLC0415

            torch.set_num_threads(1)
            for batch in batches:
                rows = torch.as_tensor(np.stack(batch.to_list()), dtype=torch.float32)
                with torch.no_grad():
                    margins = torch.stack([network(rows)[:, 0] for network in networks]).double().mean(dim=0).numpy()
                yield pd.Series(list(np.column_stack([-margins, margins])))

        scores = array_to_vector(raw_scores(vector_to_array(F.col(self.getFeaturesCol()))))
        return dataset.withColumn(self.getRawPredictionCol(), scores)

    def contributions(self, rows: Array, means: Array) -> Array:
        """Integrated gradients of the margin (Sundararajan et al. 2017, "Axiomatic attribution for deep networks").

        Args:
            rows: the features, rows x features.
            means: where the path to each row begins.

        Returns:
            What each feature adds; the sum is the margin of the row minus the margin at the means, up to the error of
            the numerical integral.
        """
        return _integrated_gradients(self.networks, rows, means)

    def write(self) -> MLWriter:
        """Parameters as JSON, and weights as safetensors: no pickle."""
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
        from safetensors.torch import save  # noqa: PLC0415

        DefaultParamsWriter.saveMetadata(self._model, path, self.sparkSession)
        tensors = {
            f"{number}.{name}": tensor.contiguous()
            for number, network in enumerate(self._model.networks)
            for name, tensor in network.state_dict().items()
        }
        import torch  # noqa: PLC0415

        content = save({**tensors, _IMPORTANCES: torch.as_tensor(self._model.importances)})
        # Hadoop's file systems: wherever Spark writes.
        jvm: Any = self.sparkSession._jvm
        file = jvm.org.apache.hadoop.fs.Path(f"{path}/{_WEIGHTS}")
        stream = file.getFileSystem(self.sparkSession._jsc.hadoopConfiguration()).create(file)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()


class _Reader(MLReader[NeuralNetworkModel]):
    def load(self, path: str) -> NeuralNetworkModel:
        from safetensors.torch import load  # noqa: PLC0415

        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession)
        model = NeuralNetworkModel()
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(model, metadata)
        (binary,) = self.sparkSession.read.format("binaryFile").load(f"{path}/{_WEIGHTS}").select("content").collect()
        tensors = load(bytes(binary["content"]))
        model.importances = tensors.pop(_IMPORTANCES).numpy()
        states: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            states.setdefault(int(number), {})[name] = tensor
        for _, state in sorted(states.items()):
            network = _network(
                len(model.importances), model.getOrDefault(model.hiddenUnits), model.getOrDefault(model.hiddenLayers)
            )
            network.load_state_dict(state)
            model.networks.append(network.eval().requires_grad_(False))
        return model


def _folds_to_stop_on(labels: Array, folds: Array) -> list[Any]:
    """The folds without which both classes are there to train on; where there is none, no fold at all."""
    usable = [fold for fold in np.unique(folds) if 0 < labels[folds != fold].sum() < (folds != fold).sum()]
    return usable or [None]


def _network(features: int, units: int, layers: int) -> nn.Module:
    """Standardize, cut, hidden layers, and the margin.

    Of PyTorch's own classes alone, so that the executors need nothing else to load it.
    """
    from torch import nn  # noqa: PLC0415

    sizes = [features, *[units] * layers]
    hidden = [layer for sides in pairwise(sizes) for layer in (nn.Linear(*sides), nn.SiLU())]
    # It never sees a batch: its statistics are those of the training rows.
    standardize = nn.BatchNorm1d(features, affine=False, eps=0.0).eval()
    cut = nn.Hardtanh(-_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    return nn.Sequential(standardize, cut, *hidden, nn.Linear(sizes[-1], 1))


def _initialize(network: Any, trained: Sequence[Tensor], generator: Any) -> None:
    """Statistics of the training rows, random weights (He et al. 2015), and the log-odds of label 1 as the margin.

    PyTorch's global generator would be shared with the fits of other threads.
    """
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    rows, labels, weights = trained
    deviations, means = torch.std_mean(rows.double(), dim=0, correction=0)
    network[0].running_mean.copy_(means)
    # A feature that does not vary has no effect.
    network[0].running_var.copy_(torch.where(deviations > 0, deviations**2, torch.inf))
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer in linear:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            layer.bias.zero_()
        linear[-1].weight.zero_()
        share = ((labels * weights).sum() / weights.sum()).clamp(1e-6, 1 - 1e-6)
        linear[-1].bias.fill_(torch.logit(share))


def _loss(network: Any, data: Sequence[Tensor]) -> Tensor:
    """The weighted mean of the log loss."""
    from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: PLC0415

    rows, labels, weights = data
    loss: Tensor = binary_cross_entropy_with_logits(network(rows)[:, 0], labels, weights, reduction="sum")
    return loss / weights.sum().clamp(min=1e-12)


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _importances(networks: Sequence[nn.Module], rows: Array) -> Array:
    """Each feature's share of the mean absolute contribution, over at most 1,000 rows spread over all."""
    spread = rows[:: max(1, len(rows) // _MOST_ROWS_OF_IMPORTANCES)]
    strength = np.abs(_integrated_gradients(networks, spread, rows.mean(axis=0, dtype=np.float64))).mean(axis=0)
    shares: Array = strength / strength.sum() if strength.sum() > 0 else strength
    return shares


def _integrated_gradients(networks: Sequence[nn.Module], rows: Array, means: Array) -> Array:
    """The integral of the margin's gradient over the straight path from the means to each row, times the distance."""
    import torch  # noqa: PLC0415

    places, weights = np.polynomial.legendre.leggauss(_STEPS)
    begin = torch.as_tensor(means, dtype=torch.float32)
    distance = torch.as_tensor(rows, dtype=torch.float32) - begin
    total = torch.zeros_like(distance, dtype=torch.float64)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        point = (begin + float(place) * distance).requires_grad_()
        margin = torch.stack([network(point)[:, 0] for network in networks]).mean(dim=0).sum()
        total += float(weight) * torch.autograd.grad(margin, point)[0].double()
    values: Array = (total * distance.double()).numpy()
    return values
