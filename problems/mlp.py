"""MLP: a fully connected network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import Architecture, widths
from optbench.nn.blocks import Residual


@dataclass(frozen=True, kw_only=True)
class MLP(Architecture):
    """A fully connected network, on the 8 × 8 images of digits unless other data are named.

        h₀ = x,   hᵢ = φ(norm(Wᵢ hᵢ₋₁ + bᵢ)),   z = Wₖ hₖ₋₁ + bₖ
        f = mean over samples of −log softmax(z)[label], for values of (z − y)²

    with φ relu as set; with `skip` the hidden layers add to what they get: hᵢ = hᵢ₋₁ + φ(…), through a matrix where
    the widths differ. Tokens are embedded first. Data: digits, 1,797 images, standardised on the training part (all
    pixels together); 1,078 to train, 360 to validate, 359 to test. 4,810 parameters as set (64-64-10).

    Domain: ℝⁿ. Start: torch's default, weights and biases U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown;
    0 is a lower bound, approached when every training sample is classified with growing certainty. Targets: τ ln 10 for
    τ = 10⁻¹, 10⁻², 10⁻³: ln 10 is the loss of guessing, which a fresh network is close to.

    Args:
        hidden: width of each hidden layer.
        skip: connections around the hidden layers.
        data: name of a data set, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", Nature 323 (1986),
    533–536. Data: Alpaydin & Kaynak, UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.
    """

    budget: ClassVar[int] = 500

    hidden: Sequence[int] = (64,)
    skip: bool = setting(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("MLP", "hidden", self.hidden)

    def module(self) -> nn.Module:
        inputs, embedding = math.prod(self.shape), []
        if self.dataset.tokens:
            width = self.hidden[0] if self.hidden else 16
            inputs, embedding = inputs * width, [nn.Embedding(self.dataset.tokens, width)]
        layers: list[nn.Module] = [*embedding, nn.Flatten(), *self.first()]
        for before, after in pairwise((inputs, *self.hidden)):
            body: list[nn.Module] = [nn.Linear(before, after), *self.normalise(after), *self.activate()]
            if self.skip:
                body = [
                    Residual(nn.Sequential(*body), None if before == after else nn.Linear(before, after, bias=False))
                ]
            layers += body
        return nn.Sequential(*layers, nn.Linear((inputs, *self.hidden)[-1], self.outputs))
