import math

import pytest
import torch
from optbench.problems.saddle import Saddle


def test_the_origin_is_a_strict_saddle_of_height_one_half(hessian):
    origin = torch.zeros(2, 2, dtype=torch.float64)
    loss, grad = Saddle().loss_and_grad(origin, None)
    assert loss.tolist() == [0.5, 0.5]
    assert (grad == 0).all()
    assert torch.linalg.eigvalsh(hessian(Saddle(), [0, 0])).tolist() == pytest.approx([-1, 1])


def test_both_minima_have_curvatures_one_and_two(hessian):
    for x, y in ((1, -1), (-1, 1)):
        assert Saddle().loss(torch.tensor([[x, y]], dtype=torch.float64), None).item() == 0
        assert torch.linalg.eigvalsh(hessian(Saddle(), [x, y])).tolist() == pytest.approx([1, 2])


def test_the_value_far_away_is_large_in_every_direction():
    angle = torch.linspace(0, 2 * math.pi, 100, dtype=torch.float64)
    ring = 100 * torch.stack([angle.cos(), angle.sin()], dim=1)
    assert Saddle().loss(ring, None).min() > 1000


def test_a_start_on_the_diagonal_would_never_leave_it():
    point = torch.tensor([[1.3, 1.3]] * 2, dtype=torch.float64)
    for _ in range(500):
        point = point - 0.1 * Saddle().loss_and_grad(point, None)[1]
    assert point.abs().max() < 1e-12


def test_gradient_descent_leaves_the_saddle_by_a_factor_of_one_plus_lr_a_step():
    point = torch.tensor([[1e-9, -1e-9]] * 2, dtype=torch.float64)
    moved = point - 0.1 * Saddle().loss_and_grad(point, None)[1]
    torch.testing.assert_close(moved, 1.1 * point, rtol=1e-12, atol=0)


@pytest.mark.parametrize("distance", [1e-6, 1e-2])
def test_starts_lie_at_the_distance_asked_for_on_both_sides(distance):
    x, y = Saddle(distance=distance).start(range(1000)).unbind(dim=1)
    across, along = (x - y) / math.sqrt(2), (x + y) / math.sqrt(2)
    assert distance * 0.999 <= across.abs().min() <= across.abs().max() <= 2.001 * distance
    assert 400 < (across > 0).sum() < 600
    assert math.sqrt(2) <= along.min() <= along.max() <= 1.5 * math.sqrt(2)
