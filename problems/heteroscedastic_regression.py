"""Heteroscedastic regression: one network for the mean, one for the variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from optbench.interfaces import Loss
from optbench.nn import Network
from optbench.nn.architecture import Architecture, widths
from optbench.nn.blocks import Heads


@dataclass(frozen=True, kw_only=True)
class HeteroscedasticRegression(Architecture):
    """Two networks learn mean and variance of a value from the inputs.

        p(y | x) = N(y | μ(x), e^s(x)),   f = mean over samples and outputs of ½ (s + (y − μ)² e^(−s))

    the negative log-likelihood without the constant ½ ln 2π, in nats; s is the logarithm of the variance. Data: diabetes, the
    value standardised; 265 samples to train, 89 to validate, 88 to test. 770 parameters as set (twice 10-32-1).

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unbounded below where a
    value can be met exactly. Targets: f₀ − 0.2, f₀ − 0.4, f₀ − 0.6 nats, where f₀ is the loss of the best constant mean
    and variance, ½ (1 + ln Var y).

    Args:
        hidden: width of each hidden layer of both networks.
        data: name of a data set of values, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data have labels, or the batch is larger than the training part.

    Source: Nix & Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994. Same loss as
    torch.nn.GaussianNLLLoss.
    """

    budget: ClassVar[int] = 1000
    convex: ClassVar[bool] = False

    hidden: Sequence[int] = (32,)
    data: str = "diabetes"

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("HeteroscedasticRegression", "hidden", self.hidden)

    def module(self) -> nn.Module:
        if self.task != "values":
            raise ValueError(f"HeteroscedasticRegression needs values to predict, and {self.data} has labels")
        sizes = (math.prod(self.shape), *self.hidden, self.outputs)
        trunk = nn.Sequential(nn.Flatten(), *self.first())
        return Heads(trunk, nn.Sequential(*self.dense(*sizes)), nn.Sequential(*self.dense(*sizes)))

    def check_outputs(self, network: Network) -> None:
        """Nothing to refuse: the network is built here."""

    def criterion(self, out: Any, y: Tensor) -> Loss:
        mean, log_variance = out
        return (0.5 * (log_variance + (y - mean).square() * (-log_variance).exp())).flatten(1).mean(dim=1)

    def scores(self, out: Any, y: Tensor) -> dict[str, Loss]:
        return {"squared_error": (out[0] - y).square().flatten(1).mean(dim=1)}

    def predicted(self, params: Tensor, x: Tensor) -> Any:
        if self.predictions:
            raise ValueError("HeteroscedasticRegression: predictions is for networks that classify; leave it at 0")
        return self.outputs_of(params, x)

    def reference_loss(self) -> float:
        return float(0.5 * (1 + self.train.y.double().var(dim=0, correction=0).log()).mean())

    def targets(self) -> Sequence[float]:
        return [self.reference_loss() - nats for nats in (0.2, 0.4, 0.6)]
