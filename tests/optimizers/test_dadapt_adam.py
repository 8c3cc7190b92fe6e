"""D-adapted Adam against its authors' class."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.dadapt_adam import DAdaptAdam


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"betas": (0.5, 0.9), "weight_decay": 0.1},
        {"lr": 0.3, "d0": 1e-3, "eps": 1e-3},
        {"use_bias_correction": True},
        {"d0": 1e-4, "growth_rate": 1.1},
    ],
    ids=["default", "decay", "rates", "corrected", "growth"],
)
def test_a_hundred_steps_equal_those_of_dadaptation(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("dadaptation").DAdaptAdam
    path = Loop(problem, DAdaptAdam(**settings), [7]).run(100)[:, 0]
    expected = torch_path(problem, theirs, 7, 100, decouple=True, **settings)
    torch.testing.assert_close(path, expected, rtol=1e-9, atol=1e-9)


def test_trials_without_a_gradient_stay_and_are_finite() -> None:
    rule, x = DAdaptAdam(), torch.ones(2, 3, dtype=torch.float64)
    state = rule.init(x, Layout.point(3))
    for _ in range(3):
        after, state = rule.update(x, torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, 3), state, rule.lr)
        assert torch.equal(after[0], x[0])
        assert (after[1] < x[1]).all()
        x = after
