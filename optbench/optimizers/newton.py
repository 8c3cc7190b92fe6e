"""Newton's method: the step to where a quadratic with the present gradient and Hessian is flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..aligned import eigen
from ..checks import check_ordered, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params, Product
from .converging import Converging, gradient_tolerance
from .curvature import LIMIT, Dense, aligned, check_curved, dense, dense_bytes, rate, times
from .line_search import Rowwise, line_search


class NewtonState(NamedTuple):
    """x: where the last step ended; f, rest: as in `Converging`, [trials]."""

    x: Params
    f: Loss
    rest: Rowwise


SEARCHES = ("none", "backtracking", "strong_wolfe")


@dataclass(frozen=True, kw_only=True)
class Newton(Converging[NewtonState]):
    """Newton's method with damping, for at most 2,000 parameters.

        plain          d ← −(H + damping I)⁻¹ g
        modified       d ← −(Q max(Λ, δ) Qᵀ + damping I)⁻¹ g,    H = Q Λ Qᵀ
        saddle_free    d ← −(Q max(|Λ|, δ) Qᵀ + damping I)⁻¹ g
        x ← x + a d,   a = lr, or from a line search that begins at lr

    with δ = √ε max |Λ|, ε the precision of the numbers. The three are one where the Hessian is positive definite. Where it
    is not, `plain` goes to the point at which the quadratic model is flat, be it a saddle or a maximum, to which it is
    attracted; a line search then finds no step and stays. The other two always descend: `modified` takes a very long step
    along negative curvature and lets the line search shorten it, `saddle_free` leaves a saddle as fast as it would come to
    a minimum of the same curvature.

    The Hessian is that of the step's batch, found from products with unit vectors: a step counts 1 + 2n evaluations and those of the line
    search, and solving takes time of the order n³. Where the solver of `plain` finds the matrix singular, −g stands in. A
    trial whose gradient is zero or not finite stays where it is; one that stays has converged where the objective is fixed,
    and is asked nothing more unless a modifier moves it or its rate rises.

    Args:
        lr: length of the step, the first one that a line search tries; 1 is Newton's. Schedules multiply it.
        damping: added to the curvature in every direction, in units of the Hessian; shortens steps where it is small.
        indefinite: `plain`, `modified` or `saddle_free`.
        line_search: `none`, `backtracking` or `strong_wolfe`.
        c1: decrease asked for by line searches, as a part of what the slope promises.
        c2: slope allowed at the new point by strong_wolfe, as a part of the slope at the old one.
        most_evaluations: of one line search; then the best point found that decreases enough is taken.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. There are more than 2,000 parameters.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), equation 3.30 and Algorithm 3.2 with the
    modification of equation 3.41; Dauphin et al., "Identifying and attacking the saddle point problem in high-dimensional
    non-convex optimization", NeurIPS 2014, Algorithm 1 with all of the space in place of a Krylov subspace,
    https://arxiv.org/abs/1406.2572.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    damping: Hyper = setting(0.0, least=0)
    indefinite: str = setting("saddle_free", choices=("plain", "modified", "saddle_free"))
    line_search: str = setting("backtracking", choices=SEARCHES)
    c1: Hyper = setting(1e-4, above=0, below=1, only={"line_search": SEARCHES[1:]})
    c2: Hyper = setting(0.9, above=0, below=1, only={"line_search": ("strong_wolfe",)})
    most_evaluations: int = setting(25, least=1, only={"line_search": SEARCHES[1:]})
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.line_search == "strong_wolfe":
            check_ordered(self, "c1 must not lie above c2", self.c1, self.c2)

    def init(self, params: Params, layout: Layout) -> NewtonState:
        nowhere = torch.full_like(params, torch.nan)
        return NewtonState(nowhere, nowhere[:, 0].clone(), torch.full_like(nowhere[:, 0], -torch.inf))

    def check(self, params: Params, oracle: Oracle) -> None:
        super().check(params, oracle)
        check_curved("hessian", params, oracle, LIMIT)

    def scratch_bytes(self, params: Params) -> int:
        return dense_bytes(params)

    def search(self, params: Params, state: NewtonState, oracle: Oracle, factor: Hyper) -> tuple[Params, NewtonState]:
        f, g, product = oracle.hessian(params)
        x = self._moved(params, f, g, product, oracle, factor)
        return x, NewtonState(x, f, self.rests((x == params).all(dim=1), g, oracle, factor))

    def _moved(self, x: Params, f: Loss, g: Params, product: Product, oracle: Oracle, factor: Hyper) -> Params:
        rows = self.going(g, oracle)
        if len(rows) == 0:
            return x
        H, damping = dense(product, g, rows), rate(self.damping, x)[rows]
        d = torch.zeros_like(x).index_copy_(0, rows, self._direction(H, g[rows], damping))
        lr = rate(self.lr * factor, x)
        if self.line_search == "none":
            return x + lr * d
        return line_search(self, self.line_search, oracle, x, d, f, g, lr[:, 0])[1]

    def _direction(
        self, H: Dense, g: Float[Tensor, "rows n"], damping: Float[Tensor, "rows 1"]
    ) -> Float[Tensor, "rows n"]:
        n = g.shape[1]
        if self.indefinite == "plain":
            H, b = aligned(H + torch.diag_embed(damping.expand_as(g)), -g, 1.0)
            d, info = torch.linalg.solve_ex(H, b)
            return d[:, :n].where((info == 0)[:, None] & d.isfinite().all(dim=1, keepdim=True), -g)
        curvatures, Q = eigen(H)
        largest = curvatures.abs().amax(dim=1, keepdim=True)
        if self.indefinite == "saddle_free":
            curvatures = curvatures.abs()
        least = torch.where(largest > 0, torch.finfo(g.dtype).eps ** 0.5 * largest, 1)
        return -times(Q, times(Q.mT.contiguous(), g) / (torch.maximum(curvatures, least) + damping))
