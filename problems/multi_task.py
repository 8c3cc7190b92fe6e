"""Multi-task learning: one trunk, two heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from optbench.checks import setting
from optbench.interfaces import Loss
from optbench.nn import Network
from optbench.nn.architecture import Architecture, widths
from optbench.nn.blocks import Heads
from optbench.nn.layers import cross_entropy


@dataclass(frozen=True, kw_only=True)
class MultiTask(Architecture):
    """Two tasks share their hidden layers: which class an input has, and whether its number is odd.

        h = trunk(x),   z₁ = W₁ h + b₁,   z₂ = W₂ h + b₂
        f = mean over samples of −log softmax(z₁)[label] − weight · log softmax(z₂)[label mod 2]

    trunk has hidden layers with relu as set. Data: digits, 1,797 images of 8 × 8 pixels; 1,078 to train, 360 to validate,
    359 to test. 4,940 parameters as set. The metrics are the accuracies of both.

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown; 0 is a lower bound.
    Targets: τ f₀ for τ = 10⁻¹, 10⁻², 10⁻³, where f₀ = ln(classes) + weight · ln 2 is the loss of guessing.

    Args:
        hidden: width of each hidden layer of the trunk.
        weight: of the second task.
        data: name of a data set with labels, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the data have no single label a sample.

    Source: Caruana, "Multitask learning", Machine Learning 28 (1997), 41–75.
    """

    budget: ClassVar[int] = 500

    hidden: Sequence[int] = (64,)
    weight: float = setting(1.0, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not widths("MultiTask", "hidden", self.hidden):
            raise ValueError("MultiTask: hidden must hold at least one width")

    def module(self) -> nn.Module:
        if self.task != "classes":
            raise ValueError(f"MultiTask needs one label a sample, which {self.data} has not")
        last = self.hidden[-1]
        body = self.dense(math.prod(self.shape), *self.hidden)
        trunk = nn.Sequential(nn.Flatten(), *self.first(), *body, *self.normalise(last), *self.activate())
        return Heads(trunk, nn.Linear(last, self.outputs), nn.Linear(last, 2))

    def check_outputs(self, network: Network) -> None:
        """Nothing to refuse: the network is built here."""

    def criterion(self, out: Any, y: Tensor) -> Loss:
        if y.dtype != torch.int64:  # probabilities, as mixup and label smoothing give them
            odd = y[..., 1::2].sum(dim=-1)
            return cross_entropy(out[0], y) + self.weight * cross_entropy(out[1], torch.stack([1 - odd, odd], dim=-1))
        return cross_entropy(out[0], y) + self.weight * cross_entropy(out[1], y % 2)

    def scores(self, out: Any, y: Tensor) -> dict[str, Loss]:
        right = {"accuracy": out[0].argmax(dim=-1) == y, "odd_accuracy": out[1].argmax(dim=-1) == y % 2}
        return {name: truth.to(out[0].dtype).mean(dim=1) for name, truth in right.items()}

    def predicted(self, params: Tensor, x: Tensor) -> Any:
        if self.predictions:
            raise ValueError("MultiTask: predictions is for networks of one head; leave it at 0")
        return self.outputs_of(params, x)

    def reference_loss(self) -> float:
        return super().reference_loss() + self.weight * math.log(2)
