"""Activation L1: hidden units that are not zero cost their absolute value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_settings, setting
from ..data.batch import Batch
from ..interfaces import Loss, Params, Problem, ProblemModifier
from ..nn.blocks import HIDDEN
from .derived_problem import DerivedProblem, learning


@dataclass(frozen=True, kw_only=True)
class ActivationL1(ProblemModifier):
    """A sparse representation: the outputs h of all hidden activation layers are penalised, not the weights.

        f ← f + λ · mean over the batch of Σ |h|

    with the sum over all layers, units and, in images and sequences, places. Seen are layers of torch.nn such as ReLU or
    Tanh and recurrent layers (h of each place) in a network of torch.nn.Sequential and optbench.nn.blocks; what a module of
    one's own computes inside is not.

    Args:
        strength: weight λ of the penalty, in units of the loss per activation.

    Raises:
        ValueError: strength is negative, or the network shows no activation layer.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.10, equation 7.48 with Ω(h) = ‖h‖₁.
    """

    strength: float = setting(1e-4, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def change(self, problem: Problem) -> Problem:
        inner, seen = learning(problem, "activation_l1"), Seen()
        with torch.no_grad():
            inner.outputs_of(inner.start([0]), inner.train.x[:2], watch=seen)
        if not seen.outputs:
            raise ValueError(
                f"activation_l1 needs a network with activation layers such as torch.nn.ReLU, and that of "
                f"{type(inner).__name__} shows none"
            )
        return SparseActivations(inner=problem, strength=self.strength)


@dataclass(frozen=True, kw_only=True)
class SparseActivations(DerivedProblem):
    """Activations are penalised.

    Args:
        strength: weight of the penalty.
    """

    strength: float

    def loss(self, params: Params, batch: Batch) -> Loss:
        seen = Seen(batch.watch)
        loss = self.inner.loss(params, batch._replace(watch=seen))
        for h in seen.outputs:
            loss = loss + self.strength * h.abs().flatten(2).sum(dim=2).mean(dim=1)
        return loss


class Seen:
    """Collects the outputs `[trials, batch, …]` of activation layers, and lets another see them too.

    Args:
        other: what else watches.
    """

    def __init__(self, other: Any = None):
        self.other, self.outputs = other, list[Tensor]()

    def __call__(self, name: str, layer: nn.Module, out: Any) -> None:
        if self.other is not None:
            self.other(name, layer, out)
        if isinstance(layer, HIDDEN):
            self.outputs.append(out)
