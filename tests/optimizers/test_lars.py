"""LARS against pytorch_optimizer, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.lars import LARS


class RosenbrockMatrix(Rosenbrock):
    """The same function of a matrix with one row: the reference scales matrices alone."""

    @property
    def layout(self) -> Layout:
        return Layout(("x",), ((1, self.n),), ("point",))


@pytest.mark.parametrize("problem", [RosenbrockMatrix(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 1.0, "weight_decay": 0.0},
        {"lr": 0.1, "weight_decay": 0.1, "trust_coefficient": 0.02},
        {"lr": 5.0, "momentum": 0.0, "weight_decay": 1e-3},
    ],
    ids=["plain", "decay", "no momentum"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").LARS
    path = Loop(problem, LARS(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    rule = LARS(lr=0.5, momentum=0.5, weight_decay=0.2, trust_coefficient=0.1)
    layout = Layout(("w", "b"), ((2,), (1,)), ("weight", "bias"))
    x, g = torch.tensor([[3.0, 4.0, 1.0]], dtype=torch.float64), torch.tensor([[0.0, 4.0, 2.0]], dtype=torch.float64)
    x, state = rule.update(x, g, rule.init(x, layout), rule.lr)
    # q = 0.1 · 5 / (4 + 0.2 · 5) = 0.1; v = 0.1 · (0.6, 4.8); the bias takes a plain step
    torch.testing.assert_close(x, torch.tensor([[2.97, 3.76, 0.0]], dtype=torch.float64), rtol=1e-14, atol=1e-15)
    x, state = rule.update(x, torch.zeros_like(x), state, rule.lr)
    # the gradient is zero: q = 0.1 / 0.2, and the decay alone moves the weights, beside the velocity
    v = torch.tensor([[0.03 + 0.5 * 0.2 * 2.97, 0.24 + 0.5 * 0.2 * 3.76, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(state.v, v, rtol=1e-14, atol=1e-15)


def test_a_layer_of_zeros_and_a_gradient_of_zeros_move_by_plain_momentum() -> None:
    rule, layout = LARS(lr=1.0, weight_decay=0.0), Layout(("u", "w"), ((2,), (2,)), ("weight", "weight"))
    x = torch.tensor([[0.0, 0.0, 1.0, 2.0]], dtype=torch.float64)
    g = torch.tensor([[1.0, -2.0, 0.0, 0.0]], dtype=torch.float64)
    after, _ = rule.update(x, g, rule.init(x, layout), rule.lr)
    torch.testing.assert_close(after, torch.tensor([[-1.0, 2.0, 1.0, 2.0]], dtype=torch.float64))


def test_a_step_is_a_given_part_of_each_layer_however_large_its_gradient() -> None:
    rule = LARS(lr=column(1.0, 2.0), momentum=0.0, weight_decay=0.0, trust_coefficient=0.01, scaled="all")
    layout = Layout(("w", "b"), ((2, 2), (3,)), ("weight", "bias"))
    x = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([1e-6] * 4 + [1e6] * 3, dtype=torch.float64)
    after, _ = rule.update(x, scale * x.roll(1, 1), rule.init(x, layout), rule.lr)
    for part in (slice(0, 4), slice(4, 7)):
        length = (after - x)[:, part].norm(dim=1) / x[:, part].norm(dim=1)
        torch.testing.assert_close(length, torch.tensor([0.01, 0.02], dtype=torch.float64), rtol=1e-9, atol=0)
