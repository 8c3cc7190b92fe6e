"""What the hidden units of a network do on a fixed set of training samples."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..interfaces import Loss
from ..nn import Learning
from ..nn.blocks import HIDDEN
from .instrument import LearningInstrument, View

NEAR = 0.01
"""How near to the end of its range, as a share of it, a unit is saturated."""


class OfUnits(LearningInstrument):
    """Looks at the outputs of the activation layers for the first 256 training samples, as in evaluation."""

    def check_learning(self, problem: Learning) -> None:
        if not any(isinstance(layer, HIDDEN) for layer in problem.network.template.modules()):
            raise UsageError("needs a network with layers such as torch.nn.ReLU or Tanh; this one has none")

    def seen(self, view: View) -> Iterator[tuple[str, nn.Module, Tensor]]:
        """Name, layer and output `[trials, samples, …, units]` of each activation layer; channels of images last."""
        found: list[tuple[str, nn.Module, Tensor]] = []

        def watch(name: str, layer: nn.Module, out: Tensor) -> None:
            if isinstance(layer, HIDDEN):
                found.append((name, layer, out.movedim(2, -1) if out.ndim == 5 else out))

        problem = view.learning
        with torch.no_grad():
            problem.outputs_of(view.params, problem.train.x[:256], watch=watch)
        yield from found


class DeadUnits(OfUnits):
    """Share of hidden units that give zero for every sample of a fixed set of 256 training samples.

        dead_units.NAME = share of units u with h_u(x) = 0 for all x;   dead_units = the same over all layers

    A unit of a convolution is a channel. Such units of ReLU have no gradient and may never come back.

    Source: Lu, Shin, Su & Karniadakis, "Dying ReLU and initialization", Commun. Comput. Phys. 28 (2020), 1671–1706.
    """

    columns = ("dead_units",)

    def measure(self, view: View) -> dict[str, Loss]:
        dead = {name: (out == 0).flatten(1, -2).all(dim=1) for name, _, out in self.seen(view)}
        return _shares("dead_units", dead, view)


class Saturation(OfUnits):
    """Share of the outputs of tanh and sigmoid units that lie within 1 % of an end of their range.

        saturation.NAME = share of h with h − low < 0.01 (high − low) or high − h < 0.01 (high − low)

    Over a fixed set of 256 training samples; nothing is told of layers of other kinds.

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """

    columns = ("saturation",)

    def check_learning(self, problem: Learning) -> None:
        super().check_learning(problem)
        if not any(isinstance(m, (nn.Tanh, nn.Sigmoid)) for m in problem.network.template.modules()):
            raise UsageError(
                "needs layers torch.nn.Tanh or Sigmoid, as problem.activation=tanh makes them in an mlp or cnn"
            )

    def measure(self, view: View) -> dict[str, Loss]:
        bounds = {nn.Tanh: (-1.0, 1.0), nn.Sigmoid: (0.0, 1.0)}
        full = {}
        for name, layer, out in self.seen(view):
            if type(layer) in bounds:
                low, high = bounds[type(layer)]
                near = NEAR * (high - low)
                full[name] = ((out < low + near) | (out > high - near)).flatten(1)
        return _shares("saturation", full, view)


class Activations(OfUnits):
    """Mean and standard deviation of the outputs of each activation layer over 256 training samples and all units.

        activation_mean.NAME = mean of h,   activation_deviation.NAME = √(mean of (h − mean)²)

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """

    columns = ("activation_mean", "activation_deviation")

    def measure(self, view: View) -> dict[str, Loss]:
        columns = {}
        for name, _, out in self.seen(view):
            deviation, mean = torch.std_mean(out.flatten(1), dim=1, correction=0)
            columns |= {f"activation_mean.{name}": mean, f"activation_deviation.{name}": deviation}
        return columns


def _shares(name: str, truths: dict[str, Tensor], view: View) -> dict[str, Loss]:
    like = view.params.dtype
    each = {f"{name}.{layer}": truth.to(like).mean(dim=1) for layer, truth in truths.items()}
    return {name: torch.cat(list(truths.values()), dim=1).to(like).mean(dim=1)} | each
