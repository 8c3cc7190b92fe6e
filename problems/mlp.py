"""MLP: a fully connected network on the digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from .classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class MLP(Classifier):
    """A fully connected network with ReLU tells 8 × 8 images of digits apart.

        z = Wₖ relu(… relu(W₁ x + b₁) …) + bₖ,   f = mean over samples of −log softmax(z)[label]

    Data: digits, 1,797 images, standardised on the training part (all pixels together); 1,078 to train, 360 to
    validate, 359 to test. 4,810 parameters as set (64-64-10).

    Domain: ℝⁿ. Start: torch's default, weights and biases U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown;
    0 is a lower bound, approached when every training sample is classified with growing certainty. Targets: τ ln 10 for
    τ = 10⁻¹, 10⁻², 10⁻³: ln 10 is the loss of guessing, which a fresh network is close to.

    Args:
        hidden: width of each hidden layer.
        batch_size: samples in a minibatch.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", Nature 323 (1986),
    533–536. Data: Alpaydin & Kaynak, UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.
    """

    data: ClassVar[str] = "digits"
    budget: ClassVar[int] = 500
    loss_chunk: ClassVar[int | None] = 32

    hidden: Sequence[int] = (64,)

    def __post_init__(self) -> None:
        super().__post_init__()
        widths = self.hidden if isinstance(self.hidden, (tuple, list)) else [None]
        if any(isinstance(width, bool) or not isinstance(width, int) or width < 1 for width in widths):
            raise ValueError(f"MLP: hidden must hold whole numbers of at least 1, got {self.hidden!r}")

    def module(self) -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((64, *self.hidden, 10)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
