"""Signum against pytorch_optimizer, against Lion with equal betas, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.lion import Lion
from optbench.optimizers.signum import Signum

problems = pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])


@problems
@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.02, "momentum": 0.5}, {"momentum": 0.99}], ids=["default", "short", "long"]
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").SignSGD
    path = Loop(problem, Signum(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


@problems
def test_lion_with_equal_betas_is_the_same_rule(problem: Any) -> None:
    ours = Loop(problem, Signum(lr=0.01, momentum=0.8), [3]).run(100)
    lion = Loop(problem, Lion(lr=0.01, betas=(0.8, 0.8)), [3]).run(100)
    torch.testing.assert_close(ours, lion, rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    """m: 1 and −1, then 0.5 − 1 and −0.5 + 0."""
    rule, x = Signum(momentum=0.5), torch.zeros(1, 2, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    x, state = rule.update(x, torch.tensor([[2.0, -2.0]], dtype=torch.float64), state, 0.25)
    assert x.tolist() == [[-0.25, 0.25]]
    x, state = rule.update(x, torch.tensor([[-2.0, 0.0]], dtype=torch.float64), state, 0.25)
    assert x.tolist() == [[0.0, 0.5]]
    assert state.m.tolist() == [[-0.5, -0.5]]
