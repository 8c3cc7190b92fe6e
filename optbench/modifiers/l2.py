"""L2 penalty: large weights cost their square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows, penalised


@dataclass(frozen=True, kw_only=True)
class L2(OracleModifier):
    """Half the squared length of the parameters is added to the loss.

        f(w) ← f(w) + ½ λ ‖w‖²                g ← g + λ w

    For gradient descent this is weight decay; for adaptive methods it is not, see the modifier `weight_decay`. Some
    textbooks write λ‖w‖² without the half: their λ is half of this one.

    Args:
        strength: weight λ of the penalty.
        biases: penalise biases and normalisation parameters too, not weights alone.

    Raises:
        ValueError: strength is negative; the message names the trial.

    Source: Krogh & Hertz, "A simple weight decay can improve generalization", NeurIPS 1991; Goodfellow, Bengio &
    Courville, "Deep Learning" (2016), section 7.1.1. Same steps as with
    weight_decay=λ of torch.optim.SGD and Adam.
    """

    place: ClassVar[str] = "objective"

    strength: Hyper = setting(1e-4, least=0)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        def penalise(params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
            w = penalised(params, oracle.layout, self.biases)
            pull = of_rows(self.strength, rows) * w
            return loss + 0.5 * (pull * w).sum(dim=1), grad + pull

        def bend(v: Params, rows: Rows | None) -> Params:
            return of_rows(self.strength, rows) * penalised(v, oracle.layout, self.biases)

        return DerivedOracle(oracle, penalise, bend), state
