"""Schedule-free SGD against its authors' class, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.schedulefree_adamw import ScheduleFreeAdamW
from optbench.optimizers.schedulefree_sgd import ScheduleFreeSGD


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
        {"lr": 1e-3},
        {"lr": 2e-3, "momentum": 0.7, "weight_decay": 0.1},
        {"lr": 2e-3, "warmup_steps": 30},
        {"lr": 1e-3, "warmup_steps": 20, "r": 0.5, "weight_lr_power": 1.0},
    ],
    ids=["default", "decay", "warm-up", "weights"],
)
def test_a_hundred_steps_equal_those_of_schedulefree(problem: Any, settings: dict[str, Any]) -> None:
    theirs = evaluated(pytest.importorskip("schedulefree").SGDScheduleFree)
    path = Loop(problem, ScheduleFreeSGD(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


class Noted(Oracle):
    """f = ½ ‖x‖², noting where it was asked."""

    def __init__(self, layout: Layout):
        self.layout, self.fixed, self.asked = layout, True, []

    def __call__(self, params: Any, rows: Any = None) -> Any:
        self.asked.append(params.clone())
        return params.square().sum(dim=1) / 2, params.clone()


def test_two_steps_worked_by_hand() -> None:
    rule, x = ScheduleFreeSGD(lr=0.5, momentum=0.75), torch.tensor([[4.0]], dtype=torch.float64)
    oracle = Noted(Layout.point(1))
    x, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    assert (oracle.asked[0].item(), (x + state.e).item(), x.item()) == (4.0, 2.0, 2.0)
    x, state = rule.step(x, state, oracle, 2.0)
    # asked at 2; z = 2 − 1 · 2 = 0; weights 0.25 and 1: c = 0.8, x = 0.2 · 2
    assert (oracle.asked[1].item(), (x + state.e).item(), x.item()) == (
        2.0,
        pytest.approx(0.0, abs=1e-15),
        pytest.approx(0.4, rel=1e-14),
    )
    rule.step(x, state, oracle, 1.0)
    assert oracle.asked[2].item() == pytest.approx(0.75 * 0.4, rel=1e-14)


@pytest.mark.parametrize("rule", [ScheduleFreeSGD(lr=0.5), ScheduleFreeAdamW(lr=0.5)], ids=["sgd", "adamw"])
def test_what_a_modifier_does_to_the_average_moves_the_last_iterate_as_far(rule: Any) -> None:
    x = torch.tensor([[4.0, -1.0]], dtype=torch.float64)
    oracle, state = Noted(Layout.point(2)), rule.init(x, Layout.point(2))
    for _ in range(3):
        x, state = rule.step(x, state, oracle, 1.0)
    rule.step(x, state, oracle, 1.0)
    rule.step(x - 0.25, state, oracle, 1.0)
    torch.testing.assert_close(oracle.asked[-1], oracle.asked[-2] - 0.25, rtol=1e-14, atol=0)


def test_moving_statistics_are_those_of_the_judged_point() -> None:
    layout = Layout(("w", "mean"), ((1,), (1,)), ("weight", "buffer"))
    rule, x, oracle = ScheduleFreeSGD(lr=0.5), torch.tensor([[4.0, 1.0]], dtype=torch.float64), Noted(layout)
    state = rule.init(x, layout)
    for _ in range(2):
        x, state = rule.step(x, state, oracle, 1.0)
    assert (state.e != 0).all()
    rule.step(torch.tensor([[3.0, 7.0]], dtype=torch.float64), state, oracle, 1.0)
    assert oracle.asked[2][0].tolist() == [pytest.approx(3.0 + 0.1 * state.e[0, 0].item()), 7.0]
