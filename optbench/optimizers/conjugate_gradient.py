"""Non-linear conjugate gradients: each direction keeps a part of the one before, and a line search goes along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_ordered, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params
from .converging import Converging, gradient_tolerance
from .curvature import rate
from .line_search import Rowwise, begun, dot, line_search


class ConjugateGradientState(NamedTuple):
    """t: steps taken, [trials]; d: the last direction, [trials, n]; beta: its weight in the next; fall: a gᵀd of the last step, 0
    where none was taken, [trials]; x, f, g: the point looked at last, its loss and gradient; rest: as in `Converging`, [trials]."""

    t: Int[Tensor, "trials"]
    d: Params
    beta: Float[Tensor, "trials"]
    fall: Float[Tensor, "trials"]
    x: Params
    f: Loss
    g: Params
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class ConjugateGradient(Converging[ConjugateGradientState]):
    """Conjugate gradients for any smooth function; on a quadratic with exact searches, the linear method.

        d ← −g + β d                    x ← x + a d,   a from a strong Wolfe line search

        β = gᵀg / bᵀb                   fletcher_reeves; b: the gradient before, y = g − b
        β = max(gᵀy / bᵀb, 0)           polak_ribiere
        β = max(gᵀy / dᵀy, 0)           hestenes_stiefel
        β = gᵀg / dᵀy                   dai_yuan

    The search asks for f(x + a d) ≤ f(x) + c1 a gᵀd and |∇f(x + a d)ᵀd| ≤ c2 |gᵀd|. It begins at the length that would
    promise the fall of the last step, a_before · (bᵀd_before) / (gᵀd), times lr; in a trial's first step, and after one
    that failed, at lr · min(1, 1/‖g‖₁). A direction that does not descend gives way to −g. Where the objective is fixed, a
    point's loss and gradient are kept for the next step; a trial has converged once its gradient is zero or the search
    finds no step along −g that lowers its loss, and is asked nothing more unless a modifier moves it or its rate rises.

    Args:
        lr: multiple of the first length that the line search tries. Schedules multiply it.
        restart: steps after which the direction begins anew at −g; null for never. As many as there are parameters is usual.
        formula: `fletcher_reeves`, `polak_ribiere`, `hestenes_stiefel` or `dai_yuan`.
        c1: decrease asked for, as a part of what the slope promises.
        c2: slope allowed at the new point, as a part of the slope at the old one; below ½ all Fletcher–Reeves directions
            descend. Small values search exactly. The book has 0.1; scipy's 0.4 needs fewer evaluations.
        most_evaluations: of one line search; then the best point found that decreases enough is taken.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), Algorithm 5.4 with β from equations 5.41a,
    5.44, 5.45, 5.46 and 5.49, first length from section 3.5; Fletcher & Reeves, "Function
    minimization by conjugate gradients", Computer Journal 7 (1964), 149-154; Polak & Ribière, RAIRO 3 (1969), 35-43, cut
    at zero as Gilbert & Nocedal, SIAM Journal on Optimization 2 (1992), 21-42, propose; Hestenes & Stiefel, Journal of
    Research of the National Bureau of Standards 49 (1952), 409-436; Dai & Yuan, SIAM Journal on Optimization 10 (1999),
    177-182.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    restart: int | None = setting(None, least=1, optional=True)
    formula: str = setting(
        "polak_ribiere", choices=("fletcher_reeves", "polak_ribiere", "hestenes_stiefel", "dai_yuan")
    )
    c1: Hyper = setting(1e-4, above=0, below=1)
    c2: Hyper = setting(0.4, above=0, below=1)
    most_evaluations: int = setting(25, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        check_ordered(self, "c1 must not lie above c2", self.c1, self.c2)

    def init(self, params: Params, layout: Layout) -> ConjugateGradientState:
        nothing, nowhere = torch.zeros_like(params), torch.full_like(params, float("nan"))
        none = nothing[:, 0].clone()
        never = torch.full_like(none, -torch.inf)
        return ConjugateGradientState(
            torch.zeros_like(none, dtype=torch.long),
            nothing,
            none,
            none.clone(),
            nowhere,
            nowhere[:, 0].clone(),
            nowhere.clone(),
            never,
        )

    def search(
        self, params: Params, state: ConjugateGradientState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, ConjugateGradientState]:
        x, (t, d, beta, fall, seen, f, g, _) = params, state
        f, g = begun(oracle, x, seen, f, g)
        if self.restart is not None:
            beta = beta.where(t % self.restart > 0, 0)
        fresh = (beta == 0) & (fall == 0)

        d = beta[:, None] * d - g
        uphill = ~(dot(g, d) < 0)
        d = d.where(~uphill[:, None], -g)
        slope = dot(g, d)
        lr = rate(self.lr * factor, x)[:, 0]
        first = lr * torch.where(fall < 0, fall / slope, (1 / g.abs().sum(dim=1)).clamp(max=1)).where(
            ~self.flat(g, oracle), 0
        )
        a, x_new, f_new, g_new = line_search(self, "strong_wolfe", oracle, x, d, f, g, first)
        moved = (x_new != x).any(dim=1)
        beta = torch.where(moved, self._beta(g_new, g, d), 0).nan_to_num(0.0, 0.0, 0.0)
        rest = self.rests(~moved & fresh, g_new, oracle, factor)
        return x_new, ConjugateGradientState(
            t + 1, d, beta, torch.where(moved, a * slope, 0), x_new, f_new, g_new, rest
        )

    def _beta(self, g: Params, b: Params, d: Params) -> Rowwise:
        y = g - b
        if self.formula == "fletcher_reeves":
            return dot(g, g) / dot(b, b)
        if self.formula == "polak_ribiere":
            return (dot(g, y) / dot(b, b)).clamp_(min=0)
        if self.formula == "hestenes_stiefel":
            return (dot(g, y) / dot(d, y)).clamp_(min=0)
        return dot(g, g) / dot(d, y)
