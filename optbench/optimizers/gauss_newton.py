"""Gauss–Newton with Levenberg's and Marquardt's damping: least squares and losses like them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params
from .converging import Converging, gradient_tolerance
from .curvature import LIMIT, check_curved, chosen, dense, dense_bytes, downhill, gain, rate, times
from .line_search import Rowwise, dot


class GaussNewtonState(NamedTuple):
    """mu: damping, nan before the first step; nu: what it is multiplied by when a step fails; x: where the last step
    ended, [trials, n]; f, rest: as in `Converging`; [trials] all others."""

    mu: Float[Tensor, "trials"]
    nu: Float[Tensor, "trials"]
    x: Params
    f: Loss
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class GaussNewton(Converging[GaussNewtonState]):
    """The Levenberg–Marquardt method, for at most 2,000 parameters.

        G ← Jᵀ ∇²L J            f = L(z), J = ∂z/∂x: residuals z and L = Σ z², or outputs and the loss of them
        s ← −lr (G + mu D)⁻¹ g                              D = I, or the diagonal of G
        ϱ ← (f(x) − f(x + s)) / (−gᵀs − ½ sᵀG s)
        ϱ > 0:      x ← x + s,   mu ← mu · max(⅓, 1 − (2ϱ − 1)³),   nu ← 2
        otherwise:  mu ← mu · nu,   nu ← 2 nu,   and once more from s

    The first mu is tau · max Gᵢᵢ (with D the diagonal: tau). Without damping and with lr = 1 it would be Gauss' own step,
    exact where the outputs are linear in x and L is quadratic. All of a step looks at one batch: damping made for
    minibatches has the noise of each.

    G is found from products with unit vectors: a step counts 1 + 2n evaluations and one for each s that is tried; only trials without
    success try again. A trial whose gradient is zero or not finite stays where it is; where the objective is fixed, such a
    trial has converged, as one has whose step is too short to move it, and is asked nothing more unless a modifier moves it
    or its rate rises.

    Args:
        lr: part of the step that is made; 1 is the method's own. Schedules multiply it.
        tau: first damping, as a part of the largest curvature; small where the start is good.
        scaling: D: `identity` (Levenberg) or `diagonal` (Marquardt), which does not depend on the units of parameters.
        most_evaluations: steps s that are tried; then the trial stays, with the damping that it has come to.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. There are more than 2,000 parameters, or the
            loss is no convex function of outputs.

    Source: Levenberg, "A method for the solution of certain non-linear problems in least squares", Quart. Appl. Math. 2
    (1944), 164–168; Marquardt, SIAM J. Appl. Math. 11 (1963), 431–441; damping by Nielsen's rule, as in Madsen, Nielsen &
    Tingleff, "Methods for non-linear least squares problems", 2nd edition (2004), Algorithm 3.16, there with f = ½ Σ z²;
    other losses: Schraudolph, Neural Computation 14 (2002), 1723–1738.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    tau: Hyper = setting(1e-3, above=0, no_schedule=AT_START)
    scaling: str = setting("identity", choices=("identity", "diagonal"))
    most_evaluations: int = setting(20, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> GaussNewtonState:
        mu = torch.full_like(params[:, 0], torch.nan)
        nowhere, never = torch.full_like(params, torch.nan), torch.full_like(mu, -torch.inf)
        return GaussNewtonState(mu, torch.full_like(mu, 2.0), nowhere, mu.clone(), never)

    def check(self, params: Params, oracle: Oracle) -> None:
        super().check(params, oracle)
        check_curved("gauss_newton", params, oracle, LIMIT)

    def scratch_bytes(self, params: Params) -> int:
        return dense_bytes(params)

    def search(
        self, params: Params, state: GaussNewtonState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, GaussNewtonState]:
        x, tried, (mu, nu, *_) = params, params, state
        f, g, product = oracle.gauss_newton(x)
        rows = self.going(g, oracle)
        if len(rows) == 0:
            return x, GaussNewtonState(
                mu, nu, x, f, self.rests(torch.ones_like(mu, dtype=torch.bool), g, oracle, factor)
            )
        G, lr = dense(product, g, rows), rate(self.lr * factor, x)
        D = G.diagonal(dim1=1, dim2=2)
        first = rate(self.tau, x)[rows, 0]
        if self.scaling == "identity":
            first, D = first * D.amax(dim=1), torch.ones_like(D)
        mu = mu.index_copy(0, rows, first.where(mu[rows].isnan(), mu[rows]))

        for _ in range(self.most_evaluations):
            s = lr[rows] * downhill(G + torch.diag_embed(mu[rows, None] * D), g[rows])
            onward = x[rows] + s
            tried = tried.index_copy(0, rows, onward)
            f_new, _ = oracle(onward, rows)
            rho = gain(f[rows], f_new, -dot(g[rows], s) - 0.5 * dot(s, times(G, s)))
            good = rho > 0
            x = x.index_copy(0, rows, onward.where(good[:, None], x[rows]))
            factors = torch.where(good, (1 - (2 * rho - 1) ** 3).clamp(min=1 / 3), nu[rows])
            mu = mu.index_copy(0, rows, mu[rows] * factors)
            nu = nu.index_copy(0, rows, torch.where(good, 2, 2 * nu[rows]))
            left = chosen(~good, len(x))
            if len(left) == 0:
                break
            rows, G, D = rows[left], G[left], D[left]
        still = (tried == params).all(dim=1)
        return x, GaussNewtonState(mu, nu, x, f, self.rests(still, g, oracle, factor))
