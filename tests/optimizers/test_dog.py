"""DoG and LDoG against their authors' classes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.dog import DoG


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize("layerwise", [False, True], ids=["DoG", "LDoG"])
@pytest.mark.parametrize(
    "settings", [{}, {"reps_rel": 1e-2}, {"lr": 0.5, "eps": 0.1, "reps_rel": 1e-3}], ids=["default", "reps", "rates"]
)
def test_a_hundred_steps_equal_those_of_dog_optimizer(problem: Any, layerwise: bool, settings: dict[str, Any]) -> None:
    dog = pytest.importorskip("dog")
    path = Loop(problem, DoG(layerwise=layerwise, **settings), [7]).run(100)[:, 0]
    expected = torch_path(problem, dog.LDoG if layerwise else dog.DoG, 7, 100, **settings)
    torch.testing.assert_close(path, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("layerwise", [False, True], ids=["DoG", "LDoG"])
def test_a_step_worked_by_hand(layerwise: bool) -> None:
    rule, layout = DoG(reps_rel=0.1, eps=1.0, layerwise=layerwise), Layout(("w", "b"), ((2,), (1,)), ("weight", "bias"))
    x, g = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64), torch.tensor([[2.0, 2.0, 4.0]], dtype=torch.float64)
    after, _ = rule.update(x, g, rule.init(x, layout), rule.lr)
    whole, parts = torch.tensor([0.6 / 5] * 3), torch.tensor([0.6 / 3, 0.6 / 3, 0.1 / 17**0.5])
    torch.testing.assert_close(x - after, g * (parts if layerwise else whole), rtol=1e-6, atol=0)


def test_moving_statistics_do_not_count_as_distance() -> None:
    rule, layout = DoG(), Layout(("w", "mean"), ((1,), (1,)), ("weight", "buffer"))
    x = torch.tensor([[1.0, 5.0]], dtype=torch.float64)
    state, g = rule.init(x, layout), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(state.r, torch.tensor([[2e-6]], dtype=torch.float64))
    _, state = rule.update(x + torch.tensor([[0.0, 100.0]]), g, state, rule.lr)
    torch.testing.assert_close(state.r, torch.tensor([[2e-6]], dtype=torch.float64))
