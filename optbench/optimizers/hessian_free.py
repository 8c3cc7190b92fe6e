"""Hessian-free optimization: Newton-like steps of large networks by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, Params, Product, Rows
from .converging import Converging, gradient_tolerance
from .curvature import check_curved, chosen, gain, rate
from .line_search import Rowwise, dot


class HessianFreeState(NamedTuple):
    """d: what conjugate gradients came to last, [trials, n]; damping: the present one; x: where the last step ended,
    [trials, n]; f, rest: as in `Converging`; [trials] each."""

    d: Params
    damping: Float[Tensor, "trials"]
    x: Params
    f: Loss
    rest: Rowwise


@dataclass(frozen=True, kw_only=True)
class HessianFree(Converging[HessianFreeState]):
    """Truncated Newton with the Gauss–Newton matrix and adapted damping; for any number of parameters.

        d ← about −(G + damping I)⁻¹ g, by conjugate gradients that begin at decay · d
        ϱ ← (f(x) − f(x + lr d)) / −(lr gᵀd + ½ lr² dᵀG d)
        damping ← 3/2 damping where ϱ < ¼,   ⅔ damping where ϱ > ¾
        x ← x + a d,   a the first of lr, lr/2, lr/4, … with f(x + a d) ≤ f(x) + c1 a gᵀd

    Conjugate gradients of a trial end after i iterations once φ, the damped quadratic model, is negative and has come down
    by less than k · tolerance of itself in the last k = max(10, i/10) of them, or once the residual is √ε ‖g‖, ε the precision
    of the numbers. G = Jᵀ ∇²L J is known by its products alone.

    A step counts one evaluation at x, two for each product, of which there is one more than iterations from the second step
    on, and one for each a; trials that are done take no part in further ones. All look at the step's batch, which should be
    large: the author uses all of the data for g and f, and thousands of samples for G. Not taken over from the paper are
    preconditioning, which needs gradients of single samples, and choosing among earlier iterates of conjugate gradients. A
    trial whose gradient is zero or not finite stays where it is, as does one for which no a is found. Where the objective
    is fixed, a trial has converged once its gradient is zero or its step too short to move it, and is asked nothing more
    unless a modifier moves it or its rate rises.

    Args:
        lr: first length a; 1 is the method's own. Schedules multiply it.
        damping: the first one, in units of the curvature.
        decay: part of the last d with which conjugate gradients begin.
        tolerance: relative progress per iteration at which they end.
        most_products: iterations at most.
        c1: decrease asked for, as a part of what the slope promises.
        most_evaluations: lengths a that are tried.
        gtol: on a fixed objective, a trial has converged once all of its gradient lies within it, in units of the gradient;
            at 0 it goes on until rounding ends it, if it does.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. The loss is no convex function of outputs.

    Source: Martens, "Deep learning via Hessian-free optimization", ICML 2010, Algorithm 2 with damping (section 4.1) and end
    of the conjugate gradients (section 4.4) as there; decay below 1 after Martens & Sutskever, "Training deep and recurrent
    networks with Hessian-free optimization" (2012). ϱ compares with the model without damping, which is no part of f.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1.0, least=0)
    damping: Hyper = setting(1.0, least=0, no_schedule=AT_START)
    decay: Hyper = setting(0.95, least=0, most=1)
    tolerance: Hyper = setting(5e-4, above=0)
    most_products: int = setting(100, least=1)
    c1: Hyper = setting(1e-2, above=0, below=1)
    most_evaluations: int = setting(20, least=1)
    gtol: Hyper = gradient_tolerance()

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> HessianFreeState:
        damping = rate(self.damping, params)[:, 0].clone()
        nowhere, never = torch.full_like(params, torch.nan), torch.full_like(damping, -torch.inf)
        return HessianFreeState(torch.zeros_like(params), damping, nowhere, nowhere[:, 0].clone(), never)

    def check(self, params: Params, oracle: Oracle) -> None:
        super().check(params, oracle)
        check_curved("gauss_newton", params, oracle)

    def search(
        self, params: Params, state: HessianFreeState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, HessianFreeState]:
        x, tried, (last, damping, *_) = params, params, state
        losses, grad, product = oracle.gauss_newton(x)
        rows = self.going(grad, oracle)
        if len(rows) == 0:
            rest = self.rests(torch.ones_like(losses, dtype=torch.bool), grad, oracle, factor)
            return x, HessianFreeState(last, damping, x, losses, rest)
        first, tolerance = (rate(self.decay, x) * last)[rows], rate(self.tolerance, x)[rows, 0]
        d, Gd = conjugate(product, grad[rows], first, damping[rows], tolerance, rows, self.most_products)
        last = last.index_copy(0, rows, d.nan_to_num(0.0, 0.0, 0.0))

        a, c1 = rate(self.lr * factor, x)[rows], rate(self.c1, x)[rows, 0]
        f, g, slack = losses[rows], grad[rows], 4 * torch.finfo(x.dtype).eps * losses[rows].abs()
        slope, left = dot(g, d), torch.arange(len(rows), device=x.device)
        for k in range(self.most_evaluations):
            place = rows[left]
            onward = x[place] + a[left] * d[left]
            tried = tried.index_copy(0, place, onward)
            f_new, _ = oracle(onward, place)
            if k == 0:
                rho = gain(f, f_new, -a[:, 0] * slope - 0.5 * a[:, 0] ** 2 * dot(d, Gd))
                change = torch.ones_like(rho).where(rho >= 0.25, 3 / 2).where(~(rho > 0.75), 2 / 3)
                damping = damping.index_copy(0, rows, damping[rows] * change)
            good = f_new <= f[left] + c1[left] * a[left, 0] * slope[left] + slack[left]
            x = x.index_copy(0, place, onward.where(good[:, None], x[place]))
            left = left[chosen(~good, len(x))]
            if len(left) == 0:
                break
            a = a.index_copy(0, left, a[left] / 2)
        rest = self.rests((tried == params).all(dim=1), grad, oracle, factor)
        return x, HessianFreeState(last, damping, x, losses, rest)


def conjugate(
    product: Product,
    g: Params,
    first: Params,
    damping: Float[Tensor, "trials"],
    tolerance: Float[Tensor, "trials"],
    rows: Rows,
    most: int,
) -> tuple[Params, Params]:
    """About the solution d of (G + damping I) d = −g, begun at `first`, and G d; all of the trials in rows."""
    d, Gd, begun = first, torch.zeros_like(first), chosen((first != 0).any(dim=1), len(g))
    if len(begun):
        Gd = Gd.index_copy(0, begun, product(first[begun], rows[begun]))
    left = torch.arange(len(g), device=g.device)
    r = -g - Gd - damping[:, None] * d
    small = torch.finfo(g.dtype).eps ** 0.5 * g.norm(dim=1)
    q, rr, models = r, dot(r, r), [0.5 * dot(d, g - r)]
    for i in range(1, most + 1):
        Gq, at = product(q, rows[left]), damping[left, None]
        a = (rr / (dot(q, Gq) + at[:, 0] * dot(q, q)))[:, None]
        d, Gd = d.index_copy(0, left, d[left] + a * q), Gd.index_copy(0, left, Gd[left] + a * Gq)
        r = r - a * (Gq + at * q)
        models.append(models[-1].index_copy(0, left, 0.5 * dot(d[left], g[left] - r)))
        k = max(10, i // 10)
        going = r.isfinite().all(dim=1) & (r.norm(dim=1) > small[left])
        if i > k:
            now, then = models[i][left], models[i - k][left]
            going = going & ~((now < 0) & ((now - then) / now < k * tolerance[left]))
        kept = chosen(going, len(g))
        if len(kept) == 0:
            break
        rr_new = dot(r, r)
        q, rr = (r + (rr_new / rr)[:, None] * q)[kept], rr_new[kept]
        r, left = r[kept], left[kept]
    return d, Gd
