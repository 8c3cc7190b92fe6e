"""Schedule-free AdamW against its authors' class."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.schedulefree_adamw import ScheduleFreeAdamW
from optbench.schedules.constant import Constant


def evaluated(cls: Any) -> Any:
    """Their class, with the parameters at y while gradients are taken and at x after each step."""

    class Evaluated(cls):
        def step(self, closure: Any) -> None:
            self.train()
            closure()
            super().step()
            self.eval()

    return Evaluated


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.1},
        {"lr": 0.05, "warmup_steps": 30, "eps": 0.1},
        {"lr": 0.05, "warmup_steps": 20, "r": 0.5, "weight_lr_power": 1.0},
    ],
    ids=["default", "decay", "warm-up", "weights"],
)
def test_a_hundred_steps_equal_those_of_schedulefree(problem: Any, settings: dict[str, Any]) -> None:
    theirs = evaluated(pytest.importorskip("schedulefree").AdamWScheduleFree)
    path = Loop(problem, ScheduleFreeAdamW(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_with_equal_weights_the_judged_point_is_the_mean_of_the_iterates() -> None:
    loop = Loop(Rosenbrock(n=3), ScheduleFreeAdamW(lr=0.01), [1, 2], schedule=Constant())
    passed = []
    for _ in range(12):
        path = loop.run(1)
        passed.append(path[0] + loop.state.e)
        torch.testing.assert_close(path[0], torch.stack(passed).mean(dim=0), rtol=1e-12, atol=1e-13)
