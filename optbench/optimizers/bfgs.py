"""BFGS: Newton's step with an inverse Hessian learnt from the gradients, held whole, and a line search."""

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

MOST_BYTES = 2**28
"""Of one trial's matrix: 8,192 parameters in float32, 5,792 in float64."""

Square = Float[Tensor, "trials n n"]


class BFGSState(NamedTuple):
    """H: inverse Hessians, all zero before a trial's first pair, [trials, n, n]; x, f, g: the point looked at last, its
    loss and gradient; rest: as in `Converging`, [trials]."""

    H: Square
    x: Params
    f: Loss
    g: Params
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class BFGS(Converging[BFGSState]):
    """The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno, with its n × n matrix.

        d ← −H g,   in a trial's first step −g
        x ← x + a d,   a from a line search that begins at lr (in a trial's first step at lr · min(1, 1/‖g‖₁))
        H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ,   s = xₖ₊₁ − xₖ,  y = gₖ₊₁ − gₖ,  ρ = 1/sᵀy,
            begun with (sᵀy / yᵀy) I at the first pair

    The strong Wolfe line search asks for f(x + a d) ≤ f(x) + c1 a gᵀd and |∇f(x + a d)ᵀd| ≤ c2 |gᵀd|; backtracking asks for
    the first alone and halves a. Where the objective is fixed, a point's loss and gradient are kept for the next step; a
    trial has converged once its gradient is zero or the search finds no step along −g that lowers its loss, and is asked
    nothing more unless a modifier moves it or its rate rises. A pair without positive curvature sᵀy is left out; a direction
    that does not descend, or along which no step is found, begins the matrix anew. Each step costs about 6 n² operations and
    holds n² numbers twice, so that a trial's matrix may take 256 MiB: 8,192 parameters in float32, 5,792 in float64; L-BFGS
    has no such bound.

    Args:
        lr: first length that the line search tries; 1 is the quasi-Newton step. Schedules multiply it.
        line_search: `strong_wolfe` or `backtracking`.
        c1: decrease asked for, as a part of what the slope promises.
        c2: slope allowed at the new point, as a part of the slope at the old one; small values search exactly.
        most_evaluations: of one line search; then the best point found that decreases enough is taken.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. Or the matrix is too large.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), Algorithm 6.1 with equations 6.17 and 6.20;
    line search: Algorithms 3.5 and 3.6. The matrix is that of scipy.optimize.minimize(method="BFGS") on the same points,
    but for its start, which there is I.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    line_search: str = setting("strong_wolfe", choices=("strong_wolfe", "backtracking"))
    c1: Hyper = setting(1e-4, above=0, below=1)
    c2: Hyper = setting(0.9, above=0, below=1, only={"line_search": ("strong_wolfe",)})
    most_evaluations: int = setting(25, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.line_search == "strong_wolfe":
            check_ordered(self, "c1 must not lie above c2", self.c1, self.c2)

    def check(self, params: Params, oracle: Oracle) -> None:
        super().check(params, oracle)
        n = params.shape[1]
        size = n * n * params.element_size()
        if size > MOST_BYTES:
            raise ValueError(
                f"BFGS holds an n × n matrix a trial, {size:,} bytes for n = {n:,} parameters in "
                f"{str(params.dtype).removeprefix('torch.')}, and may take {MOST_BYTES:,}; use lbfgs"
            )

    def init(self, params: Params, layout: Layout) -> BFGSState:
        nowhere = torch.full_like(params, float("nan"))
        trials, n = params.shape
        never = torch.full_like(nowhere[:, 0], -torch.inf)
        return BFGSState(params.new_zeros(trials, n, n), nowhere, nowhere[:, 0].clone(), nowhere.clone(), never)

    def search(self, params: Params, state: BFGSState, oracle: Oracle, factor: Hyper) -> tuple[Params, BFGSState]:
        x, (H, seen, f, g, _) = params, state
        f, g = begun(oracle, x, seen, f, g)

        d = -_times(H, g)
        fresh = ~(dot(g, d) < 0)
        d = d.where(~fresh[:, None], -g)
        lr = rate(self.lr * factor, x)[:, 0]
        first = torch.where(fresh, lr * (1 / g.abs().sum(dim=1)).clamp(max=1), lr).where(~self.flat(g, oracle), 0)
        _, x_new, f_new, g_new = line_search(self, self.line_search, oracle, x, d, f, g, first)
        still = (x_new == x).all(dim=1)
        kept = torch.where((fresh | still)[:, None, None], 0, H)
        rest = self.rests(still & fresh, g_new, oracle, factor)
        return x_new, BFGSState(updated(kept, x_new - x, g_new - g), x_new, f_new, g_new, rest)


def updated(H: Square, s: Params, y: Params) -> Square:
    """H with one pair more, equation 6.17 multiplied out; a matrix of zeros begins with (sᵀy / yᵀy) I, equation 6.20.

        u = H y,   v = ½ ρ (1 + ρ yᵀu) s − ρ u,   H ← H + s vᵀ + v sᵀ

    A pair whose curvature is not positive changes nothing.
    """
    sy, yy = dot(s, y), dot(y, y)
    keep: Bool[Tensor, "trials"] = (sy > torch.finfo(s.dtype).eps * yy) & yy.isfinite()
    s, y, rho = s.where(keep[:, None], 0), y.where(keep[:, None], 0), torch.where(keep, 1 / sy, 0)
    H = H.clone()
    diagonal = H.diagonal(dim1=1, dim2=2)
    diagonal += torch.where(keep & (H[:, 0, 0] == 0), sy / yy, 0)[:, None]
    u = _times(H, y)
    v = (0.5 * rho * (1 + rho * dot(y, u)))[:, None] * s - rho[:, None] * u
    H.addcmul_(s[:, :, None], v[:, None, :])
    return H.addcmul_(v[:, :, None], s[:, None, :])


def _times(H: Square, v: Params) -> Params:
    return torch.bmm(H, v[:, :, None]).squeeze(2)
