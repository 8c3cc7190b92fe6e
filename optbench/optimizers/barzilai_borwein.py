"""Barzilai–Borwein: gradient descent whose step length is the curvature met in the last step, inverted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_ordered, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params
from .converging import Converging, gradient_tolerance
from .curvature import rate
from .line_search import Rowwise, ask, begun, dot

DECREASE = 1e-4
"""Decrease that a step must bring, as a part of what the slope promises."""


class BarzilaiBorweinState(NamedTuple):
    """a: length of the next step, [trials]; recent: the last losses, −inf where there are none yet,
    [trials, memory]; x, f, g: the point looked at last, its loss and gradient; rest: as in `Converging`, [trials]."""

    a: Float[Tensor, "trials"]
    recent: Float[Tensor, "trials memory"]
    x: Params
    f: Loss
    g: Params
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class BarzilaiBorwein(Converging[BarzilaiBorweinState]):
    """The two-point step size, safeguarded.

        x ← x − a g                         s = x − x_before,  y = g − g_before
        a = sᵀs / sᵀy  (long)    or    a = sᵀy / yᵀy  (short),   kept within `lengths`

    On a quadratic 1/a lies between its curvatures, and f falls in the long run, not at every step. Elsewhere a step is
    halved until f(x − a g) ≤ the greatest of the last `memory` losses − 1e-4 · a ‖g‖²; memory = 0 takes every step. Where
    the curvature sᵀy is not positive, the length just used is kept. A schedule multiplies every step. Both gradients of a
    pair come from the same minibatch, which takes two evaluations a step; where the objective is fixed, a point's loss and
    gradient are kept and one is enough. There a trial has converged once its step is too short to move it, and is asked
    nothing more unless a modifier moves it or its rate rises.

    Args:
        lr: length of the first step for a gradient of length one; later ones do not depend on it.
        length: `long` or `short`.
        memory: losses that the search looks back on; 1 lets no loss rise.
        lengths: least and greatest a, in units of the parameters over units of the gradient.
        most_evaluations: of one search; a trial that finds no step stays.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Barzilai & Borwein, "Two-point step size gradient methods", IMA Journal of Numerical Analysis 8 (1988), 141-148,
    equations 5 and 6, https://doi.org/10.1093/imanum/8.1.141; the search and its numbers: Raydan, "The Barzilai and Borwein
    gradient method for the large scale unconstrained minimization problem", SIAM Journal on Optimization 7 (1997), 26-33,
    https://doi.org/10.1137/S1052623494266365, which takes a length from ‖g‖ where the curvature is not positive.
    """

    family: ClassVar[str] = "parameter-free"

    lr: Hyper = setting(1e-3, least=0)
    length: str = setting("long", choices=("long", "short"))
    memory: int = setting(10, least=0)
    lengths: tuple[Hyper, Hyper] = setting((1e-10, 1e10), above=0)
    most_evaluations: int = setting(25, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        check_ordered(self, "lengths must hold the smaller number first", *self.lengths)

    def init(self, params: Params, layout: Layout) -> BarzilaiBorweinState:
        a = torch.zeros_like(params[:, :1]).add_(self.lr).squeeze(1)
        recent = params.new_full((params.shape[0], self.memory), -float("inf"))
        nowhere = torch.full_like(params, float("nan"))
        never = torch.full_like(a, -torch.inf)
        return BarzilaiBorweinState(a, recent, nowhere, nowhere[:, 0].clone(), nowhere.clone(), never)

    def search(
        self, params: Params, state: BarzilaiBorweinState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, BarzilaiBorweinState]:
        x, (a, recent, seen, f, g, _) = params, state
        f, g = begun(oracle, x, seen, f, g)
        recent = torch.cat([recent, f[:, None]], dim=1)[:, 1:] if self.memory else recent

        moving = rate(factor, x)[:, 0].where(~self.flat(g, oracle), 0)
        a, taken, f_new, g_new = self._length(oracle, x, f, g, recent, a, moving)
        x_new = x.where(~(taken > 0)[:, None], x - taken[:, None] * g)
        tried = x - (moving * a)[:, None] * g
        s, y = x_new - x, g_new - g
        sy, (least, most) = dot(s, y), (rate(end, x)[:, 0] for end in self.lengths)
        measured = dot(s, s) / sy if self.length == "long" else sy / dot(y, y)
        a = torch.where((sy > 0) & measured.isfinite(), measured.clamp(min=least).clamp(max=most), a)
        rest = self.rests((tried == x).all(dim=1), g_new, oracle, factor)
        return x_new, BarzilaiBorweinState(a, recent, x_new, f_new, g_new, rest)

    def _length(
        self, oracle: Oracle, x: Params, f: Loss, g: Params, recent: Tensor, a: Rowwise, factor: Rowwise
    ) -> tuple[Rowwise, Rowwise, Loss, Params]:
        """Lengths, the steps taken with them (0 where there is none), and loss and gradient there."""
        if not self.memory:
            return a, factor * a, *oracle(x - (factor * a)[:, None] * g)
        ceiling = recent.amax(dim=1) + 4 * torch.finfo(x.dtype).eps * f.abs()  # rounding may hide a decrease
        square, f_new, g_new = dot(g, g), f, g
        sound = f.isfinite() & square.isfinite()
        searching = sound
        for k in range(self.most_evaluations):
            a = torch.where(searching, a / 2, a) if k else a
            f_new, g_new = ask(oracle, x - (factor * a)[:, None] * g, searching, f_new, g_new)
            searching = searching & ~(f_new <= ceiling - DECREASE * factor * a * square)
            if not bool(searching.any()):
                break
        f_new, g_new = f.where(searching, f_new), g.where(searching[:, None], g_new)
        return a, torch.where(sound & ~searching, factor * a, 0), f_new, g_new
