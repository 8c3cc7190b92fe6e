"""Autoencoder: a network squeezes its inputs through a few numbers and rebuilds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import Architecture, widths


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Architecture):
    """A fully connected network rebuilds images from a code of a few numbers, on the 8 × 8 digits unless others are named.

        c = W₂ φ(W₁ x + b₁) + b₂,   x̂ = W₄ φ(W₃ c + b₃) + b₄,   f = mean over samples and inputs of (x̂ − x)²

    with φ relu as set. Data: digits, standardised on the training part; 1,078 to train, 360 to validate, 359 to test.
    9,416 parameters as set (64-64-8-64-64). With `problem.augment.noise` it is a denoising autoencoder: changed inputs, clean
    targets.

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown; 0 is a lower bound,
    and the error of the best linear code, the smallest eigenvalues of the covariance, is a mark to beat. Targets: τ f₀ for
    τ = 0.5, 0.35, 0.25, where f₀ is the error of the best constant, the mean variance of the inputs.

    Args:
        hidden: widths between input and code; the decoder has them backwards.
        code: numbers in the code.
        data: name of a data set of numbers, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313 (2006), 504–507.
    """

    budget: ClassVar[int] = 1000
    reconstructs: ClassVar[bool] = True

    hidden: Sequence[int] = (64,)
    code: int = setting(8, least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("Autoencoder", "hidden", self.hidden)

    def module(self) -> nn.Module:
        inputs = math.prod(self.shape)
        return nn.Sequential(
            nn.Flatten(),
            *self.first(),
            *self.dense(inputs, *self.hidden, self.code),
            *self.dense(self.code, *reversed(self.hidden), inputs),
        )

    def targets(self) -> Sequence[float]:
        return [tau * self.reference_loss() for tau in (0.5, 0.35, 0.25)]
