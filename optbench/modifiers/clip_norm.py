"""Gradient clipping by norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows


@dataclass(frozen=True, kw_only=True)
class ClipNorm(OracleModifier):
    """Shortens a gradient that is too long, keeping its direction.

        g ← min(1, max_norm / ‖g‖₂) · g

    Args:
        max_norm: longest gradient let through, over all parameters of a trial; in units of the gradient.

    Source: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    Algorithm 1, https://arxiv.org/abs/1211.5063. torch.nn.utils.clip_grad_norm_ divides by ‖g‖ + 1e-6 instead of ‖g‖.
    """

    max_norm: Hyper = setting(1.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        return DerivedOracle(oracle, self._clip), state

    def _clip(self, params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
        limit = of_rows(self.max_norm, rows)
        norm = grad.norm(dim=1, keepdim=True)
        return loss, grad * (limit / norm).clamp(max=1.0)
