"""AdaBound against pytorch_optimizer, and its two ends."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adabound import AdaBound
from optbench.optimizers.adam import Adam
from optbench.schedules import SCHEDULES


def reference() -> type[torch.optim.Optimizer]:
    """AdaBound of pytorch_optimizer without the 1e-15 that it adds to v and the authors do not."""

    class Reference(pytest.importorskip("pytorch_optimizer").AdaBound):
        def __init__(self, params: Any, **settings: Any):
            super().__init__(params, foreach=False, **settings)

        @staticmethod
        def apply_ams_bound(exp_avg_sq: torch.Tensor, eps: float, **_: Any) -> torch.Tensor:
            return exp_avg_sq.sqrt().add_(eps)

    return Reference


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.01, "final_lr": 1e-3, "betas": (0.5, 0.9)},
        {"lr": 0.01, "final_lr": 1e-3, "gamma": 0.2},
        {"lr": 0.01, "final_lr": 0.02, "eps": 0.1},
    ],
    ids=["default", "betas", "soon bound", "eps"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, AdaBound(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, reference(), 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_a_schedule_multiplies_both_rates_as_in_pytorch_optimizer() -> None:
    problem, settings = TinyNet(), {"lr": 0.02, "final_lr": 0.01, "gamma": 0.1}
    path = Loop(problem, AdaBound(**settings), [7], schedule=SCHEDULES["linear"](), steps=40).run(40)[:, 0]
    factors = [SCHEDULES["linear"]().factor(t, 40, ()) for t in range(40)]

    class Scheduled(reference()):
        def step(self, closure: Any = None) -> None:
            self.param_groups[0]["lr"] = 0.02 * factors.pop(0)
            super().step(closure)

    torch.testing.assert_close(path, torch_path(problem, Scheduled, 7, 40, **settings), rtol=1e-9, atol=1e-9)


def test_while_the_bounds_are_wide_it_is_adam_but_for_where_eps_stands() -> None:
    ours = Loop(TinyNet(), AdaBound(lr=1e-3, gamma=1e-12, eps=0.0), [0, 1]).run(50)
    torch.testing.assert_close(ours, Loop(TinyNet(), Adam(lr=1e-3, eps=0.0), [0, 1]).run(50), rtol=1e-12, atol=1e-12)


def test_at_the_end_every_parameter_has_the_final_rate() -> None:
    """After t steps both bounds lie within 1 / (γ t) of it."""
    rule, x = AdaBound(lr=1.0, final_lr=0.1, betas=(0.0, 0.9), gamma=0.5), torch.zeros(1, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))._replace(t=1_000_000)
    grad = torch.tensor([[1e-3, 1e3]], dtype=torch.float64)
    x, _ = rule.update(x, grad, state, rule.lr)
    torch.testing.assert_close(x, -0.1 * grad, rtol=3e-6, atol=0)


def test_trials_whose_rate_is_zero_stay() -> None:
    lr = torch.tensor([[0.0], [0.1]], dtype=torch.float64)
    run = Loop(Rosenbrock(), AdaBound(lr=lr), [0, 0])
    start = run.params
    last = run.run(5)[-1]
    assert torch.equal(last[0], start[0])
    assert not torch.equal(last[1], start[1])
    assert torch.equal(Loop(Rosenbrock(), AdaBound(lr=0.0), [0]).run(5)[-1, 0], start[0])
