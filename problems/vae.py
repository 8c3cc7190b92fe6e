"""Variational autoencoder: a generative model of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from optbench.checks import setting
from optbench.interfaces import Loss
from optbench.nn import Network
from optbench.nn.architecture import Architecture, widths
from optbench.nn.blocks import Composite, Part
from optbench.nn.layers import Sample


class Coder(Composite):
    """Encoder, draw of a code, decoder; gives the reconstruction, and mean and log-variance of the code."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.draw, self.decoder = encoder, Sample(), decoder

    def combine(self, part: Part, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = part("encoder", x).chunk(2, dim=-1)
        return part("decoder", part("draw", mean, log_variance)), mean, log_variance


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, diag eˢ) ‖ N(0, 1)) = ½ Σ (μ² + eˢ − 1 − s), over the last dimension; in nats.

    Source: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)


@dataclass(frozen=True, kw_only=True)
class VAE(Architecture):
    """A variational autoencoder on the 8 × 8 digits unless others are named.

        (μ, s) = encoder(x),   z = μ + e^(s/2) ε,   x̂ = decoder(z)
        f = mean over samples of ½ ‖x̂ − x‖² + ½ Σ (μ² + eˢ − 1 − s)

    the negative evidence lower bound with p(x | z) = N(x̂, 1), but for a constant; in nats. Pixels are standardised, not in
    [0, 1], so the law is Gaussian; digits_vae has DeepOBS's, squared errors of pixels in [0, 1]. In training ε is drawn for each
    sample and step, in evaluation it is the same for every trial at every step. Data: digits, standardised on the training
    part; 1,078 to train, 360 to validate, 359 to test. 9,936 parameters as set (64-64-8-64-64).

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown; the divergence keeps
    it above 0. Targets: τ f₀ for τ = 0.85, 0.75, 0.7, where f₀ is the loss of the decoder that always gives the mean image
    and of a code without information. Adam with rate 3·10⁻³ comes to 0.655 f₀ in ten times the budget.

    Args:
        hidden: widths between input and code; the decoder has them backwards.
        code: numbers in the code.
        data: name of a data set of numbers, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, equations 7 and 10, https://arxiv.org/abs/1312.6114.
    """

    budget: ClassVar[int] = 1000
    reconstructs: ClassVar[bool] = True

    hidden: Sequence[int] = (64,)
    code: int = setting(8, least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("VAE", "hidden", self.hidden)

    def module(self) -> nn.Module:
        inputs = math.prod(self.shape)
        encoder, decoder = (inputs, *self.hidden, 2 * self.code), (self.code, *reversed(self.hidden), inputs)
        return Coder(
            nn.Sequential(nn.Flatten(), *self.first(), *self.dense(*encoder)), nn.Sequential(*self.dense(*decoder))
        )

    def check_outputs(self, network: Network) -> None:
        """Nothing to refuse: the network is built here."""

    def criterion(self, out: Any, y: Tensor) -> Loss:
        reconstruction, mean, log_variance = out
        errors = 0.5 * (reconstruction - y).square().sum(dim=-1)
        return (errors + divergence(mean, log_variance)).mean(dim=1)

    def scores(self, out: Any, y: Tensor) -> dict[str, Loss]:
        _, mean, log_variance = out
        return {"divergence": divergence(mean, log_variance).mean(dim=1)}

    def predicted(self, params: Tensor, x: Tensor) -> Any:
        if self.predictions:
            raise ValueError(f"{type(self).__name__}: predictions is for networks that classify; leave it at 0")
        return self.outputs_of(params, x)

    def reference_loss(self) -> float:
        y = self.train.y.double()
        return 0.5 * float((y - y.mean(dim=0)).square().sum(dim=1).mean())

    def targets(self) -> Sequence[float]:
        return [tau * self.reference_loss() for tau in (0.85, 0.75, 0.7)]
