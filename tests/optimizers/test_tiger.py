"""Tiger against pytorch_optimizer, against Lion, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.lion import Lion
from optbench.optimizers.tiger import Tiger


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings", [{}, {"lr": 1e-2, "beta": 0.5}, {"lr": 1e-3, "weight_decay": 2.0}], ids=["default", "beta", "decay"]
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").Tiger
    path = Loop(problem, Tiger(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_it_is_lion_with_equal_betas() -> None:
    ours = Loop(TinyNet(), Tiger(lr=0.01, beta=0.9, weight_decay=0.1), [0, 1]).run(60)
    assert torch.equal(ours, Loop(TinyNet(), Lion(lr=0.01, betas=(0.9, 0.9), weight_decay=0.1), [0, 1]).run(60))


def test_a_layerwise_step_worked_by_hand() -> None:
    """RMS(3, −4, 0, 0) = 2.5; biases and norms move by half the rate, without decay."""
    layout = Layout(("w", "b", "scale"), ((2, 2), (1,), (2,)), ("weight", "bias", "norm"))
    rule = Tiger(lr=0.1, weight_decay=0.2, layerwise=True)
    x = torch.tensor([[3.0, -4.0, 0.0, 0.0, 7.0, 1.0, 1.0]], dtype=torch.float64)
    grad = torch.tensor([[1.0, 5.0, -2.0, 0.0, -0.1, 3.0, 0.0]], dtype=torch.float64)
    x, state = rule.update(x, grad, rule.init(x, layout), rule.lr)
    expected = torch.tensor([[3 - 0.25 * 1.6, -4 - 0.25 * 0.2, 0.25, 0.0, 7.05, 0.95, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(x, expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(state.m, 0.035 * grad, rtol=1e-13, atol=0)


def test_layerwise_trials_equal_the_trials_one_by_one() -> None:
    lr, decay = torch.tensor([[0.01], [0.02], [0.04]]).double(), torch.tensor([[0.0], [0.1], [1.0]]).double()
    together = Loop(TinyNet(), Tiger(lr=lr, weight_decay=decay, layerwise=True), [0, 1, 2]).run(40)
    pair = Loop(TinyNet(), Tiger(lr=lr[1:], weight_decay=decay[1:], layerwise=True), [1, 2]).run(40)
    assert torch.equal(together[:, 1:], pair)
    for k in range(3):
        rule = Tiger(lr=lr[k].item(), weight_decay=decay[k].item(), layerwise=True)
        torch.testing.assert_close(together[:, k], Loop(TinyNet(), rule, [k]).run(40)[:, 0], rtol=1e-12, atol=1e-13)
