"""L1 penalty: every weight costs its absolute value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows, penalised


@dataclass(frozen=True, kw_only=True)
class L1(OracleModifier):
    """The sum of absolute parameters is added to the loss, which makes many of them zero.

        f(w) ← f(w) + λ ‖w‖₁                g ← g + λ sign(w)

    sign(0) = 0, a subgradient: plain gradient steps hover around zero rather than stop on it.

    Args:
        strength: weight λ of the penalty.
        biases: penalise biases and normalisation parameters too, not weights alone.

    Raises:
        ValueError: strength is negative; the message names the trial.

    Source: Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal Statistical Society B
    58 (1996), 267-288; Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 7.1.2, equation 7.20.
    """

    place: ClassVar[str] = "objective"

    strength: Hyper = setting(1e-4, least=0)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        def penalise(params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
            w = penalised(params, oracle.layout, self.biases)
            pull = of_rows(self.strength, rows) * w.sign()
            return loss + (pull * w).sum(dim=1), grad + pull

        return DerivedOracle(oracle, penalise), state
