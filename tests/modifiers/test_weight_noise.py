"""Weight noise: where the gradient is taken, what the noise is like, and what is counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.weight_noise import WeightNoise
from optbench.optimizers.sgd import SGD
from optbench.oracle import BatchOracle
from optbench.schedules.constant import Constant
from optbench.trials import Trials

SEEDS = [0, 1, 2]


class Echo(Oracle):
    """Answers with the point that it is asked at."""

    fixed = True

    def __init__(self, layout: Layout):
        self.layout = layout

    def __call__(self, params: Any, rows: Any = None) -> Any:
        return params.sum(dim=1), params


def shift_of(rule: WeightNoise, layout: Layout, step: int, seeds: list[int] = SEEDS, rows: Any = None) -> torch.Tensor:
    """The noise that a question meets."""
    zero = torch.zeros(len(seeds), layout.n, dtype=torch.float64)
    oracle, _ = rule.wrap(Echo(layout), rule.init(zero, layout, seeds), step)
    return oracle(zero if rows is None else zero[rows], rows)[1]


def test_loss_and_gradient_are_those_at_the_shifted_point() -> None:
    problem, rule = TinyNet(), WeightNoise(sigma=0.3)
    params = problem.start(SEEDS)
    inner = BatchOracle(problem, problem.stream(SEEDS), 3)
    oracle, _ = rule.wrap(inner, rule.init(params, problem.layout, SEEDS), 0)
    loss, grad = oracle(params)
    moved = params + shift_of(rule, problem.layout, 0)
    expected = problem.loss_and_grad(moved, problem.stream(SEEDS).at(0))
    torch.testing.assert_close((loss, grad), expected, rtol=1e-12, atol=1e-14)
    assert inner.evaluations() == 1
    assert not oracle.fixed


def test_the_noise_is_standard_normal_times_sigma() -> None:
    noise = shift_of(WeightNoise(sigma=0.5), Layout.point(20_000), 3) / 0.5
    assert noise.mean(dim=1).abs().max() < 4 / 20_000**0.5
    assert (noise.var(dim=1) - 1).abs().max() < 4 * (2 / 20_000) ** 0.5
    assert (noise.pow(4).mean(dim=1) - 3).abs().max() < 4 * (96 / 20_000) ** 0.5


def test_questions_of_a_step_meet_the_same_noise_and_other_steps_and_seeds_another() -> None:
    rule, layout = WeightNoise(), Layout.point(6)
    first = shift_of(rule, layout, 0)
    assert torch.equal(first, shift_of(rule, layout, 0))
    assert torch.equal(first[[2, 0]], shift_of(rule, layout, 0, rows=torch.tensor([2, 0])))
    assert torch.equal(first[1], shift_of(rule, layout, 0, seeds=[7, 1])[1])
    assert not torch.isclose(first, shift_of(rule, layout, 1)).any()
    assert not torch.isclose(first[0], first[1]).any()


def test_biases_can_be_left_out_and_moving_statistics_always_are() -> None:
    layout = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True).layout
    for biases in (True, False):
        noise = layout.split(shift_of(WeightNoise(biases=biases), layout, 0))
        moved = {name for name, value in noise.items() if bool((value != 0).all())}
        still = {name for name, value in noise.items() if bool((value == 0).all())}
        roles = dict(zip(layout.names, layout.roles, strict=True))
        assert moved == {name for name, role in roles.items() if role == "weight" or (biases and role != "buffer")}
        assert still == set(roles) - moved


def test_on_average_a_step_is_that_of_the_curved_loss() -> None:
    """With f(x) = ½ x², noise leaves the mean gradient as it is: 400 trials, each with noise of its own."""
    rule, seeds = WeightNoise(sigma=0.5), list(range(400))
    layout = Layout.point(4)
    ones = torch.ones(400, 4, dtype=torch.float64)
    oracle, _ = rule.wrap(Echo(layout), rule.init(ones, layout, seeds), 0)
    assert (oracle(ones)[1].mean(dim=0) - 1).abs().max() < 4 * 0.5 / 20


def test_the_objective_is_judged_without_noise() -> None:
    problem = MLP(data="iris", hidden=(4,), dtype=torch.float64)
    trials = Trials(problem, SGD(lr=0.1), Constant(), [WeightNoise(sigma=1.0)], SEEDS, 5)
    trials.step(0)
    assert torch.equal(trials.problem.objective(trials.params, 1), problem.objective(trials.params, 1))


def test_a_negative_sigma_is_refused_and_the_trial_named() -> None:
    with pytest.raises(ValueError, match=r"^WeightNoise: sigma must lie in \[0, inf\), got -1 in trial 1$"):
        WeightNoise(sigma=torch.tensor([[0.1], [-1.0]]))
