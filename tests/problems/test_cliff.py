import math

import pytest
import torch
from optbench.problems.cliff import Cliff


def at(w: float, b: float, **settings) -> tuple[float, list[float]]:
    loss, grad = Cliff(**settings).loss_and_grad(torch.tensor([[w, b]] * 2, dtype=torch.float64), None)
    return loss[0].item(), grad[0].tolist()


def test_values_agree_with_those_worked_by_hand():
    assert at(-1, 0)[0] == pytest.approx(math.sqrt(1.01) - 0.1)
    assert at(-1, 2)[0] == pytest.approx(0.2)  # u = 0, so the bias term alone
    assert at(0.05, 0)[0] == pytest.approx(math.sqrt(0.05**2 + 0.01) - 0.1 + 2.5)  # r = 1: half the wall


def test_the_plain_falls_towards_the_foot_with_slope_one():
    slope = at(-5, 0)[1]
    assert slope[0] == pytest.approx(-1, abs=1e-3)
    assert slope[1] == pytest.approx(-0.5, abs=1e-3)


def test_the_steepest_place_of_the_wall_is_as_steep_as_stated():
    u = torch.linspace(0, 1, 20001, dtype=torch.float64)
    slope = Cliff().loss_and_grad(torch.stack([u, torch.zeros_like(u)], dim=1), None)[1][:, 0]
    plain = u / (u**2 + 0.01).sqrt()
    assert (slope - plain).max().item() == pytest.approx(5 * 20 * 3 * math.sqrt(3) / 8, rel=1e-6)
    assert 60 < slope.max() < 70


def test_the_top_of_the_wall_has_its_height_and_slopes_back():
    value, slope = at(4, 0)
    assert value == pytest.approx(5 + math.sqrt(16.01) - 0.1, rel=1e-3)
    assert slope[0] > 0.9


def test_the_curvature_across_the_foot_jumps_as_stated():
    h = 1e-6
    left = -at(-h, 0)[1][0] / h
    right = at(h, 0)[1][0] / h
    assert left == pytest.approx(10, rel=1e-5)
    assert right == pytest.approx(10 + 2 * 5 * 20**2, rel=1e-5)


def test_one_step_that_ends_on_the_wall_is_thrown_far_back():
    rate = 0.27
    point = torch.tensor([[0.03, 0.0]] * 2, dtype=torch.float64)
    thrown = point - rate * Cliff().loss_and_grad(point, None)[1]
    assert thrown[0].norm() > 10
    back = Cliff().loss_and_grad(thrown, None)[1][0]
    assert rate * back.norm() < thrown[0].norm() / 30  # and it walks home in steps a thirtieth as long


def test_values_far_up_stay_finite():
    value, slope = at(1e100, 0)
    assert math.isfinite(value)
    assert all(math.isfinite(s) for s in slope)
