"""Trust region: the quadratic model is minimised only as far from the point as it has proved right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checks import AT_START, check_ordered, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Matrix, Oracle, Params, Product, Rows
from .converging import Converging, gradient_tolerance
from .curvature import check_curved, chosen, gain, rate
from .line_search import Rowwise, dot


class TrustRegionState(NamedTuple):
    """radius: of the ball in which the model is trusted; x: where the last step ended, [trials, n]; f, rest: as in
    `Converging`; [trials] all others."""

    radius: Float[Tensor, "trials"]
    x: Params
    f: Loss
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class TrustRegion(Converging[TrustRegionState]):
    """Newton's method within a ball, by conjugate gradients; for any number of parameters.

        p ← about the minimum of m(p) = gᵀp + ½ pᵀB p in ‖p‖ ≤ radius,   s ← lr p
        ϱ ← (f(x) − f(x + s)) / −m(s)
        radius ← ¼ radius                      where ϱ < ¼
                 min(2 radius, max_radius)     where ϱ > ¾ and ‖p‖ = radius
        x ← x + s                              where ϱ > eta

    p is that of Steihaug and Toint: conjugate gradients from 0, which end inside the ball once the residual is below
    min(½, √‖g‖) ‖g‖, and on its edge where they leave it or meet negative curvature. B is the Hessian, or the Gauss–Newton
    matrix, which has no negative curvature; it is known by its products alone.

    A step counts one evaluation at x, one at x + s, and two for each iteration of a trial; trials that are done take no
    part in further products. All look at the step's batch. A trial whose gradient is zero or not finite stays where it is;
    where the objective is fixed, such a trial has converged, as one has whose step is too short to move it, and is asked
    nothing more unless a modifier moves it or its rate rises.

    Args:
        lr: part of p that is made; 1 is the method's own. Schedules multiply it.
        matrix: B: `hessian` or `gauss_newton`.
        radius: of the first ball, in units of the parameters.
        max_radius: of the largest ball.
        eta: least ϱ with which a step is made, in [0, ¼).
        most_products: iterations of conjugate gradients; then p is what they have come to.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. With gauss_newton: the loss is no convex
            function of outputs.

    Source: Nocedal & Wright, "Numerical optimization", 2nd edition (2006), Algorithms 4.1 and 7.2; Steihaug, SIAM J. Numer.
    Anal. 20 (1983), 626–637. Same result as scipy.optimize.minimize(method="trust-ncg"), whose iterations are steps here.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    matrix: Matrix = setting("hessian", choices=("hessian", "gauss_newton"))
    radius: Hyper = setting(1.0, above=0, no_schedule=AT_START)
    max_radius: Hyper = setting(1000.0, above=0)
    eta: Hyper = setting(0.15, least=0, below=0.25)
    most_products: int = setting(100, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)
        check_ordered(self, "radius must not lie above max_radius", self.radius, self.max_radius)

    def init(self, params: Params, layout: Layout) -> TrustRegionState:
        radius = rate(self.radius, params)[:, 0].clone()
        nowhere = torch.full_like(params, torch.nan)
        return TrustRegionState(radius, nowhere, nowhere[:, 0].clone(), torch.full_like(radius, -torch.inf))

    def check(self, params: Params, oracle: Oracle) -> None:
        super().check(params, oracle)
        check_curved(self.matrix, params, oracle)

    def search(
        self, params: Params, state: TrustRegionState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, TrustRegionState]:
        x, radius, lr = params, state.radius, rate(self.lr * factor, params)
        f, g, product = oracle.curved(self.matrix, x)
        rows = self.going(g, oracle)
        if len(rows) == 0:
            return x, TrustRegionState(
                radius, x, f, self.rests(torch.ones_like(f, dtype=torch.bool), g, oracle, factor)
            )
        p, Bp, edge = steihaug(product, g[rows], radius[rows], rows, self.most_products)
        s, Bs = lr[rows] * p, lr[rows] * Bp
        onward = x[rows] + s
        f_new, _ = oracle(onward, rows)
        rho = gain(f[rows], f_new, -dot(g[rows], s) - 0.5 * dot(s, Bs))

        most, eta = rate(self.max_radius, x)[rows, 0], rate(self.eta, x)[rows, 0]
        grown = torch.where((rho > 0.75) & edge, torch.minimum(2 * radius[rows], most), radius[rows])
        radius = radius.index_copy(0, rows, grown.where(rho >= 0.25, 0.25 * radius[rows]))
        still = (x.index_copy(0, rows, onward) == x).all(dim=1)
        x = x.index_copy(0, rows, onward.where((rho > eta)[:, None], x[rows]))
        return x, TrustRegionState(radius, x, f, self.rests(still, g, oracle, factor))


def steihaug(
    product: Product, g: Params, radius: Rowwise, rows: Rows, most: int
) -> tuple[Params, Params, Bool[Tensor, "trials"]]:
    """About the minimum of gᵀp + ½ pᵀB p in ‖p‖ ≤ radius: p, B p, and whether p lies on the edge.

    Args:
        product: of B, of the trials that the question was about.
        g: gradients of the trials in rows, none of them zero.
        radius: of their balls.
        rows: which trials these are.
        most: iterations.
    """
    length = g.norm(dim=1)
    tolerance = length.sqrt().clamp(max=0.5) * length
    p, Bp, edge = torch.zeros_like(g), torch.zeros_like(g), torch.zeros_like(g[:, 0], dtype=torch.bool)
    left, z, Bz, r, d = torch.arange(len(g), device=g.device), p, Bp, g, -g
    for k in range(most):
        Bd = product(d, rows[left])
        dBd, rr, g_left = dot(d, Bd), dot(r, r), g[left]
        a = (rr / dBd)[:, None]
        onward, Bonward = z + a * d, Bz + a * Bd
        bent = ~(dBd > 0)
        out = bent | (onward.norm(dim=1) >= radius[left])
        back, ahead = crossings(z, d, radius[left])
        values = [dot(g_left, z + t * d) + 0.5 * dot(z + t * d, Bz + t * Bd) for t in (back, ahead)]
        t = back.where((bent & (values[0] < values[1]))[:, None], ahead)
        onward, Bonward = onward.where(~out[:, None], z + t * d), Bonward.where(~out[:, None], Bz + t * Bd)

        r = r + a * Bd
        p, Bp, edge = p.index_copy(0, left, onward), Bp.index_copy(0, left, Bonward), edge.index_copy(0, left, out)
        going = chosen(~out & ~(r.norm(dim=1) < tolerance[left]), len(g))
        if k + 1 == most or len(going) == 0:
            break
        beta = (dot(r, r) / rr)[:, None]
        left, z, Bz, r, d = left[going], onward[going], Bonward[going], r[going], (beta * d - r)[going]
    return p, Bp, edge


def crossings(z: Params, d: Params, radius: Rowwise) -> tuple[Float[Tensor, "trials 1"], Float[Tensor, "trials 1"]]:
    """The two t with ‖z + t d‖ = radius for z within: one below 0, one above."""
    a, b, c = dot(d, d), dot(z, d), dot(z, z) - radius * radius
    q = -(b + torch.where(b < 0, -1, 1) * (b * b - a * c).sqrt())  # without the difference of two near numbers
    one, other = q / a, c / q
    return torch.minimum(one, other)[:, None], torch.maximum(one, other)[:, None]
