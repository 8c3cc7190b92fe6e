"""What every schedule of the table must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, assert_is_documented, assert_yaml_repeats_the_code, of_trial, varied
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import select
from optbench.optimizers.sgd import SGD
from optbench.schedules import SCHEDULES

names = pytest.mark.parametrize("name", SCHEDULES)


def factors(name: str, steps: int, **settings: Any) -> list[Any]:
    schedule = SCHEDULES[name](**settings)
    return [schedule.factor(step, steps, schedule.init(3, steps)) for step in range(steps)]


@names
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_factors_lie_between_zero_and_one_and_are_plain_floats(name: str, steps: int) -> None:
    for factor in factors(name, steps):
        assert isinstance(factor, float)
        assert 0 <= factor <= 1


@names
def test_columns_give_each_trial_the_factors_of_its_own_setting(name: str) -> None:
    settings = varied(SCHEDULES[name], 3, torch.float64)
    together = factors(name, 50, **settings)
    for trial in range(3):
        alone = factors(name, 50, **of_trial(settings, trial))
        here = [f if isinstance(f, float) else f[trial].item() for f in together]
        assert here == pytest.approx(alone, rel=1e-12, abs=1e-12)


@names
def test_columns_keep_their_type(name: str) -> None:
    settings = varied(SCHEDULES[name], 3, torch.float32)
    for factor in factors(name, 20, **settings):
        assert isinstance(factor, float) or (factor.dtype == torch.float32 and factor.shape == (3, 1))


@names
def test_trials_can_be_selected_on_the_way(name: str) -> None:
    schedule, rows = SCHEDULES[name](**varied(SCHEDULES[name], 3, torch.float64)), torch.tensor([2, 0])
    state, losses = (
        schedule.init(3, 30),
        torch.rand(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    )
    fewer, few = schedule, state
    for step, loss in enumerate(losses):
        if step == 12:
            fewer, few = select((schedule, state), rows)
        whole, part = schedule.factor(step, 30, state), fewer.factor(step, 30, few)
        if isinstance(whole, torch.Tensor) and step >= 12:
            assert torch.equal(whole[rows], part)
        state, few = schedule.observe(state, loss), fewer.observe(few, loss if step < 12 else loss[rows])


@names
def test_one_setting_suits_every_budget(name: str) -> None:
    short, long = factors(name, 100), factors(name, 10_000)
    assert short[50] == pytest.approx(long[5000], abs=0.02)
    assert short[99] == pytest.approx(long[9900], abs=0.02)


@names
def test_the_rate_of_a_step_is_the_product_of_rate_and_factor(name: str) -> None:
    problem, schedule = Rosenbrock(), SCHEDULES[name]()
    path = Loop(problem, SGD(lr=1e-3), [0], schedule=schedule, steps=20).run(20)[:, 0]
    x = problem.start([0])
    for step in range(20):
        x = x - 1e-3 * schedule.factor(step, 20, schedule.init(1, 20)) * problem.loss_and_grad(x, None)[1]
        torch.testing.assert_close(path[step], x[0], rtol=1e-13, atol=1e-13)


@names
def test_the_yaml_repeats_the_defaults_of_the_code(name: str) -> None:
    assert_yaml_repeats_the_code("schedule", name, SCHEDULES[name])


@names
def test_it_is_documented_and_has_one_name_everywhere(name: str) -> None:
    assert_is_documented("schedule", name, SCHEDULES[name])
