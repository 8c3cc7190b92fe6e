"""Polyak's step: worked by hand, in closed form on quadratics and cones, and by the inequality it was made for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.beale import Beale
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.polyak import Polyak


class Function(Oracle):
    """Any function of the rows, with its gradient by automatic differentiation."""

    fixed = True

    def __init__(self, f: Callable[[Tensor], Tensor], n: int):
        self.f, self.layout = f, Layout.point(n)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        at = params.detach().requires_grad_()
        loss = self.f(at)
        (grad,) = torch.autograd.grad(loss.sum(), at)
        return loss.detach(), grad


def test_a_step_worked_by_hand() -> None:
    """f = 3x + 4y + 10 at (1, 2) is 21, ‖g‖² = 25, f* = 1: a = 20 / 25, and the step ends where f = 1."""
    f = Function(lambda x: x @ torch.tensor([3.0, 4.0], dtype=torch.float64) + 10, 2)
    x, _ = Polyak(minimum=1.0).step(torch.tensor([[1.0, 2.0]], dtype=torch.float64), (), f, 1.0)
    torch.testing.assert_close(x, torch.tensor([[-1.4, -1.2]], dtype=torch.float64), rtol=1e-14, atol=0)
    assert f(x)[0].item() == pytest.approx(1.0)


@pytest.mark.parametrize("lr", [0.5, 1.0, 1.5, 2.0])
def test_on_a_round_bowl_every_step_leaves_one_minus_half_the_rate_of_the_distance(lr: float) -> None:
    f = Function(lambda x: 7 * (x**2).sum(dim=1) + 3, 3)
    x = torch.tensor([[1.0, -2.0, 5.0]], dtype=torch.float64)
    for _ in range(5):
        after, _ = Polyak(lr=lr, minimum=3.0).step(x, (), f, 1.0)
        torch.testing.assert_close(after, (1 - lr / 2) * x, rtol=1e-9, atol=1e-14)
        x = after


def test_on_a_cone_one_step_is_enough() -> None:
    f = Function(lambda x: x.norm(dim=1), 3)
    x, _ = Polyak().step(torch.tensor([[1.0, -2.0, 5.0]], dtype=torch.float64), (), f, 1.0)
    torch.testing.assert_close(x, torch.zeros_like(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("lr", [0.3, 1.0, 2.0])
def test_on_a_convex_function_no_step_leads_away_from_the_minimiser(lr: float) -> None:
    """Not smooth: Σ |xᵢ| cᵢ + x₀²; ‖x − x*‖² falls by at least lr (2 − lr) (f − f*)² / ‖g‖² a step."""
    c = torch.tensor([1.0, 20.0, 0.1], dtype=torch.float64)
    f = Function(lambda x: (x.abs() * c).sum(dim=1) + x[:, 0] ** 2 - 5, 3)
    x = torch.tensor([[3.0, 2.0, -4.0], [-1.0, 0.5, 9.0]], dtype=torch.float64)
    for _ in range(200):
        loss, grad = f(x)
        promised = lr * (2 - lr) * (loss + 5) ** 2 / (grad**2).sum(dim=1).clamp(min=1e-300)
        after, _ = Polyak(lr=lr, minimum=-5.0).step(x, (), f, 1.0)
        assert ((after**2).sum(dim=1) <= (x**2).sum(dim=1) - promised + 1e-9).all()
        x = after


def test_longest_bounds_the_step_of_each_trial() -> None:
    f = Function(lambda x: 0.5 * (x**2).sum(dim=1), 1)
    x = torch.full((3, 1), 4.0, dtype=torch.float64)
    x, _ = Polyak(longest=column(0.125, 0.25, 100.0)).step(x, (), f, 1.0)
    assert x.tolist() == [[3.5], [3.0], [2.0]]


def test_it_stays_where_the_gradient_is_zero_or_the_loss_at_or_below_the_minimum() -> None:
    f = Function(lambda x: (x**2).sum(dim=1), 1)
    x = torch.tensor([[0.0], [0.5], [1.0], [2.0]], dtype=torch.float64)
    after, _ = Polyak(minimum=column(-1.0, 0.25, 3.0, 3.0)).step(x, (), f, 1.0)
    assert after.tolist() == [[0.0], [0.5], [1.0], [1.75]]


def test_it_reaches_the_minimum_of_beale_without_a_rate_to_choose() -> None:
    problem = Beale()
    path = Loop(problem, Polyak(), [0, 1]).run(1000)
    assert (problem.loss(path[-1], None) < 1e-10).all()


def test_loss_and_gradient_come_from_one_evaluation_of_the_minibatch() -> None:
    run = Loop(TinyNet(), Polyak(longest=0.1), [0, 1])
    run.run(10)
    assert run.oracle.evaluations() == 10
