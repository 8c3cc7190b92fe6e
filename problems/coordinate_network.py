"""Coordinate network: a photograph as a function from places to colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from optbench.checks import setting
from optbench.data.splits import Part
from optbench.interfaces import Loss
from optbench.nn.architecture import Architecture, widths
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class CoordinateNetwork(Architecture):
    """A fully connected network learns a photograph: from a place, through random waves, to red, green and blue.

        γ(p) = [sin 2πBp, cos 2πBp],   f = mean over places and colours of (network(γ(p)) − colour)²

    with B fixed: independent N(0, scale²), the same for all trials. Without waves (features = 0) the place itself goes in,
    and fine detail is learnt late. Data: photograph, 64 × 64 places in [−1, 1]²; 2,458 to train, 819 to validate and 819 to
    test, which are places in between. 12,675 parameters as set (64-64-64-64-3).

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown; 0 is a lower bound.
    Targets: τ f₀ for τ = 0.3, 0.1, 0.05, where f₀ is the error of the best constant, the variance of the colours.
    The metric psnr is −10 log₁₀ of the mean squared error, in decibels.

    Args:
        hidden: width of each hidden layer.
        features: number of waves; 0: none.
        scale: how fine the waves are.
        data: name of a data set of values, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: Tancik et al., "Fourier features let networks learn high frequency functions in low dimensional domains",
    NeurIPS 2020, https://arxiv.org/abs/2006.10739.
    """

    budget: ClassVar[int] = 1000

    hidden: Sequence[int] = (64, 64, 64)
    features: int = setting(32, least=0)
    scale: float = setting(1.0, above=0)
    data: str = "photograph"

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("CoordinateNetwork", "hidden", self.hidden)

    def prepared(self, part: Part, train: Part) -> Part:
        if part.x.ndim != 2:
            raise ValueError(
                f"CoordinateNetwork needs one row of numbers an input, and those of {self.data} are images"
            )
        if self.features == 0:
            return part
        inputs = part.x.shape[1]
        drawn = Randomness([0], "coordinate_network waves").normal(0, self.features * inputs)[0]
        phase = 2 * math.pi * self.scale * (part.x.double().cpu() @ drawn.view(inputs, -1))
        return Part(torch.cat([phase.sin(), phase.cos()], dim=1).to(part.x), part.y)

    def module(self) -> nn.Module:
        return nn.Sequential(*self.first(), *self.dense(math.prod(self.shape), *self.hidden, self.outputs))

    def scores(self, out: Tensor, y: Tensor) -> dict[str, Loss]:
        return {"psnr": -10 * self.criterion(out, y).log10()}

    def targets(self) -> Sequence[float]:
        return [tau * self.reference_loss() for tau in (0.3, 0.1, 0.05)]
