"""Nesterov's momentum against torch and against the look-ahead form."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.columns import LARGE, Stepper
from optbench.optimizers.nesterov import Nesterov
from optbench.oracle import BatchOracle


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
        ({"lr": 3e-4, "momentum": 0.5}, {"lr": 3e-4, "momentum": 0.5, "nesterov": True}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, Nesterov(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.SGD, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_its_points_are_the_look_ahead_points_of_the_textbooks() -> None:
    problem, lr, a = Rosenbrock(n=4), 3e-4, 0.9
    path = Loop(problem, Nesterov(lr=lr, momentum=a), [3]).run(100)[:, 0]
    theta, u = problem.start([3]), torch.zeros(1, 4, dtype=torch.float64)
    for step in range(100):
        u = a * u - lr * problem.loss_and_grad(theta + a * u, None)[1]
        theta = theta + u
        torch.testing.assert_close(path[step], (theta + a * u)[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(("lr", "momentum"), [(3e-4, 0.9), (1e-3, 0.5), (1e-3, 0.0)])
def test_the_look_ahead_form_passes_the_points_behind_those_of_torch(problem: Any, lr: float, momentum: float) -> None:
    """With torch's point x and buffer b, the look-ahead form stands at θ = x − α v and its last step is v = −lr b."""
    run, x = Loop(problem, Nesterov(lr=lr, momentum=momentum, look_ahead=True), [7]), problem.start([7])[0].clone()
    x.requires_grad_()
    theirs, stream = torch.optim.SGD([x], lr=lr, momentum=momentum or 1e-300, nesterov=True), problem.stream([7])
    for step in range(100):
        theta = run.run(1)[0, 0]
        theirs.zero_grad()
        problem.loss(x[None], stream.at(step)).sum().backward()
        theirs.step()
        v = -lr * theirs.state[x]["momentum_buffer"]
        torch.testing.assert_close(theta, x.detach() - momentum * v, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(run.state.v[0], v, rtol=1e-9, atol=1e-9)


def test_both_forms_ask_for_one_gradient_a_step() -> None:
    for look_ahead in (False, True):
        run = Loop(TinyNet(), Nesterov(look_ahead=look_ahead), [0, 1])
        run.run(10)
        assert run.oracle.evaluations() == 10


def test_two_steps_of_the_look_ahead_form_worked_by_hand() -> None:
    """On x² / 2 from 1 with lr = ½, α = ½: v = −½; then the gradient at ½ − ¼ = ¼ gives v = −¼ − ⅛, x = ⅛."""
    rule, x = Nesterov(lr=0.5, momentum=0.5, look_ahead=True), torch.ones(1, 1, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    points = []
    for _ in range(2):
        x, state = rule.update(x, rule.asks_at(x, state), state, rule.lr)
        points.append(x.item())
    assert points == [0.5, 0.125]


@pytest.mark.parametrize("look_ahead", [False, True])
def test_in_blocks_it_asks_at_the_same_points(look_ahead: bool) -> None:
    problem, rule = Rosenbrock(n=LARGE // 2), Nesterov(lr=1e-4, look_ahead=look_ahead)
    x = problem.start([0, 1])
    oracle, stepper = BatchOracle(problem, problem.stream([0, 1]), 2), Stepper()
    y, of_x, of_y = x, rule.init(x, problem.layout), rule.init(x, problem.layout)
    for _ in range(3):
        x, of_x = rule.step(x, of_x, oracle, 1.0)
        y, of_y = stepper(rule, y, of_y, oracle, 1.0)
    torch.testing.assert_close(y, x, rtol=1e-12, atol=0)
