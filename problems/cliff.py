"""Cliff: a gentle slope that leads to the foot of a steep wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from optbench.checks import check_settings, setting
from optbench.interfaces import Layout, Loss, Params, Problem
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class Cliff(Problem):
    """A gentle slope in the weight w and the bias b of a recurrent unit that leads to the foot of a steep wall.

        f(w, b) = √(u² + s²) − s + ¹⁄₂₀ b² + height · r²/(1 + r²)
        u = w + ½ b,   s = ¹⁄₁₀,   r = steepness · max(u, 0)

    Left of the line u = 0 the slope is 1 towards the line, and the way along its foot, to b = 0, is ten times gentler.
    Right of it the function climbs by `height` within a few 1/steepness; on top it slopes gently back. The gradient on
    the wall reaches height · steepness · ⅜√3 (65 as set), so one step that ends there is thrown
    far back over the plain. A rate made for the plain meets the wall, a rate made for the wall crawls over the plain.

    Domain: ℝ², drawn on [−6, 4] × [−5, 5]. Start: (−4, 3) plus normal noise of the seed, σ = 0.1; f ≈ 2.9.
    Minimum: 0 at (0, 0), where the three terms vanish, and nowhere else. f is once continuously differentiable; its
    curvature across the foot jumps from 10 to 10 + 2 · height · steepness² (4,010 as set).

    Args:
        height: height of the wall.
        steepness: 1 / width of the wall.

    Source: form by this project after the picture of Goodfellow, Bengio & Courville, "Deep learning", MIT Press 2016,
    Figure 8.3, https://www.deeplearningbook.org/contents/optimization.html, which follows Pascanu, Mikolov & Bengio,
    "On the difficulty of training recurrent neural networks", ICML 2013, Figure 6.
    """

    budget: ClassVar[int] = 1000

    height: float = setting(5.0, above=0)
    steepness: float = setting(20.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(2)

    def start(self, seeds: Sequence[int]) -> Params:
        noise = Randomness(seeds, "cliff start", self.device).normal(0, 2, dtype=self.kind["dtype"])
        return torch.tensor([-4.0, 3.0], **self.kind) + 0.1 * noise

    def loss(self, params: Params, batch: Any) -> Loss:
        w, b = params.unbind(dim=1)
        u, s = w + 0.5 * b, 0.1
        r2 = (self.steepness * u.clamp(min=0)) ** 2
        return (u**2 + s**2).sqrt() - s + 0.05 * b**2 + self.height * r2 / (1 + r2)

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.zeros(2, **self.kind)

    def targets(self) -> Sequence[float]:
        return [1.0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]

    def target(self) -> float:
        return 1e-2

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (-6.0, 4.0), (-5.0, 5.0)
