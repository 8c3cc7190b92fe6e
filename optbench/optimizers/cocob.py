"""COCOB: every parameter bets on the sign of its next gradient, and needs no rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import AT_START, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class COCOBState(NamedTuple):
    """x0: the start; L: largest |g| so far; G: sum of |g|; reward: what was won; theta: −sum of g, [trials, n] each."""

    x0: Params
    L: Params
    G: Params
    reward: Params
    theta: Params


@dataclass(frozen=True, kw_only=True)
class COCOB(FirstOrder[COCOBState]):
    """Continuous coin betting, the form for networks.

        L ← max(L, |g|),   G ← G + |g|,   reward ← max(reward − g · (x − x₀), 0),   θ ← θ − g
        w ← x₀ + θ / (L · max(G + L, alpha · L)) · (L + reward)
        x ← x + lr · (w − x)

    Args:
        lr: part of the way that is gone to the point of the bet; 1 is the method, which has no rate. Schedules multiply it.
        alpha: roughly the steps of a warm-up in which bets stay small.
        eps: first value of L, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Orabona & Tommasi, "Training deep networks without learning rates through coin betting", NeurIPS 2017,
    Algorithm 2, https://arxiv.org/abs/1705.07795. Same result as parameterfree.COCOB.
    """

    family: ClassVar[str] = "parameter-free"

    lr: Hyper = setting(1.0, least=0)
    alpha: Hyper = setting(100.0, least=0)
    eps: Hyper = setting(1e-8, above=0, no_schedule=AT_START)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> COCOBState:
        nothing = torch.zeros_like(params)
        return COCOBState(params.clone(), nothing + self.eps, nothing, nothing.clone(), nothing.clone())

    def update(self, params: Params, grad: Params, state: COCOBState, lr: Hyper) -> tuple[Params, COCOBState]:
        size = grad.abs()
        L = torch.maximum(state.L, size)
        G = state.G + size
        reward = (state.reward - grad * (params - state.x0)).clamp_(min=0)
        theta = state.theta - grad
        w = state.x0 + theta / (L * torch.maximum(G + L, self.alpha * L)) * (L + reward)
        return torch.lerp(params, w, lr), COCOBState(state.x0, L, G, reward, theta)
