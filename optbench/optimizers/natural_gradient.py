"""Natural gradient: steepest descent where distance is how much the model's predictions change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params
from .curvature import LIMIT, check_curved, dense, dense_bytes, downhill, rate, searching


class NaturalGradientState(NamedTuple):
    """t: steps taken."""

    t: int


@dataclass(frozen=True, kw_only=True)
class NaturalGradient(Optimizer[NaturalGradientState]):
    """Natural gradient descent with the exact Fisher matrix, for at most 2,000 parameters.

        F = mean over the batch of E[∇ log p(y | x, w) ∇ log p(y | x, w)ᵀ],   y drawn from the model itself
        w ← w − lr (F + damping I)⁻¹ g

    F is computed as the generalised Gauss–Newton matrix Jᵀ ∇²L J of the loss L of the outputs, which is the same for losses
    that are −log p of an exponential family in its natural parameters: cross-entropy of softmax outputs, and mean squared
    error (a normal law whose variance makes L its −log p). Labels do not enter F there, so that nothing is drawn. A penalty
    adds its own second derivative to F, as if it were a prior. Sums of squares are taken as −log p of normal residuals.

    F is found from products with unit vectors: a step counts 1 + 2n evaluations. Where F + damping I is singular, −g stands in. A trial
    whose gradient is zero or not finite stays where it is, and costs one evaluation.

    Args:
        lr: step length; 1 is the minimum of the quadratic model of damping 0.
        damping: added to F in every direction; at 0, directions that no prediction of the batch depends on have no end.

    Raises:
        ValueError: a value lies outside its range; the message names the trial. There are more than 2,000 parameters, or the
            loss is no convex function of outputs.

    Source: Amari, "Natural gradient works efficiently in learning", Neural Computation 10 (1998), 251–276; F as the
    Gauss–Newton matrix: Martens, "New insights and perspectives on the natural gradient method", JMLR 21 (2020), section 9,
    https://arxiv.org/abs/1412.1193.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(0.1, least=0)
    damping: Hyper = setting(1e-2, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> NaturalGradientState:
        return NaturalGradientState(0)

    def check(self, params: Params, oracle: Oracle) -> None:
        check_curved("gauss_newton", params, oracle, LIMIT)

    def scratch_bytes(self, params: Params) -> int:
        return dense_bytes(params)

    def step(
        self, params: Params, state: NaturalGradientState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, NaturalGradientState]:
        w, after = params, NaturalGradientState(state.t + 1)
        _, g, product = oracle.gauss_newton(w)
        rows = searching(g)
        if len(rows) == 0:
            return w, after
        F = dense(product, g, rows)
        d = downhill(F + torch.diag_embed(rate(self.damping, w)[rows].expand_as(g[rows])), g[rows])
        d = d.where(~d.isnan(), -g[rows])
        return w.index_copy(0, rows, w[rows] + rate(self.lr * factor, w)[rows] * d), after
