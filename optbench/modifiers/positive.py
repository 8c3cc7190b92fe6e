"""Positive: parameters are held above zero by re-parametrisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Problem, ProblemModifier
from .reparametrised import MARGIN, Elementwise

Map = Callable[[Tensor], Tensor]


def softplus(y: Tensor) -> Tensor:
    """log(1 + e^y). Not by F.softplus: its kernel takes the last numbers of a tensor by another path, so bits would change."""
    return -F.logsigmoid(-y)


MAPS: dict[str, tuple[Map, Map]] = {
    "softplus": (softplus, lambda x: x + torch.log(-torch.expm1(-x))),
    "exp": (torch.exp, torch.log),
    "square": (torch.square, torch.sqrt),
}
"""Name → g and its inverse on x > 0."""


@dataclass(frozen=True, kw_only=True)
class Positive(ProblemModifier):
    """The optimizer moves y, free on ℝⁿ; the problem sees x > 0, with `square` x ≥ 0.

        softplus: x = log(1 + e^y)          exp: x = e^y          square: x = y²

    The start is y₀ = g⁻¹(x₀); an x₀ below 10⁻³ is first raised to 10⁻³, so about half of a network's weights begin there. Everything
    is judged at x; the targets stay, whether they lie within reach or not.

    Args:
        map: softplus, exp or square.
        biases: also for biases and normalisation parameters, not for weights and coordinates alone.

    Raises:
        ValueError: there is no such map.

    Source: Dugas et al., "Incorporating second-order functional knowledge for better option pricing", NeurIPS 2000
    (softplus); Carpenter et al., "Stan: a probabilistic programming language", J. Stat. Software 76 (2017) (exp); Gill,
    Murray & Wright, "Practical Optimization" (1981), section 7.4 (square).
    """

    map: str = setting("softplus", choices=MAPS)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)

    def change(self, problem: Problem) -> Problem:
        return AboveZero(inner=problem, biases=self.biases, name=self.map)


@dataclass(frozen=True, kw_only=True)
class AboveZero(Elementwise):
    """Parameters above zero.

    Args:
        name: of the map.
    """

    name: str

    def map(self, y: Tensor) -> Tensor:
        return MAPS[self.name][0](y)

    def inverse(self, x: Tensor) -> Tensor:
        return MAPS[self.name][1](x.clamp(min=MARGIN))
