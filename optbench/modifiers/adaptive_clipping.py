"""Adaptive gradient clipping: a unit's gradient is held short beside the unit's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Loss, Oracle, OracleModifier, Params, Rows
from .derived import DerivedOracle, of_rows
from .units import by_unit, joined, lengths, of_units


@dataclass(frozen=True, kw_only=True)
class AdaptiveClipping(OracleModifier):
    """Clips the gradient of each unit by the length of its weights: AGC.

        gᵢ ← λ max(‖wᵢ‖, eps) / ‖gᵢ‖ · gᵢ   where ‖gᵢ‖ > λ max(‖wᵢ‖, eps)

    A unit i is what leads into one neuron or one channel: a row of a matrix, a kernel with all its inputs. A vector, such
    as the biases of a layer or the coordinates of a landscape, is one unit. The last linear layer, with its bias, is left
    as it is, as in the paper.

    Args:
        clipping: λ, longest gradient as a part of the length of the weights.
        eps: length that weights count as at least, so that those which begin at zero can move; in units of the parameters.
        biases: clip biases and normalisation parameters too, not weights alone.
        last: clip the last linear layer too.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Brock, De, Smith & Simonyan, "High-performance large-scale image recognition without normalization", ICML
    2021, equation 3, https://arxiv.org/abs/2102.06171; units of vectors as in the authors' code.
    """

    clipping: Hyper = setting(0.01, above=0)
    eps: Hyper = setting(1e-3, above=0)
    biases: bool = setting(True)
    last: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, layout: Layout) -> None:
        if not any(self._chosen(layout)):
            raise ValueError(
                "adaptive_clipping leaves the last linear layer as it is, and there is no other; set last=true"
            )

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        chosen = self._chosen(oracle.layout)

        def clip(params: Params, loss: Loss, grad: Params, rows: Rows | None) -> tuple[Loss, Params]:
            part, eps = of_units(of_rows(self.clipping, rows)), of_units(of_rows(self.eps, rows))
            units = by_unit(grad, oracle.layout)
            for i, w in enumerate(by_unit(params, oracle.layout)):
                if chosen[i]:
                    most, length = part * lengths(w).clamp(min=eps), lengths(units[i])  # type: ignore[arg-type] # a number or a tensor: torch has both
                    units[i] = units[i] * torch.where(length > most, most / length, 1)
            return loss, joined(units)

        return DerivedOracle(oracle, clip, matched=False), state

    def _chosen(self, layout: Layout) -> list[bool]:
        """Which tensors are clipped."""
        roles = ("weight", "point", "bias", "norm") if self.biases else ("weight", "point")
        known = list(zip(layout.names, layout.shapes, layout.roles, strict=True))
        matrices = [name for name, shape, role in known if role == "weight" and len(shape) == 2]
        last = {name for name in layout.names if matrices and _owner(name) == _owner(matrices[-1])}
        return [role in roles and (self.last or name not in last) for name, _, role in known]


def _owner(name: str) -> str:
    """The layer that a tensor belongs to."""
    return name.rpartition(".")[0]
