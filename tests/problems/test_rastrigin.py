import math

import pytest
import torch
from optbench.problems.rastrigin import Rastrigin
from scipy.optimize import minimize_scalar


def at(*x: float) -> float:
    return Rastrigin(n=len(x)).loss(torch.tensor([x], dtype=torch.float64), None).item()


def test_values_agree_with_those_worked_by_hand():
    assert at(0.5) == pytest.approx(0.25 + 20)
    assert at(1, -2) == pytest.approx(5)
    assert at(0.25, 0.25, 0.25) == pytest.approx(3 * (10 + 1 / 16))


def test_the_next_lowest_minima_have_0_995():
    found = minimize_scalar(lambda x: at(x), bracket=(0.8, 1.0, 1.2))
    assert found.x == pytest.approx(1, abs=0.01)
    assert found.fun == pytest.approx(0.995, abs=5e-4)


def test_the_hessian_at_the_minimum_is_a_multiple_of_the_identity(hessian):
    matrix = hessian(Rastrigin(n=3), [0, 0, 0])
    torch.testing.assert_close(matrix, (2 + 40 * math.pi**2) * torch.eye(3, dtype=torch.float64))


def test_starts_lie_two_hills_away_on_every_side():
    starts = Rastrigin().start(range(2000))
    assert starts.abs().min() >= 1.5
    assert starts.abs().max() <= 2.5
    corners = (starts > 0).long() @ torch.tensor([1, 2])
    assert torch.bincount(corners, minlength=4).tolist() == pytest.approx([500] * 4, abs=80)
