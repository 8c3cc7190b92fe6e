"""The gradient penalty, against closed forms and torch.func."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from optbench.problems.cnn import CNN
from optbench.problems.mlp import MLP
from optbench.problems.module import Module
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor, nn

from optbench.interfaces import Layout, Loss, Params, Problem
from optbench.modifiers.gradient_penalty import GradientPenalty
from optbench.nn.blocks import TransformerBlock
from optbench.nn.layers import Last

A = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Bowl(Problem):
    """½ xᵀAx."""

    @property
    def layout(self) -> Layout:
        return Layout.point(2)

    def start(self, seeds: Sequence[int]) -> Params:
        return torch.tensor([[1.0 + s, -2.0] for s in seeds], dtype=torch.float64)

    def loss(self, params: Params, batch: Any) -> Loss:
        return 0.5 * ((params @ A) * params).sum(dim=1)

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> Sequence[float]:
        return [1.0]

    def target(self) -> float:
        return 1.0


def attending(outputs: int) -> nn.Module:
    block = TransformerBlock(8, 2, nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8)), pre=True, causal=True)
    return nn.Sequential(nn.Flatten(1, 2), block, Last(), nn.Linear(8, outputs))


def test_on_a_quadratic_it_is_the_closed_form() -> None:
    """f + λ ‖Ax‖², with gradient Ax + 2 λ A²x."""
    problem, strength = GradientPenalty(strength=0.3).change(Bowl()), 0.3
    x = Bowl().start([0, 1])
    loss, grad = problem.loss_and_grad(x, None)
    torch.testing.assert_close(loss, Bowl().loss(x, None) + strength * (x @ A).square().sum(dim=1))
    torch.testing.assert_close(grad, x @ A + 2 * strength * x @ A @ A)


def test_the_gradient_has_twice_the_hessian_times_the_gradient() -> None:
    x = Rosenbrock(n=3).start([0, 1, 2])
    _, grad = GradientPenalty(strength=0.01).change(Rosenbrock(n=3)).loss_and_grad(x, None)
    for k in range(3):

        def loss(row: Tensor) -> Tensor:
            return Rosenbrock(n=3).loss(row[None], None)[0]

        g, h = torch.autograd.functional.jacobian(loss, x[k]), torch.autograd.functional.hessian(loss, x[k])
        torch.testing.assert_close(grad[k], g + 0.02 * h @ g, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "problem",
    [
        MLP(data="iris", hidden=(4,), normalisation="batch", activation="gelu", dtype=torch.float64),
        MLP(
            data="iris", hidden=(4,), normalisation="layer", activation="tanh", hidden_dropout=0.3, dtype=torch.float64
        ),
        CNN(batch_size=4, normalisation="group", activation="silu", dtype=torch.float64),
        Module(network_class=f"{__name__}.attending", data="digits", batch_size=4, dtype=torch.float64),
    ],
    ids=["batch norm", "layer norm and dropout", "cnn", "attention"],
)
@pytest.mark.parametrize("seeds", [[1], [0, 1]])
def test_networks_can_be_differentiated_twice(problem: Any, seeds: list[int]) -> None:
    """The slope along a direction, by central differences of the changed loss."""
    changed = GradientPenalty(strength=0.2).change(problem)
    params, batch = problem.start(seeds), problem.stream(seeds).at(0)
    loss, grad = changed.loss_and_grad(params, batch)
    along = torch.randn(params.shape, generator=torch.Generator().manual_seed(1), dtype=params.dtype)
    h = 1e-5
    slope = (changed.loss(params + h * along, batch) - changed.loss(params - h * along, batch)) / (2 * h)
    torch.testing.assert_close((grad * along).sum(dim=1), slope, rtol=1e-6, atol=1e-7)
    assert (loss > problem.loss(params, batch)).all()


def test_moving_statistics_have_no_slope_to_be_penalised() -> None:
    settings: dict[str, Any] = {"data": "iris", "hidden": (4,), "normalisation": "batch", "dtype": torch.float64}
    with_them, without = MLP(moving_statistics=True, **settings), MLP(**settings)
    rows = with_them.start([0, 1])
    own = with_them.layout.split(rows)
    fewer = torch.cat([own[name].flatten(1) for name in without.layout.names], dim=1)
    assert fewer.shape[1] < rows.shape[1]
    batch = with_them.stream([0, 1]).at(0)
    losses = [
        GradientPenalty(strength=1.0).change(problem).loss(at, batch)
        for problem, at in ((with_them, rows), (without, fewer))
    ]
    torch.testing.assert_close(*losses, rtol=1e-12, atol=0)


def test_a_negative_strength_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^GradientPenalty: strength must lie in \[0, inf\), got -1$"):
        GradientPenalty(strength=-1.0)
