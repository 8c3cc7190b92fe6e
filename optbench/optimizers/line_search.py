"""Line searches along one direction a trial; only the trials that still search are evaluated."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..interfaces import Hyper, Loss, Oracle, Params

Rowwise = Float[Tensor, "trials"]


@runtime_checkable
class Searching(Protocol):
    """The settings of a method that searches along lines.

    c1: decrease asked for, as a part of what the slope promises; c2: slope allowed at the new point, as a part of the slope
    at the old one; most_evaluations: of one search.
    """

    @property
    def c1(self) -> Hyper: ...
    @property
    def c2(self) -> Hyper: ...
    @property
    def most_evaluations(self) -> int: ...


def line_search(
    rule: Searching, kind: str, oracle: Oracle, x: Params, d: Params, f: Loss, g: Params, first: Rowwise
) -> tuple[Rowwise, Params, Loss, Params]:
    """Step lengths along d, 0 where there is none, the points there, and their loss and gradient.

        strong_wolfe    f(x + a d) ≤ f(x) + c1 a gᵀd    and    |∇f(x + a d)ᵀd| ≤ c2 |gᵀd|
        backtracking    f(x + a d) ≤ f(x) + c1 a gᵀd

    The strong Wolfe search widens the bracket up to tenfold until it holds a minimum, then narrows it at the minimum of
    the cubic through its ends; backtracking halves the length. Rounding may hide a decrease below a few units in the
    last place of f, so as much is forgiven.

    Args:
        rule: what is asked of a step; after most_evaluations, the best point found that decreases enough is taken.
        kind: `strong_wolfe` or `backtracking`.
        oracle: what is asked; every evaluation is counted for the trials that it serves.
        x, d: points and directions.
        f, g: loss and gradient at x.
        first: the length that each trial tries first.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), Algorithms 3.1, 3.5 and 3.6 with the cubic
    of equation 3.59.
    """
    c1, c2 = (c.reshape(-1) if isinstance(c, Tensor) else c for c in (rule.c1, rule.c2))
    eps = torch.finfo(x.dtype).eps
    slope, slack, size = dot(g, d), 4 * eps * f.abs(), d.abs().amax(dim=1)
    # low: the best length so far that decreases enough; high: the other end of the bracket, infinite until there is one.
    low, f_low, slope_low, g_low = torch.zeros_like(f), f, slope, g
    high, f_high, slope_high = torch.full_like(f, float("inf")), f, slope
    searching = f.isfinite() & slope.isfinite() & (slope < 0) & (first > 0)
    a = torch.where(searching, first, 0)
    asked, fa, ga = searching, f, g

    for _ in range(rule.most_evaluations):
        fa, ga = ask(oracle, x + a[:, None] * d, asked, fa, ga)
        slope_a = dot(ga, d)
        bad = ~((fa <= f + c1 * a * slope + slack) & (fa <= f_low + slack) & slope_a.isfinite())
        done = ~bad if kind == "backtracking" else ~bad & (slope_a.abs() <= -c2 * slope)
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
        if kind == "backtracking":
            trial = a / 2
        else:
            inside = _within(low, f_low, slope_low, high, f_high, slope_high)
            beyond = cubic(before, f_before, slope_before, low, f_low, slope_low)
            beyond = torch.minimum(torch.maximum(beyond.nan_to_num(float("inf")), 2 * low), 10 * low)
            trial = torch.where(high.isfinite(), inside, beyond)
        a, asked = torch.where(searching, trial, a), searching
    return low, x.where(~(low > 0)[:, None], x + low[:, None] * d), f_low, g_low


def begun(oracle: Oracle, x: Params, seen: Params, f: Loss, g: Params) -> tuple[Loss, Params]:
    """Loss and gradient where a step begins: those of the point looked at last if that is it and the objective is fixed."""
    known = (x == seen).all(dim=1) if oracle.fixed else torch.zeros_like(f, dtype=torch.bool)
    f, g = ask(oracle, x, ~known, f, g)
    oracle.begin(x, f)
    return f, g


def ask(oracle: Oracle, points: Params, wanted: Bool[Tensor, "trials"], f: Loss, g: Params) -> tuple[Loss, Params]:
    """Loss and gradient: new where wanted, the given ones elsewhere; no other trial is evaluated."""
    rows = wanted.nonzero().squeeze(1)
    if len(rows) == len(wanted):
        return oracle(points)
    if len(rows) == 0:
        return f, g
    some_f, some_g = oracle(points[rows], rows)
    return f.index_copy(0, rows, some_f), g.index_copy(0, rows, some_g)


def dot(a: Params, b: Params) -> Rowwise:
    return (a * b).sum(dim=1)


def cubic(a: Rowwise, fa: Rowwise, da: Rowwise, b: Rowwise, fb: Rowwise, db: Rowwise) -> Rowwise:
    """Minimiser of the cubic through values f and slopes d at a and b; nan where it has none. Equation 3.59."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    d2 = (b - a).sign() * (d1 * d1 - da * db).sqrt()
    return b - (b - a) * (db + d2 - d1) / (db - da + 2 * d2)


def _within(low: Rowwise, f_low: Rowwise, d_low: Rowwise, high: Rowwise, f_high: Rowwise, d_high: Rowwise) -> Rowwise:
    """The cubic's minimiser, kept a tenth of the bracket away from its ends; the middle where the cubic has none."""
    width = high - low
    part = ((cubic(low, f_low, d_low, high, f_high, d_high) - low) / width).nan_to_num(0.5, 0.5, 0.5)
    return low + part.clamp(0.1, 0.9) * width
