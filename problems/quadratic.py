"""Quadratic: a bowl with a chosen spectrum, rotation and gradient noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from optbench.checks import check_settings, setting
from optbench.interfaces import FixedStream, Layout, Loss, Outputs, Params, Problem, Rows, Stream
from optbench.randomness import Randomness


class GradientNoise(Stream):
    """Normal noise ε `[trials, n]`, added to the gradient by the loss term ε·(x − x*)."""

    def __init__(self, seeds: Sequence[int], n: int, sigma: float, kind: dict[str, Any]):
        self.random = Randomness(seeds, "quadratic noise", kind["device"])
        self.n, self.sigma, self.dtype = n, sigma, kind["dtype"]

    def at(self, step: int, rows: Rows | None = None) -> Float[Tensor, "trials n"]:
        return self.sigma * self.random.normal(step, self.n, rows, self.dtype)


@dataclass(frozen=True, kw_only=True)
class Quadratic(Problem):
    """A quadratic bowl whose eigenvalues run from 1/condition to 1.

        f(x) = ½ (x − x*)ᵀ A (x − x*),   A = Q diag(λ) Qᵀ,   x* = (1, …, 1)
        minibatch loss: f(x) + ε·(x − x*), so its gradient is A(x − x*) + ε,   ε ~ N(0, noise² I)

    Spectrum, for i = 0 … n − 1 and q = i/(n − 1): "log" λᵢ = condition^(q − 1); "linear" λᵢ = 1/condition + q (1 −
    1/condition); "two_clusters" the lower half of them 1/condition, the others 1.

    Domain: ℝⁿ, drawn on [−2, 4]². Start: x* plus standard normal numbers of the seed. Minimum: 0 at x*. Condition
    number: as set. With noise, gradient descent at rate η stalls near f = ¼ η noise² n (small η).

    Args:
        n: number of coordinates, at least 2.
        condition: largest eigenvalue over the least.
        spectrum: how the eigenvalues between are spread: "log", "linear" or "two_clusters".
        rotation: Q is a random orthogonal matrix; false: the identity, so that the axes are the eigenvectors.
        draw: number of the random rotation.
        noise: standard deviation of the gradient noise in each coordinate.

    Source: standard; as a test for optimizers with gradient noise: Schaul, Zhang & LeCun, "No more pesky learning
    rates", ICML 2013, section 4, https://arxiv.org/abs/1206.1106. Rotation as in Stewart, "The efficient generation of
    random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980), 403–409.
    """

    budget: ClassVar[int] = 1000

    n: int = setting(20, least=2)
    condition: float = setting(100.0, least=1)
    spectrum: str = setting("log", choices=("log", "linear", "two_clusters"))
    rotation: bool = setting(True)
    draw: int = setting(0, least=0)
    noise: float = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(self.n)

    @cached_property
    def eigenvalues(self) -> Float[Tensor, "n"]:
        """λ, ascending, in float64 on the CPU."""
        q, least = torch.linspace(0, 1, self.n, dtype=torch.float64), 1 / self.condition
        if self.spectrum == "log":
            return self.condition ** (q - 1)
        if self.spectrum == "linear":
            return least + q * (1 - least)
        return torch.ones_like(q).where(q >= 0.5, least)

    @cached_property
    def _root(self) -> Float[Tensor, "n n"]:
        """R = diag(√λ) Qᵀ, so that f = ½ ‖R (x − x*)‖². Q is made in float64 on the CPU, the same on every device."""
        q = torch.eye(self.n, dtype=torch.float64)
        if self.rotation:
            normal = Randomness([self.draw], "quadratic rotation").normal(0, self.n**2).view(self.n, self.n)
            q, r = torch.linalg.qr(normal)
            q = q * r.diagonal().sign()  # without it Q is not uniformly distributed
        return (self.eigenvalues.sqrt()[:, None] * q.T).to(**self.kind)

    def start(self, seeds: Sequence[int]) -> Params:
        return 1 + Randomness(seeds, "quadratic start", self.device).normal(0, self.n, dtype=self.kind["dtype"])

    def stream(self, seeds: Sequence[int]) -> Stream:
        return GradientNoise(seeds, self.n, self.noise, self.kind) if self.noise else FixedStream()

    def loss(self, params: Params, batch: Float[Tensor, "trials n"] | None) -> Loss:
        away = params - 1
        # One small product a trial: a product of all rows with one shared matrix changes their bits with their number.
        mapped = torch.bmm(self._root.expand(away.shape[0], -1, -1), away[:, :, None])
        value = 0.5 * (mapped**2).sum(dim=(1, 2))
        return value if batch is None else value + (batch * away).sum(dim=1)

    def decomposed(
        self, params: Params, batch: Float[Tensor, "trials n"] | None
    ) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        def loss(outputs: Outputs) -> Loss:
            mapped, away = outputs
            value = 0.5 * mapped.square().sum(dim=1)
            return value if batch is None else value + (batch * away).sum(dim=1)

        away = params - 1
        return (torch.bmm(self._root.expand(len(away), -1, -1), away[:, :, None])[..., 0], away), loss

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.ones(self.n, **self.kind)

    def targets(self) -> Sequence[float]:
        return [1e-1, 1e-2, 1e-4, 1e-6, 1e-8]

    def target(self) -> float:
        return 1e-4

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        return ((-2.0, 4.0), (-2.0, 4.0)) if self.n == 2 else None
