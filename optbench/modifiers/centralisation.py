"""Gradient centralisation: the gradient of a unit's weights has mean zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Layout, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle
from .units import by_unit, joined, weights


@dataclass(frozen=True, kw_only=True)
class Centralisation(OracleModifier):
    """From the gradient of the weights that lead into a neuron or channel, their mean is taken away.

        gᵢ ← gᵢ − mean(gᵢ),   i a row of a matrix, or a kernel with all its inputs

    Vectors, such as biases, stay as they are. With gradient descent, the sum of a unit's
    weights never changes.

    Args:
        kernels_only: kernels of convolutions alone, not matrices.

    Raises:
        TypeError: kernels_only is no truth value.
        ValueError: the problem has no weights of units.

    Source: Yong, Huang, Hua & Zhang, "Gradient centralization: a new optimization technique for deep neural networks",
    ECCV 2020, equation 1, https://arxiv.org/abs/2004.01461.
    """

    kernels_only: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, layout: Layout) -> None:
        if not any(weights(layout, 3 if self.kernels_only else 2)):
            needed = "kernels of convolutions" if self.kernels_only else "weight matrices or kernels"
            raise ValueError(f"centralisation needs a problem with {needed}; elsewhere it has no effect")

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        layout = oracle.layout
        chosen = weights(layout, 3 if self.kernels_only else 2)

        def centre(params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
            units = by_unit(grad, layout)
            units = [g - g.mean(dim=2, keepdim=True) if c else g for g, c in zip(units, chosen, strict=True)]
            return loss, joined(units)

        return DerivedOracle(oracle, centre, matched=False), state
