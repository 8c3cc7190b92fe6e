"""What the networks that classify have in common: minibatches, metrics, targets."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from optbench.checks import check_settings, setting
from optbench.data import DATASETS
from optbench.data.minibatches import Minibatches
from optbench.data.splits import Part, Splits, split
from optbench.interfaces import Layout, Loss, Params, Problem, Stream
from optbench.nn import Network
from optbench.nn.layers import cross_entropy


@dataclass(frozen=True, kw_only=True)
class Classifier(Problem):
    """A network that tells classes apart; concrete ones say which data and which module.

    Objective: mean cross-entropy over the training part. Targets: f_L + τ (f(x0) − f_L), τ = 10⁻¹, 10⁻², 10⁻³, with
    reference values that hold for every setting: f(x0) = ln(classes), the loss of a guess that gives every class the
    same chance, which a fresh network is close to; f_L = 0, the lower bound of a cross-entropy.
    """

    family: ClassVar[str] = "learning"
    cheap: ClassVar[bool] = False
    default_dtype: ClassVar[torch.dtype] = torch.float32
    judged_by: ClassVar[str] = "validation_loss"
    data: ClassVar[str]
    """Key in the table DATASETS."""

    batch_size: int = setting(64, least=1)
    split: int = setting(0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @abc.abstractmethod
    def module(self) -> nn.Module:
        """The network; only its shape is used, never its parameters."""

    @cached_property
    def network(self) -> Network:
        return Network(self.module())

    @cached_property
    def splits(self) -> Splits:
        return split(DATASETS[self.data](), self.split, **self.kind)

    @property
    def layout(self) -> Layout:
        return self.network.layout

    def start(self, seeds: Sequence[int]) -> Params:
        return self.network.start(seeds, f"{type(self).__name__.lower()} start", **self.kind)

    def stream(self, seeds: Sequence[int]) -> Stream:
        return Minibatches(seeds, self.splits.train, self.batch_size)

    def loss(self, params: Params, batch: tuple[Tensor, Tensor]) -> Loss:
        x, y = batch
        return cross_entropy(self.network(params, x), y)

    def loss_and_grad(self, params: Params, batch: tuple[Tensor, Tensor]) -> tuple[Loss, Params]:
        if len(params) > 1:
            return super().loss_and_grad(params, batch)
        # one trial: gradients of the layers themselves, joined, take 0.7 of the time of going back through the row's views
        own = {name: value[0].detach().requires_grad_() for name, value in self.layout.split(params).items()}
        loss = F.cross_entropy(self.network.alone(own, batch[0][0]), batch[1][0])
        gradients = torch.autograd.grad(loss, list(own.values()))
        return loss.detach()[None], torch.cat([g.flatten() for g in gradients])[None]

    def scratch_bytes(self) -> int:
        sample = (
            self.splits.train.x[0].numel() * self.kind["dtype"].itemsize + 8
        )  # and its label; activations are chunked
        return super().scratch_bytes() + self.batch_size * sample

    def measure(self, params: Params, part: Part) -> tuple[Loss, Loss]:
        """Mean cross-entropy and accuracy of the trials on one part, without gradient, `loss_chunk` trials at once."""
        losses, accuracies = [], []
        with torch.no_grad():
            for rows in _chunks(params, self.loss_chunk):
                x, y = part.x.expand(len(rows), *part.x.shape), part.y.expand(len(rows), -1)
                logits = self.network(rows, x)
                losses.append(cross_entropy(logits, y))
                accuracies.append((logits.argmax(dim=2) == y).to(logits.dtype).mean(dim=1))
        return torch.cat(losses)[: len(params)], torch.cat(accuracies)[: len(params)]

    def objective(self, params: Params, step: int) -> Loss:
        return self.measure(params, self.splits.train)[0]

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        objective, train_accuracy = self.measure(params, self.splits.train)
        validation_loss, validation_accuracy = self.measure(params, self.splits.validation)
        return {
            "objective": objective,
            "train_accuracy": train_accuracy,
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
        }

    def test(self, params: Params) -> dict[str, Loss]:
        loss, accuracy = self.measure(params, self.splits.test)
        return {"test_loss": loss, "test_accuracy": accuracy}

    def minimum(self) -> None:
        return None

    def targets(self) -> Sequence[float]:
        reference = math.log(DATASETS[self.data]().classes)
        return [tau * reference for tau in (1e-1, 1e-2, 1e-3)]

    def target(self) -> float:
        return self.targets()[1]


def _chunks(params: Params, size: int | None) -> list[Tensor]:
    """Rows in chunks; a row that would be left alone among several is doubled, as its last bit would differ."""
    chunks = list(params.split(size or max(len(params), 1)))
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-1] = chunks[-1].expand(2, -1)
    return chunks
