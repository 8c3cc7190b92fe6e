"""Gradient clipping by norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows


@dataclass(frozen=True, kw_only=True)
class ClipNorm(OracleModifier):
    """Shortens a gradient that is too long, keeping its direction.

        g ← min(1, max_norm / ‖g‖₂) · g

    per_layer: the same with the gradient of each parameter tensor by itself; the direction of the whole may change.

    Args:
        max_norm: longest gradient let through, over all parameters of a trial or those of a tensor; in units of the gradient.
        per_layer: each parameter tensor is clipped by itself.

    Raises:
        ValueError: max_norm is not positive; the message names the trial.

    Source: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    Algorithm 1, https://arxiv.org/abs/1211.5063. torch.nn.utils.clip_grad_norm_ divides by ‖g‖ + 1e-6 instead of ‖g‖;
    per_layer is what it does when called with each parameter alone.
    """

    max_norm: Hyper = setting(1.0, above=0)
    per_layer: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        def clip(params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
            limit = of_rows(self.max_norm, rows)
            layers = grad.split(oracle.layout.sizes, dim=1) if self.per_layer else [grad]
            clipped = [g * (limit / g.norm(dim=1, keepdim=True)).clamp(max=1.0) for g in layers]
            return loss, clipped[0] if len(clipped) == 1 else torch.cat(clipped, dim=1)

        return DerivedOracle(oracle, clip, matched=False), state
