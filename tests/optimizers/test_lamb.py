"""LAMB against pytorch_optimizer, and worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adam import Adam
from optbench.optimizers.lamb import LAMB


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize("bound", [None, 0.5, 10.0])
@pytest.mark.parametrize(
    "settings",
    [{}, {"lr": 0.02, "betas": (0.5, 0.9)}, {"lr": 0.01, "weight_decay": 0.1}],
    ids=["default", "betas", "decay"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(
    problem: Any, bound: float | None, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").Lamb
    monkeypatch.setattr(theirs, "clamp", bound if bound is not None else math.inf)
    settings = {"weight_decay": 0.0, "eps": 1e-13, **settings}  # a tiny eps: they add it to the ratio's denominator too
    rule = LAMB(bias_correction=False, scaled="all", longest=bound, **settings)
    path = Loop(problem, rule, [7]).run(100)[:, 0]
    expected = torch_path(problem, theirs, 7, 100, weight_decouple=False, adam_debias=True, **settings)
    torch.testing.assert_close(path, expected, rtol=1e-9, atol=1e-9)


def test_a_step_worked_by_hand() -> None:
    rule = LAMB(lr=0.1, eps=1.0, weight_decay=0.5)
    layout = Layout(("w", "b"), ((2,), (1,)), ("weight", "bias"))
    x, g = torch.tensor([[3.0, 4.0, 1.0]], dtype=torch.float64), torch.tensor([[1.0, -3.0, 1.0]], dtype=torch.float64)
    after, _ = rule.update(x, g, rule.init(x, layout), rule.lr)
    u = torch.tensor([0.5 + 1.5, -0.75 + 2.0], dtype=torch.float64)
    expected = torch.cat([x[0, :2] - 0.1 * 5.0 / u.norm() * u, torch.tensor([1.0 - 0.1 * 0.5], dtype=torch.float64)])
    torch.testing.assert_close(after[0], expected, rtol=1e-12, atol=1e-12)


def test_biases_take_the_steps_of_adam() -> None:
    problem, settings = TinyNet(), {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6}
    start = problem.start([3])
    _, grad = Loop(problem, Adam(), [3]).oracle(start)
    ours, adam = LAMB(**settings), Adam(**settings)
    after, _ = ours.update(start, grad, ours.init(start, problem.layout), ours.lr)
    expected, _ = adam.update(start, grad, adam.init(start, problem.layout), adam.lr)
    ours_by_name, adam_by_name = problem.layout.split(after), problem.layout.split(expected)
    for name in ("layer1.bias", "layer2.bias"):
        torch.testing.assert_close(ours_by_name[name], adam_by_name[name], rtol=1e-12, atol=1e-15)
    assert not torch.allclose(ours_by_name["layer1.weight"], adam_by_name["layer1.weight"])
