"""Quadratic with the spectrum of a deep network and noise from minibatches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from optbench.checks import Range, check_settings
from optbench.data.minibatches import Minibatches
from optbench.data.splits import Part
from optbench.interfaces import FixedStream, Layout, Loss, Params, Problem, Stream
from optbench.randomness import Randomness

N, SAMPLES, NOISE = 100, 1000, 0.6


@dataclass(frozen=True, kw_only=True)
class QuadraticDeep(Problem):
    """A quadratic in 100 dimensions whose few large and many small curvatures are like those of deep networks.

        f(θ) = mean over samples x of ½ (θ − x)ᵀ Q (θ − x),   Q = R diag(λ) Rᵀ

    90 of the λ are uniform in (0, 1), 10 in (30, 60); R is a random rotation; the 1,000 samples are N(0, 0.6²) in each
    coordinate. All are drawn once by the law of the source, the same for every seed; not its numbers.

    Domain: ℝ¹⁰⁰. Start: (1, …, 1) for every seed, as in the source; seeds differ in their data order. Minimum: at the mean
    of the samples, half the trace of Q times their covariance. Targets: f* + 10^p (f(θ₀) − f*) for p = −1, −2, −3.

    Args:
        batch_size: samples in a minibatch; null for all of them, so that every step sees the same objective.

    Raises:
        ValueError: the batch is larger than the data.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019, test problem
    quadratic_deep; spectrum after Chaudhari et al., "Entropy-SGD", ICLR 2017.
    """

    budget: ClassVar[int] = 1000

    batch_size: int | None = field(default=128, metadata={"range": Range(least=1, whole=True, optional=True)})

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(N)

    def start(self, seeds: Sequence[int]) -> Params:
        return torch.ones(len(seeds), N, **self.kind)

    @cached_property
    def _curvatures(self) -> tuple[Tensor, Tensor]:
        """λ and R, in float64 on the CPU."""
        u = Randomness([0], "quadratic_deep curvatures").uniform(0, N)[0]
        curvatures = torch.cat([u[:90], 30 + 30 * u[90:]])
        rotation, upper = torch.linalg.qr(Randomness([0], "quadratic_deep rotation").normal(0, N * N)[0].view(N, N))
        return curvatures, rotation * upper.diagonal().sign()

    @cached_property
    def samples(self) -> Tensor:
        """In the coordinates of the eigenvectors, `[1000, 100]`, in float64 on the CPU."""
        drawn = NOISE * Randomness([0], "quadratic_deep samples").normal(0, SAMPLES * N)[0].view(SAMPLES, N)
        return drawn @ self._curvatures[1]

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """λ, R and the mean of the samples as they are computed with."""
        curvatures, rotation = self._curvatures
        return tuple(t.to(**self.kind) for t in (curvatures, rotation, self.samples.mean(dim=0)))  # type: ignore[return-value] # three of them

    @cached_property
    def _minimum(self) -> float:
        spread = (self.samples - self.samples.mean(dim=0)).square().mean(dim=0)
        return 0.5 * float((self._curvatures[0] * spread).sum())

    def stream(self, seeds: Sequence[int]) -> Stream:
        if self.batch_size is None:
            return FixedStream()
        part = Part(self.samples.to(**self.kind), torch.zeros(SAMPLES, dtype=torch.int64, device=self.device))
        return Minibatches(seeds, part, self.batch_size)

    def loss(self, params: Params, batch: Any) -> Loss:
        curvatures, rotation, centre = self._parts
        turned = torch.bmm(params[:, None], rotation.expand(len(params), N, N))[:, 0]
        if batch is None:
            return 0.5 * (curvatures * (turned - centre).square()).sum(dim=1) + self._minimum
        return 0.5 * (curvatures * (turned[:, None] - batch.x).square()).sum(dim=2).mean(dim=1)

    def scratch_bytes(self) -> int:
        return super().scratch_bytes() + 2 * (self.batch_size or 0) * N * self.kind["dtype"].itemsize

    def minimum(self) -> float:
        return self._minimum

    def minimiser(self) -> Tensor:
        return (self._curvatures[1] @ self.samples.mean(dim=0)).to(**self.kind)

    @cached_property
    def _drop(self) -> float:
        """How far the objective at the start lies above its minimum."""
        turned = torch.ones(N, dtype=torch.float64) @ self._curvatures[1]
        return 0.5 * float((self._curvatures[0] * (turned - self.samples.mean(dim=0)).square()).sum())

    def targets(self) -> Sequence[float]:
        return [self._minimum + 10.0**p * self._drop for p in (-1, -2, -3)]

    def target(self) -> float:
        return self.targets()[1]
