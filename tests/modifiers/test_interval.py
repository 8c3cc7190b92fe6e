"""Parameters between bounds: the map, the start, the judge, and the bounded minimum."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import minimize

from optbench.modifiers.interval import Interval
from optbench.modifiers.positive import Positive
from optbench.optimizers.adam import Adam
from optbench.runner import run_trials
from optbench.schedules.constant import Constant
from optbench.trials import Trials

ROSENBROCK = Rosenbrock(n=3)


def test_the_map_is_a_scaled_logistic_function_as_torch_has_it() -> None:
    y = torch.linspace(-30, 30, 101, dtype=torch.float64)[:, None].expand(-1, 3)
    problem = Interval(low=-2.0, high=3.0).change(ROSENBROCK)
    theirs = torch.distributions.ComposeTransform(
        [torch.distributions.SigmoidTransform(), torch.distributions.AffineTransform(-2.0, 5.0)]
    )
    torch.testing.assert_close(problem.point(y), theirs(y), rtol=1e-14, atol=1e-15)
    assert ((problem.point(y) >= -2) & (problem.point(y) <= 3)).all()


def test_a_start_within_the_bounds_stays_and_one_outside_moves_a_thousandth_of_the_width_within() -> None:
    x = ROSENBROCK.start([0, 1, 2])
    wide = Interval(low=-2.0, high=2.0).change(ROSENBROCK)
    torch.testing.assert_close(wide.point(wide.start([0, 1, 2])), x, rtol=1e-12, atol=1e-12)
    narrow = Interval(low=-0.5, high=0.5).change(ROSENBROCK)  # the coordinates are near −1.2, 1, −1.2
    expected = torch.tensor([[-0.499, 0.499, -0.499]] * 3, dtype=torch.float64)
    torch.testing.assert_close(narrow.point(narrow.start([0, 1, 2])), expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_follows_the_chain_rule() -> None:
    problem = Interval(low=-2.0, high=2.0).change(ROSENBROCK)
    y = problem.start([0, 1])
    x = problem.point(y)
    loss, grad = problem.loss_and_grad(y, None)
    inner_loss, inner_grad = ROSENBROCK.loss_and_grad(x, None)
    torch.testing.assert_close(loss, inner_loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(grad, inner_grad * (x + 2) * (2 - x) / 4, rtol=1e-10, atol=1e-12)


def test_within_bounds_it_finds_the_minimum_that_scipy_finds() -> None:
    gentle = Rosenbrock(factor=1.0)

    def value(x: Any) -> float:
        return gentle.loss(torch.as_tensor(x)[None], None).item()

    bounded = minimize(value, [-1.0, 0.4], method="L-BFGS-B", bounds=[(-2.0, 0.5)] * 2, options={"maxiter": 500})
    trials = Trials(gentle, Adam(lr=0.05), Constant(), [Interval(low=-2.0, high=0.5)], [0, 1], 4000)
    for step in range(4000):
        trials.step(step)
    assert bounded.x == pytest.approx([0.5, 0.25], abs=1e-3)
    assert trials.problem.point(trials.params) == pytest.approx(
        torch.tensor([[0.5, 0.25]] * 2, dtype=torch.float64), abs=1e-2
    )
    assert trials.problem.objective(trials.params, 0) == pytest.approx(
        torch.full((2,), bounded.fun, dtype=torch.float64), rel=1e-2
    )


def test_the_minimiser_is_mapped_where_it_is_within_reach() -> None:
    wide = Interval(low=-3.0, high=2.0).change(ROSENBROCK)
    at = wide.minimiser()
    assert at is not None
    assert wide.minimum() == 0.0
    assert wide.objective(at[None], 0).item() < 1e-25
    narrow = Interval(low=-3.0, high=0.5).change(ROSENBROCK)
    assert narrow.minimiser() is None
    assert narrow.minimum() is None
    assert list(narrow.targets()) == list(ROSENBROCK.targets())


def test_curves_and_results_are_those_of_the_point_that_the_problem_sees() -> None:
    problem = Rosenbrock()
    rule = [Interval(low=-2.0, high=0.9)]
    recording = run_trials(problem, Adam(lr=0.1), Constant(), rule, [0, 1], 50).recording
    x, y = torch.tensor(recording.curves["x"]), torch.tensor(recording.curves["y"])
    assert x.max() <= 0.9
    assert y.max() <= 0.9
    objective = problem.loss(torch.stack([x.flatten(), y.flatten()], dim=1), None).view(x.shape)
    torch.testing.assert_close(objective, torch.tensor(recording.curves["objective"]), rtol=1e-6, atol=1e-9)


def test_biases_can_be_left_free_and_moving_statistics_always_are() -> None:
    problem = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True, dtype=torch.float64)
    for biases in (True, False):
        changed = Interval(low=-0.1, high=0.1, biases=biases).change(problem)
        far = torch.full((2, problem.layout.n), 50.0, dtype=torch.float64)
        seen = problem.layout.split(changed.point(far))
        for name, role in zip(problem.layout.names, problem.layout.roles, strict=True):
            bound = role == "weight" or (biases and role != "buffer")
            assert torch.allclose(seen[name], torch.tensor(0.1 if bound else 50.0, dtype=torch.float64))


def test_what_is_not_mapped_cannot_spoil_the_gradient() -> None:
    """exp overflows at 1000: a bias there must not make the gradient NaN."""
    problem = MLP(data="iris", hidden=(), dtype=torch.float64)
    changed = Positive(map="exp", biases=False).change(problem)
    y = changed.start([0, 1])
    problem.layout.split(y)["1.bias"].fill_(1000.0)
    _, grad = changed.loss_and_grad(y, problem.stream([0, 1]).at(0))
    assert torch.isfinite(grad).all()


def test_metrics_are_those_at_the_mapped_point() -> None:
    problem = MLP(data="iris", hidden=(4,), dtype=torch.float64)
    changed = Interval().change(problem)
    y = changed.start([0, 1])
    x = changed.point(y)
    for ours, plain in ((changed.evaluate(y, 0), problem.evaluate(x, 0)), (changed.test(y), problem.test(x))):
        assert ours.keys() == plain.keys()
        assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Interval: low must be less than high, got 1 and -1$"):
        Interval(low=1.0, high=-1.0)
