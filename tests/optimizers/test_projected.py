"""Projected gradient descent against scipy and the conditions of a minimum on a ball, and worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import brentq, lsq_linear
from torch import Tensor

from optbench.interfaces import Layout
from optbench.optimizers.projected import Projected
from optbench.optimizers.sgd import SGD


def least_squares() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return random.normal(size=(12, 5)), 4 * random.normal(size=12)


def descend(rule: Projected, steps: int = 4000) -> np.ndarray:
    X, y = least_squares()
    x = torch.zeros(1, 5, dtype=torch.float64)
    state = rule.init(x, Layout.point(5))
    for _ in range(steps):
        x, state = rule.update(x, torch.from_numpy((x.numpy() @ X.T - y) @ X), state, rule.lr)
    return x[0].numpy()


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.4), (0.0, None), (None, 0.1)])
def test_in_a_box_it_ends_at_the_least_squares_of_scipy(low: float | None, high: float | None) -> None:
    X, y = least_squares()
    bounds = (-np.inf if low is None else low, np.inf if high is None else high)
    expected = lsq_linear(X, y, bounds, method="bvls", tol=1e-14).x
    assert (np.isclose(expected, bounds[0]) | np.isclose(expected, bounds[1])).any()
    np.testing.assert_allclose(descend(Projected(lr=0.02, low=low, high=high)), expected, rtol=1e-9, atol=1e-9)


def test_in_a_ball_it_ends_where_the_multiplier_of_its_radius_says() -> None:
    """(XᵀX + μI) x = Xᵀy with the μ > 0 at which ‖x‖ is the radius."""
    X, y = least_squares()

    def solution(mu: float) -> np.ndarray:
        return np.linalg.solve(X.T @ X + mu * np.eye(5), X.T @ y)

    mu: Any = brentq(lambda mu: np.linalg.norm(solution(mu)) - 0.7, 0, 1e4, xtol=1e-14)
    assert mu > 0.1
    np.testing.assert_allclose(descend(Projected(lr=0.02, onto="ball", radius=0.7)), solution(mu), rtol=1e-9)


def test_steps_worked_by_hand() -> None:
    x, g = torch.tensor([[1.0, -1.0]], dtype=torch.float64), torch.tensor([[-4.0, 6.0]], dtype=torch.float64)
    box = Projected(low=-2.0, high=3.5)
    assert box.update(x, g, Layout.point(2), 0.5)[0].tolist() == [[3.0, -2.0]]
    ball = Projected(onto="ball", radius=2.5)
    assert ball.update(x, g, Layout.point(2), 0.5)[0].tolist() == [[1.5, -2.0]]
    assert ball.update(x, g, Layout.point(2), 0.0)[0].tolist() == [[1.0, -1.0]]


def test_moving_statistics_have_no_part_in_the_ball() -> None:
    layout = Layout(("w", "mean"), ((2,), (1,)), ("weight", "buffer"))
    x = torch.tensor([[3.0, 4.0, 100.0]], dtype=torch.float64)
    x, _ = Projected(onto="ball", radius=1.0).update(x, torch.zeros_like(x), layout, 1.0)
    torch.testing.assert_close(x[:, :2], torch.tensor([[0.6, 0.8]], dtype=torch.float64), rtol=1e-15, atol=0)


def test_each_trial_has_a_set_of_its_own() -> None:
    problem = Rosenbrock()
    box = Loop(problem, Projected(lr=1e-3, low=column(-2.0, 0.5), high=column(0.3, 3.0)), [0, 1]).run(50)[-1]
    assert (box[0] <= 0.3).all()
    assert (box[1] >= 0.5).all()
    ball = Loop(problem, Projected(lr=1e-3, onto="ball", radius=column(0.1, 0.5)), [0, 1]).run(50)[-1]
    assert (ball.norm(dim=1) <= torch.tensor([0.1, 0.5], dtype=torch.float64) * (1 + 1e-12)).all()
    assert ball[1].norm() > 0.2


@pytest.mark.parametrize("settings", [{"low": None, "high": None}, {"onto": "ball", "radius": 1e6}])
def test_with_nothing_in_the_way_it_is_gradient_descent(settings: dict[str, Any]) -> None:
    ours = Loop(TinyNet(), Projected(lr=0.05, **settings), [7]).run(100)
    torch.testing.assert_close(ours, Loop(TinyNet(), SGD(lr=0.05), [7]).run(100), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(2.0, 1.0, r"got 2 and 1$"), (column(0.0, 3.0), 2.5, r"got 3 and 2\.5 in trial 1$")],
)
def test_an_empty_box_is_refused_and_the_trial_named(low: float | Tensor, high: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"Projected: low must not lie above high, {message}"):
        Projected(low=low, high=high)
