"""Gradient clipping element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows


@dataclass(frozen=True, kw_only=True)
class ClipValue(OracleModifier):
    """Cuts every element of the gradient to an interval; the direction may change.

        gᵢ ← min(max_value, max(−max_value, gᵢ))

    Args:
        max_value: largest absolute element let through, in units of the gradient.

    Raises:
        ValueError: max_value is not positive; the message names the trial.

    Source: Mikolov, "Statistical language models based on neural networks", PhD thesis, Brno University of Technology,
    2012, section 3.2.2. Same result as torch.nn.utils.clip_grad_value_.
    """

    max_value: Hyper = setting(1.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        return DerivedOracle(oracle, self._clip, matched=False), state

    def _clip(self, params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
        limit: Any = of_rows(self.max_value, rows)
        return loss, grad.clamp(-limit, limit)
