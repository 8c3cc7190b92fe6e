"""Lookahead: slow weights that go a part of the way after the optimizer has made a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Params, Rate, UpdateModifier
from .averages import with_statistics


class LookaheadState(NamedTuple):
    """t: steps made; phi: slow weights φ; layout: of the parameters."""

    t: int
    phi: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Lookahead(UpdateModifier):
    """The optimizer moves fast weights x; every k steps the slow ones φ follow, and the fast ones go back to them.

        every k steps:  φ ← φ + α (x − φ),   x ← φ

    Judged are the slow weights, which Algorithm 1 returns and the authors evaluate; they stand still for k steps. The
    optimizer keeps its state when its parameters are taken back, as with `pullback_momentum="none"` in the authors' code.
    With `ema` or `swa`, whose turn comes later, their average of the fast weights is judged instead.

    Args:
        k: steps of the optimizer for one of the slow weights.
        alpha: part α of the way that the slow weights go.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Zhang, Lucas, Hinton & Ba, "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019, Algorithm 1,
    https://arxiv.org/abs/1907.08610.
    """

    turn: ClassVar[int] = 2

    k: int = setting(5, least=1)
    alpha: Hyper = setting(0.5, least=0, most=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> LookaheadState:
        return LookaheadState(0, params, layout)

    def apply(self, before: Params, after: Params, lr: Rate, state: LookaheadState) -> tuple[Params, LookaheadState]:
        t, phi, layout = state.t + 1, state.phi, state.layout
        if t % self.k == 0:
            after = phi = phi + self.alpha * (after - phi)
        return after, LookaheadState(t, phi, layout)

    def judged(self, params: Params, state: LookaheadState) -> Params:
        return with_statistics(state.phi, params, state.layout)
