"""L-BFGS: Newton's step with a Hessian read off the last few steps, and a line search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checks import check_ordered, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params
from .converging import Converging, gradient_tolerance
from .curvature import rate
from .line_search import Rowwise, begun, dot, line_search


class LBFGSState(NamedTuple):
    """t: steps taken; S, Y: last steps and gradient changes, oldest first, [trials, m, n]; rho: their 1/sᵀy, 0 where a
    place is empty, [trials, m]; x, f, g: the point looked at last, its loss and gradient; rest: as in `Converging`, [trials]."""

    t: int
    S: Float[Tensor, "trials m n"]
    Y: Float[Tensor, "trials m n"]
    rho: Float[Tensor, "trials m"]
    x: Params
    f: Loss
    g: Params
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class LBFGS(Converging[LBFGSState]):
    """Limited-memory BFGS.

        d ← −H g,   H from the last m pairs s = xₖ₊₁ − xₖ, y = gₖ₊₁ − gₖ by the two-loop recursion,
                    begun with γ I, γ = sᵀy / yᵀy
        x ← x + a d,   a from a line search that begins at lr
                       (in a trial's first step, and after its memory was cleared, at lr · min(1, 1/‖g‖₁))

    The strong Wolfe line search asks for f(x + a d) ≤ f(x) + c1 a gᵀd and |∇f(x + a d)ᵀd| ≤ c2 |gᵀd|; backtracking asks for
    the first alone and halves a. Where the objective is fixed, a point's loss and gradient are kept for the next step; a
    trial has converged once its gradient is zero or the search finds no step along −g that lowers its loss, and is asked
    nothing more unless a modifier moves it or its rate rises. A direction that does not descend, or along which no step is
    found, clears its memory. Every step waits for the device several times: the search must see what it found.

    Args:
        lr: first length that the line search tries; 1 is the quasi-Newton step. Schedules multiply it.
        history: pairs m that are kept: 2 m + 2 numbers a parameter.
        line_search: `strong_wolfe` or `backtracking`.
        c1: decrease asked for, as a part of what the slope promises.
        c2: slope allowed at the new point, as a part of the slope at the old one; small values search exactly.
        most_evaluations: of one line search; then the best point found that decreases enough is taken.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), Algorithms 7.4 and 7.5; line search:
    Algorithms 3.5 and 3.6 with the cubic of equation 3.59. Liu & Nocedal, "On the limited memory BFGS method for large
    scale optimization", Mathematical Programming 45 (1989), 503-528. Same first step length as torch.optim.LBFGS.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    history: int = setting(10, least=1)
    line_search: str = setting("strong_wolfe", choices=("strong_wolfe", "backtracking"))
    c1: Hyper = setting(1e-4, above=0, below=1)
    c2: Hyper = setting(0.9, above=0, below=1, only={"line_search": ("strong_wolfe",)})
    most_evaluations: int = setting(25, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.line_search == "strong_wolfe":
            check_ordered(self, "c1 must not lie above c2", self.c1, self.c2)

    def init(self, params: Params, layout: Layout) -> LBFGSState:
        pairs = params.new_zeros(params.shape[0], self.history, params.shape[1])
        nowhere = torch.full_like(params, float("nan"))
        return LBFGSState(
            0,
            pairs,
            pairs.clone(),
            pairs[:, :, 0].clone(),
            nowhere,
            nowhere[:, 0].clone(),
            nowhere.clone(),
            torch.full_like(nowhere[:, 0], -torch.inf),
        )

    def search(self, params: Params, state: LBFGSState, oracle: Oracle, factor: Hyper) -> tuple[Params, LBFGSState]:
        x, (t, S, Y, rho, seen, f, g, _) = params, state
        f, g = begun(oracle, x, seen, f, g)

        d = _direction(g, S, Y, rho, min(t, self.history))
        uphill = ~(dot(g, d) < 0)
        rho = rho.where(~uphill[:, None], 0)
        d = d.where(~uphill[:, None], -g)

        fresh = rho[:, -1] == 0
        lr = rate(self.lr * factor, x)[:, 0]
        first = torch.where(fresh, lr * (1 / g.abs().sum(dim=1)).clamp(max=1), lr).where(~self.flat(g, oracle), 0)
        _, x_new, f_new, g_new = line_search(self, self.line_search, oracle, x, d, f, g, first)
        s, y = x_new - x, g_new - g
        sy, yy = dot(s, y), dot(y, y)
        keep = sy > torch.finfo(x.dtype).eps * yy
        S, Y = _push(S, s, keep), _push(Y, y, keep)
        rho = torch.where(keep[:, None], torch.cat([rho[:, 1:], (1 / sy)[:, None]], dim=1), rho)
        still = (x_new == x).all(dim=1)
        rho = rho.where(~still[:, None], 0)
        rest = self.rests(still & fresh, g_new, oracle, factor)
        return x_new, LBFGSState(t + 1, S, Y, rho, x_new, f_new, g_new, rest)


def _direction(g: Params, S: Tensor, Y: Tensor, rho: Tensor, pairs: int) -> Params:
    """−H g by the two-loop recursion; empty places have rho = 0 and change nothing."""
    q, alphas = g, []
    places = range(S.shape[1] - pairs, S.shape[1])
    for i in reversed(places):
        alphas.append(rho[:, i] * dot(S[:, i], q))
        q = q - alphas[-1][:, None] * Y[:, i]
    yy = dot(Y[:, -1], Y[:, -1])
    gamma = torch.where(rho[:, -1] > 0, 1 / (rho[:, -1] * yy), 1)
    r = gamma[:, None] * q
    for i in places:
        beta = rho[:, i] * dot(Y[:, i], r)
        r = r + (alphas.pop() - beta)[:, None] * S[:, i]
    return -r


def _push(pairs: Tensor, new: Params, keep: Bool[Tensor, "trials"]) -> Tensor:
    return torch.where(keep[:, None, None], torch.cat([pairs[:, 1:], new[:, None]], dim=1), pairs)
