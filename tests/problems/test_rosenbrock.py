import numpy as np
import pytest
import torch
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import rosen, rosen_der


def test_value_and_gradient_equal_those_of_scipy():
    problem = Rosenbrock(n=5)
    params = problem.start(range(7))
    loss, grad = problem.loss_and_grad(params, None)
    for row, value, slope in zip(params.numpy(), loss.tolist(), grad.numpy(), strict=True):
        assert value == pytest.approx(rosen(row), rel=1e-13)
        np.testing.assert_allclose(slope, rosen_der(row), rtol=1e-11)


def test_the_classic_start_has_the_published_value():
    classic = torch.tensor([[-1.2, 1.0]], dtype=torch.float64)
    assert Rosenbrock().loss(classic, None).item() == pytest.approx(24.2, rel=1e-14)


def test_the_condition_number_at_the_minimum_is_about_2508(hessian):
    low, high = torch.linalg.eigvalsh(hessian(Rosenbrock(), [1, 1])).tolist()
    assert high / low == pytest.approx(2508, abs=0.5)


def test_four_coordinates_have_a_second_minimum_near_minus_one(hessian):
    problem = Rosenbrock(n=4)
    point = torch.tensor([[-1.0, 1.0, 1.0, 1.0]] * 2, dtype=torch.float64)
    for _ in range(30):
        gradient = problem.loss_and_grad(point, None)[1][0]
        point = point - torch.linalg.solve(hessian(problem, point[0]), gradient)
    assert problem.loss_and_grad(point, None)[1].abs().max() < 1e-10
    assert point[0, 0].item() == pytest.approx(-0.78, abs=0.01)
    assert (torch.linalg.eigvalsh(hessian(problem, point[0])) > 0).all()


def test_starts_scatter_about_the_classic_one_by_a_tenth():
    away = Rosenbrock().start(range(2000)) - torch.tensor([-1.2, 1.0], dtype=torch.float64)
    assert away.mean(dim=0).abs().max() < 0.01
    assert away.std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.06)


def test_fewer_than_two_coordinates_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"Rosenbrock: n must lie in \[2, inf\), whole, got 1"):
        Rosenbrock(n=1)
