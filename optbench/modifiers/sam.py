"""Sharpness-aware minimisation: the gradient is taken where the loss nearby is highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..checks import check_settings, setting
from ..interfaces import Factors, Hyper, Loss, Matrix, Oracle, OracleModifier, Params, Product, Rows
from .derived import of_rows, penalised

NO_MATRIX = "sam tells gradients from uphill, of which there is no matrix; leave it out, or take another optimizer"


@dataclass(frozen=True, kw_only=True)
class SAM(OracleModifier):
    """Loss and gradient come from a point uphill of the one asked for, on the same minibatch.

        SAM    e = rho g / ‖g‖                         f(x), g(x) ← f(x + e), ∇f(x + e)
        ASAM   e = rho T² g / ‖T g‖,   T = |x| + eta

    Each question is two evaluations, and counted so. Where the gradient is zero, e is. Penalties such as `l2` are part of f;
    `weight_decay` is not.

    Args:
        rho: length of e, in units of the parameters; for ASAM as a part of the parameters' size (the paper has 0.5).
        adaptive: ASAM.
        eta: what is added to |x|, so that parameters at zero take part; for ASAM.
        biases: T is |x| + eta for biases and normalisation parameters too, for which the authors of ASAM take 1.

    Raises:
        ValueError: a value is negative; the message names the trial.

    Source: Foret, Kleiner, Mobahi & Neyshabur, "Sharpness-aware minimization for efficiently improving generalization",
    ICLR 2021, Algorithm 1, https://arxiv.org/abs/2010.01412; Kwon, Kim, Park & Choi, "ASAM: adaptive sharpness-aware
    minimization for scale-invariant learning of deep neural networks", ICML 2021, Algorithm 1,
    https://arxiv.org/abs/2102.11600. A widespread implementation has eta = 0 and scales biases too.
    """

    rho: Hyper = setting(0.05, least=0)
    adaptive: bool = setting(False)
    eta: Hyper = setting(0.01, least=0, only={"adaptive": (True,)})
    biases: bool = setting(False, only={"adaptive": (True,)})

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        return Uphill(oracle, self), state


class Uphill(Oracle):
    """Asks the inner oracle at the point and then uphill of it; the inner one counts."""

    matched = False

    def __init__(self, inner: Oracle, rule: SAM):
        self.inner, self.layout, self.fixed = inner, inner.layout, inner.fixed
        self.rule = rule

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        _, grad = self.inner(params, rows)
        if self.rule.adaptive:
            seen = penalised(torch.ones_like(params), self.layout, self.rule.biases)
            scale = torch.where(seen > 0, params.abs() + of_rows(self.rule.eta, rows), 1)
            e, length = scale * scale * grad, (scale * grad).norm(dim=1, keepdim=True)
        else:
            e, length = grad, grad.norm(dim=1, keepdim=True)
        far = of_rows(self.rule.rho, rows) / torch.where(length == 0, 1, length)
        return self.inner(params + far * e, rows)

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        raise ValueError(NO_MATRIX)

    def kronecker(self, params: Params) -> dict[str, Factors]:
        raise ValueError(NO_MATRIX)
