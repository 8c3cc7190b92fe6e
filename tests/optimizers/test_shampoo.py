"""Shampoo against pytorch_optimizer, and against Adagrad on diagonal gradients."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.shampoo import Shampoo

LAYOUT = Layout(("w",), ((2, 2),), ("weight",))


class ShampooAndAdamW(torch.optim.Optimizer):
    """pytorch_optimizer's Shampoo on matrices with two rows and columns or more, torch's AdamW on the rest."""

    def __init__(self, params: list[Any], lr: float, vector_rate: float, weight_decay: float, eps: float):
        super().__init__(params, {})
        theirs = pytest.importorskip("pytorch_optimizer").Shampoo
        matrices = [p for p in params if p.ndim == 2 and min(p.shape) > 1]
        rest = [p for p in params if p.ndim != 2 or min(p.shape) == 1]
        self.parts: list[Any] = [torch.optim.AdamW(rest, lr=lr * vector_rate, weight_decay=weight_decay)]
        if matrices:
            decay = {"weight_decay": weight_decay, "weight_decouple": True}
            self.parts.append(theirs(matrices, lr=lr, matrix_eps=eps, **decay))

    def step(self, closure: Any = None) -> Any:
        for part in self.parts:
            part.step()


@pytest.mark.parametrize(
    "problem", [Rosenbrock(n=4), TinyNet(), TinyNet(hidden=2)], ids=["rosenbrock", "tall", "square"]
)
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.1, "weight_decay": 0.0, "vector_rate": 0.01, "eps": 1e-6},
        {"lr": 0.3, "weight_decay": 0.1, "vector_rate": 0.1, "eps": 1e-2},
    ],
    ids=["default", "decay"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, Shampoo(momentum=0.0, **settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, ShampooAndAdamW, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_on_diagonal_gradients_it_is_adagrad_with_a_running_mean() -> None:
    rule, x = Shampoo(lr=0.5, momentum=0.75, eps=0.01), torch.zeros(2, 4, dtype=torch.float64)
    state, total, mean, at = rule.init(x, LAYOUT), torch.full((2,), 0.01), None, torch.zeros(2)
    for g in torch.tensor([[1.0, -2.0], [0.5, 3.0], [-4.0, 0.1]], dtype=torch.float64):
        x, state = rule.update(x, torch.diag(g).reshape(1, 4).repeat(2, 1), state, rule.lr)
        mean = g if mean is None else 0.75 * mean + 0.25 * g
        total = total + g**2
        at = at - 0.5 * mean / total.sqrt()
        torch.testing.assert_close(x, torch.diag(at).reshape(1, 4).repeat(2, 1), rtol=1e-9, atol=1e-15)


def test_roots_are_kept_between_the_steps_that_compute_them() -> None:
    rule, x = Shampoo(precondition_frequency=3), torch.zeros(2, 4, dtype=torch.float64)
    state, roots = rule.init(x, LAYOUT), []
    for step in range(7):
        grad = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        x, state = rule.update(x, grad, state, rule.lr)
        roots.append(state.L_root["w"])
    same = [torch.equal(a, b) for a, b in itertools.pairwise(roots)]
    assert same == [True, False, True, True, False, True]


def test_kept_roots_lengthen_new_directions_by_one_over_the_root_of_eps() -> None:
    for frequency, longest in ((1, 0.1), (3, 0.1 / 0.01)):
        rule, x = Shampoo(lr=0.1, momentum=0.0, eps=1e-4, precondition_frequency=frequency), torch.zeros(1, 4).double()
        state = rule.init(x, LAYOUT)
        for g in (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])):
            before = x
            x, state = rule.update(x, torch.diag(g).reshape(1, 4).double(), state, rule.lr)
        assert (x - before).abs().max().item() == pytest.approx(longest, rel=1e-3)


def test_the_kept_roots_are_inverse_fourth_roots_of_the_sums() -> None:
    rule, x = Shampoo(), torch.zeros(1, 6, dtype=torch.float64)
    layout = Layout(("w",), ((3, 2),), ("weight",))
    grad = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    _, state = rule.update(x, grad, rule.init(x, layout), rule.lr)
    for root, sums in ((state.L_root, state.L), (state.R_root, state.R)):
        identity = torch.eye(len(sums["w"][0]), dtype=torch.float64)
        torch.testing.assert_close(
            torch.linalg.matrix_power(root["w"][0], 4) @ sums["w"][0], identity, rtol=0, atol=1e-6
        )
