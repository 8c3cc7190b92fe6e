"""L-BFGS: Newton's step with a Hessian read off the last few steps, and a line search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Optimizer, Oracle, Params

Rowwise = Float[Tensor, "trials"]


class LBFGSState(NamedTuple):
    """t: steps taken; S, Y: last steps and gradient changes, oldest first, [trials, m, n]; rho: their 1/sᵀy, 0 where a
    place is empty, [trials, m]; x, f, g: the point looked at last, its loss and gradient."""

    t: int
    S: Float[Tensor, "trials m n"]
    Y: Float[Tensor, "trials m n"]
    rho: Float[Tensor, "trials m"]
    x: Params
    f: Loss
    g: Params


@dataclass(frozen=True, kw_only=True)
class LBFGS(Optimizer[LBFGSState]):
    """Limited-memory BFGS.

        d ← −H g,   H from the last m pairs s = xₖ₊₁ − xₖ, y = gₖ₊₁ − gₖ by the two-loop recursion,
                    begun with γ I, γ = sᵀy / yᵀy
        x ← x + a d,   a from a line search that begins at lr
                       (in a trial's first step, and after its memory was cleared, at lr · min(1, 1/‖g‖₁))

    The strong Wolfe line search asks for f(x + a d) ≤ f(x) + c1 a gᵀd and |∇f(x + a d)ᵀd| ≤ c2 |gᵀd|; backtracking
    asks for the first alone and halves a. Where the objective is fixed, a point's loss and gradient are kept for the
    next step. A trial stays where it is once its gradient is zero or no step lowers its loss; a direction that does
    not descend clears its memory. Every step waits for the device several times: the search must see what it found.

    Args:
        lr: first length that the line search tries; 1 is the quasi-Newton step. Schedules multiply it.
        history: pairs m that are kept.
        line_search: `strong_wolfe` or `backtracking`.
        c1: decrease asked for, as a part of what the slope promises.
        c2: slope allowed at the new point, as a part of the slope at the old one; small values search exactly.
        most_evaluations: of one line search; then the best point found that decreases enough is taken.

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
    c2: Hyper = setting(0.9, above=0, below=1)
    most_evaluations: int = setting(25, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> LBFGSState:
        pairs = params.new_zeros(params.shape[0], self.history, params.shape[1])
        nowhere = torch.full_like(params, float("nan"))
        return LBFGSState(
            0, pairs, pairs.clone(), pairs[:, :, 0].clone(), nowhere, nowhere[:, 0].clone(), nowhere.clone()
        )

    def step(self, params: Params, state: LBFGSState, oracle: Oracle, factor: Hyper) -> tuple[Params, LBFGSState]:
        x, (t, S, Y, rho, seen, f, g) = params, state
        known = (x == seen).all(dim=1) if oracle.fixed else torch.zeros_like(f, dtype=torch.bool)
        f, g = _ask(oracle, x, ~known, f, g)

        d = _direction(g, S, Y, rho, min(t, self.history))
        uphill = ~(_dot(g, d) < 0)
        rho = rho.where(~uphill[:, None], 0)
        d = d.where(~uphill[:, None], -g)

        fresh = rho[:, -1] == 0
        lr = torch.as_tensor(self.lr * factor, dtype=x.dtype, device=x.device).reshape(-1).expand(len(f))
        first = torch.where(fresh, lr * (1 / g.abs().sum(dim=1)).clamp(max=1), lr)
        a, f_new, g_new = self._search(oracle, x, d, f, g, first)

        moved = a > 0
        x_new = x.where(~moved[:, None], x + a[:, None] * d)
        s, y = x_new - x, g_new - g
        sy, yy = _dot(s, y), _dot(y, y)
        keep = sy > torch.finfo(x.dtype).eps * yy
        S, Y = _push(S, s, keep), _push(Y, y, keep)
        rho = torch.where(keep[:, None], torch.cat([rho[:, 1:], (1 / sy)[:, None]], dim=1), rho)
        return x_new, LBFGSState(t + 1, S, Y, rho, x_new, f_new, g_new)

    def _search(
        self, oracle: Oracle, x: Params, d: Params, f: Loss, g: Params, first: Rowwise
    ) -> tuple[Rowwise, Loss, Params]:
        """Step lengths along d, 0 where there is none, and loss and gradient there.

        `low` is the best length so far that decreases enough, `high` the other end of the bracket, infinite until there
        is one. Rounding may hide a decrease below a few units in the last place of f, so as much is forgiven.
        """
        c1, c2 = (c.reshape(-1) if isinstance(c, Tensor) else c for c in (self.c1, self.c2))
        eps = torch.finfo(x.dtype).eps
        slope, slack, size = _dot(g, d), 4 * eps * f.abs(), d.abs().amax(dim=1)
        low, f_low, slope_low, g_low = torch.zeros_like(f), f, slope, g
        high, f_high, slope_high = torch.full_like(f, float("inf")), f, slope
        searching = f.isfinite() & slope.isfinite() & (slope < 0) & (first > 0)
        a = torch.where(searching, first, 0)
        asked, fa, ga = torch.ones_like(searching), f, g

        for _ in range(self.most_evaluations):
            fa, ga = _ask(oracle, x + a[:, None] * d, asked, fa, ga)
            slope_a = _dot(ga, d)
            bad = ~((fa <= f + c1 * a * slope + slack) & (fa <= f_low + slack) & slope_a.isfinite())
            done = ~bad if self.line_search == "backtracking" else ~bad & (slope_a.abs() <= -c2 * slope)
            turned = ~bad & ~done & (slope_a * (high - low) >= 0)
            before, f_before, slope_before = low, f_low, slope_low

            to_high, to_low = searching & bad, searching & ~bad
            high = torch.where(to_high, a, torch.where(searching & turned, before, high))
            f_high = torch.where(to_high, fa, torch.where(searching & turned, f_before, f_high))
            slope_high = torch.where(to_high, slope_a, torch.where(searching & turned, slope_before, slope_high))
            low, f_low, slope_low = low.where(~to_low, a), f_low.where(~to_low, fa), slope_low.where(~to_low, slope_a)
            g_low = g_low.where(~to_low[:, None], ga)

            too_short = (high - low).abs() * size <= eps * x.abs().amax(dim=1)
            searching = searching & ~done & ~too_short
            if not bool(searching.any()):
                break
            if self.line_search == "backtracking":
                trial = a / 2
            else:
                inside = _within(low, f_low, slope_low, high, f_high, slope_high)
                beyond = _cubic(before, f_before, slope_before, low, f_low, slope_low)
                beyond = torch.minimum(torch.maximum(beyond.nan_to_num(float("inf")), 2 * low), 10 * low)
                trial = torch.where(high.isfinite(), inside, beyond)
            a, asked = torch.where(searching, trial, a), searching
        return low, f_low, g_low


def _ask(oracle: Oracle, points: Params, wanted: Bool[Tensor, "trials"], f: Loss, g: Params) -> tuple[Loss, Params]:
    """Loss and gradient: new where wanted, the given ones elsewhere; no other trial is evaluated."""
    rows = wanted.nonzero().squeeze(1)
    if len(rows) == len(wanted):
        return oracle(points)
    if len(rows) == 0:
        return f, g
    some_f, some_g = oracle(points[rows], rows)
    return f.index_copy(0, rows, some_f), g.index_copy(0, rows, some_g)


def _dot(a: Params, b: Params) -> Rowwise:
    return (a * b).sum(dim=1)


def _direction(g: Params, S: Tensor, Y: Tensor, rho: Tensor, pairs: int) -> Params:
    """−H g by the two-loop recursion; empty places have rho = 0 and change nothing."""
    q, alphas = g, []
    places = range(S.shape[1] - pairs, S.shape[1])
    for i in reversed(places):
        alphas.append(rho[:, i] * _dot(S[:, i], q))
        q = q - alphas[-1][:, None] * Y[:, i]
    yy = _dot(Y[:, -1], Y[:, -1])
    gamma = torch.where(rho[:, -1] > 0, 1 / (rho[:, -1] * yy), 1)
    r = gamma[:, None] * q
    for i in places:
        beta = rho[:, i] * _dot(Y[:, i], r)
        r = r + (alphas.pop() - beta)[:, None] * S[:, i]
    return -r


def _push(pairs: Tensor, new: Params, keep: Bool[Tensor, "trials"]) -> Tensor:
    return torch.where(keep[:, None, None], torch.cat([pairs[:, 1:], new[:, None]], dim=1), pairs)


def _cubic(a: Rowwise, fa: Rowwise, da: Rowwise, b: Rowwise, fb: Rowwise, db: Rowwise) -> Rowwise:
    """Minimiser of the cubic through values f and slopes d at a and b; nan where it has none. Equation 3.59."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    d2 = (b - a).sign() * (d1 * d1 - da * db).sqrt()
    return b - (b - a) * (db + d2 - d1) / (db - da + 2 * d2)


def _within(low: Rowwise, f_low: Rowwise, d_low: Rowwise, high: Rowwise, f_high: Rowwise, d_high: Rowwise) -> Rowwise:
    """The cubic's minimiser, kept a tenth of the bracket away from its ends; the middle where the cubic has none."""
    width = high - low
    part = ((_cubic(low, f_low, d_low, high, f_high, d_high) - low) / width).nan_to_num(0.5, 0.5, 0.5)
    return low + part.clamp(0.1, 0.9) * width
