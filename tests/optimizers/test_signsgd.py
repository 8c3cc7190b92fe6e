"""signSGD against torch's RMSprop without memory and against pytorch_optimizer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.signsgd import SignSGD

problems = pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])


@problems
@pytest.mark.parametrize("lr", [1e-3, 0.02])
def test_a_hundred_steps_equal_those_of_torch_rmsprop_without_memory(problem: Any, lr: float) -> None:
    path = Loop(problem, SignSGD(lr=lr), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.RMSprop, 7, 100, lr=lr, alpha=0.0, eps=0.0)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


@problems
@pytest.mark.parametrize("settings", [{}, {"lr": 0.02}], ids=["default", "rate"])
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").SignSGD
    path = Loop(problem, SignSGD(**settings), [7]).run(100)[:, 0]
    expected = torch_path(problem, theirs, 7, 100, momentum=0.0, **settings)
    torch.testing.assert_close(path, expected, rtol=1e-9, atol=1e-9)


def test_a_parameter_without_gradient_stays() -> None:
    x, _ = SignSGD().update(torch.ones(1, 3), torch.tensor([[0.0, 1e-30, -1e30]]), (), 0.25)
    assert x.tolist() == [[1.0, 0.75, 1.25]]
