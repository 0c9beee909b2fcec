"""Neural networks in PyTorch: their layers, their training, and the contributions of the features to their margins.

Imported only where the extra ``torch`` is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from .curves import Array

# Fits run in threads of their own, and the order of a sum should not depend on how many cores there are.
torch.set_num_threads(1)
# Standardized features are cut here: counts have long tails.
_MOST_DEVIATIONS = 5.0
# Points at which the integral of the gradients is evaluated.
_POINTS = 20


@dataclass(frozen=True)
class Shape:
    """The shape of a network.

    Attributes:
        features: how many features it takes.
        units: units of each hidden layer.
        layers: hidden layers between the features, or the sequence, and the margin.
        steps: the positions of the features at each landmark, the earliest first; empty: the features are no sequence.
        known: the position of the number of earlier landmarks that a user has, where there is a sequence.
    """

    features: int
    units: int
    layers: int
    steps: Sequence[Sequence[int]] = ()
    known: int | None = None


class Network(nn.Module):  # type: ignore[misc]  # PyTorch may be missing
    """From features (rows x features) to a margin per row: standardize, cut, hidden layers.

    Features of a sequence are read by a gated recurrent unit (Cho et al. 2014, "Learning phrase representations using
    RNN encoder-decoder"), which begins at the first landmark that the user has; its state stands beside the others.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        # It never sees a batch: its statistics are those of the training rows.
        self.standardize = nn.BatchNorm1d(shape.features, affine=False, eps=0.0)
        in_sequence = {position for step in shape.steps for position in step}
        self.others = [position for position in range(shape.features) if position not in in_sequence]
        self.cell: Any = nn.GRUCell(len(shape.steps[0]), shape.units) if shape.steps else None
        taken = len(self.others) + (shape.units if shape.steps else 0)
        sizes = [taken, *[shape.units] * shape.layers]
        hidden = [layer for sides in pairwise(sizes) for layer in (nn.Linear(*sides), nn.SiLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1))
        self.eval()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The margins."""
        values = self.standardize(rows).clamp(-_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        taken = values[:, self.others]
        if self.cell is not None:
            taken = torch.cat([taken, self._read(rows, values)], dim=1)
        margins: torch.Tensor = self.layers(taken)[:, 0]
        return margins

    def _read(self, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The state of the recurrent unit after the last landmark."""
        steps, known = self.shape.steps, self.shape.known
        state = values.new_zeros(len(values), self.shape.units)
        for number, positions in enumerate(steps):
            after = self.cell(values[:, list(positions)], state)
            earlier = len(steps) - 1 - number
            # Without a jump in between, which gradients would not see.
            there = 1.0 if known is None else (rows[:, known : known + 1] - earlier + 1).clamp(0, 1)
            state = state + there * (after - state)
        return state


@dataclass(frozen=True)
class Rows:
    """Features (rows x features), and of each row its label (0 or 1) and weight."""

    features: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, features: Array, labels: Array, weights: Array) -> Rows:
        """From arrays."""
        return cls(*(torch.as_tensor(values, dtype=torch.float32) for values in (features, labels, weights)))

    def where(self, chosen: Any) -> Rows:
        """Some of the rows."""
        return Rows(self.features[chosen], self.labels[chosen], self.weights[chosen])


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: AdamW (Loshchilov and Hutter 2019), with early stopping."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int


def train(shape: Shape, trained: Rows, stopping: Rows, schedule: Schedule, seed: int) -> Network:
    """A network as it was when its loss on other rows was lowest.

    Args:
        shape: the shape of the network.
        trained: the rows to train on.
        stopping: the rows whose loss decides when to stop.
        schedule: how to train.
        seed: of the first weights and the order of the rows. PyTorch's own generator, which threads share, is not used.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    network = Network(shape)
    _initialize(network, trained, generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    best, lowest, waited = _state(network), _loss(network, stopping).item(), 0
    for _ in range(schedule.max_epochs):
        for batch in torch.randperm(len(trained.labels), generator=generator).split(schedule.batch_size):
            optimizer.zero_grad()
            _loss(network, trained.where(batch)).backward()
            optimizer.step()
        with torch.no_grad():
            loss = _loss(network, stopping).item()
        best, lowest, waited = (_state(network), loss, 0) if loss < lowest else (best, lowest, waited + 1)
        if waited >= schedule.patience:
            break
    return restored(shape, best)


def restored(shape: Shape, state: Mapping[str, torch.Tensor]) -> Network:
    """A fitted network from its tensors."""
    network = Network(shape)
    network.load_state_dict(state)
    network.requires_grad_(False)
    return network


def margins(networks: Sequence[Network], rows: torch.Tensor) -> torch.Tensor:
    """The mean margin of the networks."""
    return torch.stack([network(rows) for network in networks]).mean(dim=0)


def integrated_gradients(networks: Sequence[Network], rows: Array, means: Array) -> Array:
    """What each feature adds to the margin (Sundararajan et al. 2017, "Axiomatic attribution for deep networks").

    Args:
        networks: the networks.
        rows: the features, rows x features.
        means: where the straight path to each row begins.

    Returns:
        Rows x features: the integral of the margin's gradient over the path, times its length. The sum over the
        features is the margin of the row minus that at the means, up to the error of the numerical integral.
    """
    places, weights = np.polynomial.legendre.leggauss(_POINTS)
    begin = torch.as_tensor(means, dtype=torch.float32)
    way = torch.as_tensor(rows, dtype=torch.float32) - begin
    total = torch.zeros_like(way, dtype=torch.float64)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        point = (begin + float(place) * way).requires_grad_()
        total += float(weight) * torch.autograd.grad(margins(networks, point).sum(), point)[0].double()
    values: Array = (total * way.double()).numpy()
    return values


def _initialize(network: Network, trained: Rows, generator: torch.Generator) -> None:
    """Statistics of the training rows, random weights (He et al. 2015), and the log-odds of label 1 as the margin."""
    deviations, means = torch.std_mean(trained.features.double(), dim=0, correction=0)
    network.standardize.running_mean.copy_(means)
    # A feature that does not vary has no effect.
    network.standardize.running_var.copy_(torch.where(deviations > 0, deviations**2, torch.inf))
    last = network.layers[-1]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.split(".")[-1].startswith("weight"):
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
            else:
                parameter.zero_()
        last.weight.zero_()
        share = (trained.labels * trained.weights).sum() / trained.weights.sum()
        last.bias.fill_(torch.logit(share.clamp(1e-6, 1 - 1e-6)))


def _loss(network: Network, rows: Rows) -> torch.Tensor:
    """The weighted mean of the log loss."""
    loss: torch.Tensor = binary_cross_entropy_with_logits(
        network(rows.features), rows.labels, rows.weights, reduction="sum"
    )
    return loss / rows.weights.sum().clamp(min=1e-12)


def _state(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
