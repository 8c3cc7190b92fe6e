"""Parameters above zero: the maps, the start, the judge."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.modifiers.positive import MAPS, Positive
from optbench.optimizers.adam import Adam
from optbench.schedules.constant import Constant
from optbench.trials import Trials

maps = pytest.mark.parametrize("name", MAPS)


def test_the_maps_at_points_worked_by_hand() -> None:
    y = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    expected = {
        "softplus": [math.log(2), math.log(1 + math.exp(2))],
        "exp": [1, math.exp(2)],
        "square": [0, 4],
    }
    for name in MAPS:
        found = Positive(map=name).change(Rosenbrock()).point(y)
        torch.testing.assert_close(found, torch.tensor([expected[name]], dtype=torch.float64), rtol=1e-14, atol=0)


def test_softplus_is_that_of_torch_far_out_too() -> None:
    y = torch.linspace(-40, 40, 321, dtype=torch.float64)[:, None].expand(-1, 2)
    found = Positive().change(Rosenbrock()).point(y)
    torch.testing.assert_close(found, F.softplus(y, threshold=1000), rtol=1e-13, atol=0)


@maps
def test_a_positive_start_stays_and_any_other_is_raised_to_a_thousandth(name: str) -> None:
    problem, changed = Rosenbrock(n=4), Positive(map=name).change(Rosenbrock(n=4))
    x, seen = problem.start([0, 1]), changed.point(changed.start([0, 1]))
    assert (x[:, [0, 2]] < 0).all()
    assert (x[:, [1, 3]] > 0).all()
    torch.testing.assert_close(seen, x.clamp(min=1e-3), rtol=1e-12, atol=0)


@maps
def test_large_numbers_survive_the_way_there_and_back(name: str) -> None:
    changed = Positive(map=name).change(Rosenbrock())
    x = torch.tensor([[200.0, 1e-3]], dtype=torch.float64)
    torch.testing.assert_close(changed.point(changed.back(x)), x, rtol=1e-12, atol=0)  # type: ignore[attr-defined]


@maps
def test_the_gradient_follows_the_chain_rule(name: str) -> None:
    changed = Positive(map=name).change(Rosenbrock())
    y = torch.tensor([[0.3, -0.8], [1.1, 0.4]], dtype=torch.float64)
    slope = {"softplus": torch.sigmoid(y), "exp": y.exp(), "square": 2 * y}[name]
    expected = Rosenbrock().loss_and_grad(changed.point(y), None)[1] * slope
    torch.testing.assert_close(changed.loss_and_grad(y, None)[1], expected, rtol=1e-12, atol=1e-12)


@maps
def test_a_network_trained_so_has_no_negative_weight(name: str) -> None:
    problem = MLP(data="iris", hidden=(8,), dtype=torch.float64)
    trials = Trials(problem, Adam(lr=0.05), Constant(), [Positive(map=name, biases=False)], [0, 1], 200)
    start = trials.problem.objective(trials.params, 0)
    for step in range(200):
        trials.step(step)
    parts = problem.layout.split(trials.problem.point(trials.params))
    assert min(value.min().item() for key, value in parts.items() if "weight" in key) >= 0
    assert min(value.min().item() for key, value in parts.items() if "bias" in key) < 0
    assert (trials.problem.objective(trials.params, 200) < 0.5 * start).all()


@maps
def test_the_minimiser_of_rosenbrock_is_within_reach(name: str) -> None:
    changed = Positive(map=name).change(Rosenbrock())
    at = changed.minimiser()
    assert at is not None
    assert changed.minimum() == 0.0
    torch.testing.assert_close(changed.point(at[None]), torch.ones(1, 2, dtype=torch.float64), rtol=1e-13, atol=0)


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^Positive: map must be one of softplus, exp, square, got 'sqare'; did you mean"
    ):
        Positive(map="sqare")
