"""Lion against its authors' torch class, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.lion import Lion


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"lr": 1e-2, "weight_decay": 0.1}, {"lr": 1e-3, "betas": (0.5, 0.8)}],
    ids=["default", "decay", "betas"],
)
def test_a_hundred_steps_equal_those_of_lion_pytorch(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("lion_pytorch").Lion
    path = Loop(problem, Lion(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    rule, x = Lion(lr=0.1, betas=(0.5, 0.75), weight_decay=0.2), torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=3).layout)
    x, state = rule.update(x, torch.tensor([[4.0, -2.0, 0.0]], dtype=torch.float64), state, rule.lr)
    torch.testing.assert_close(x, torch.tensor([[0.88, -0.88, 0.0]], dtype=torch.float64), rtol=1e-15, atol=1e-15)
    torch.testing.assert_close(state.m, torch.tensor([[1.0, -0.5, 0.0]], dtype=torch.float64), rtol=1e-15, atol=1e-15)
    x, state = rule.update(x, torch.tensor([[-2.0, 0.0, 3.0]], dtype=torch.float64), state, rule.lr)
    torch.testing.assert_close(x, torch.tensor([[0.9624, -0.7624, -0.1]], dtype=torch.float64), rtol=1e-14, atol=0)
