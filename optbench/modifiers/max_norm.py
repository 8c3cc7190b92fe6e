"""Max-norm: the weights that lead into a unit are never longer than a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Params, Rate, UpdateModifier
from .units import by_unit, joined, lengths, of_units, weights


@dataclass(frozen=True, kw_only=True)
class MaxNorm(UpdateModifier):
    """After each step, what leads into a neuron or channel is scaled back if it has grown too long.

        wᵢ ← min(1, limit / ‖wᵢ‖₂) · wᵢ,   i a row of a matrix, or a kernel with all its inputs

    Biases and normalisation parameters stay as they are. Weights that start longer are brought in by the first step. It comes
    after decay and all else that changes the step, wherever it stands in the list of modifiers.

    Args:
        limit: longest weights of a unit, in units of the parameters.

    Raises:
        ValueError: limit is not positive; the message names the trial. The problem has no weights of units.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: a simple way to prevent neural
    networks from overfitting", Journal of Machine Learning Research 15 (2014), section 5.1, there with a limit of 3 to 4. Same as
    torch.renorm with p = 2 and dim = 0 but for the 1e-7 that it adds to the length.
    """

    turn: ClassVar[int] = 1

    limit: Hyper = setting(3.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self, layout: Layout) -> None:
        if not any(weights(layout)):
            raise ValueError("max_norm needs a problem with weight matrices or kernels; elsewhere it has no effect")

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Layout:
        return layout

    def apply(self, before: Params, after: Params, lr: Rate, state: Layout) -> tuple[Params, Layout]:
        limit, units = of_units(self.limit), by_unit(after, state)
        for i, (w, chosen) in enumerate(zip(units, weights(state), strict=True)):
            if chosen:
                length = lengths(w)
                units[i] = w * torch.where(length > limit, limit / length, 1)
        return joined(units), state
