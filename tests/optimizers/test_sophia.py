"""Sophia against pytorch_optimizer given the same estimates, its estimates against exact Hessians."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout, Matrix, Oracle
from optbench.optimizers.sophia import Sophia
from optbench.oracle import BatchOracle

CURVATURES = torch.tensor([[100.0, 4.0, 0.5, -2.0]], dtype=torch.float64)


class Bowl(Oracle):
    """½ Σ h x² with these h: its Hessian is diagonal."""

    layout, fixed = Layout.point(4), True

    def __call__(self, params: torch.Tensor, rows: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        return (CURVATURES / 2 * params**2).sum(dim=1), CURVATURES * params

    def curved(self, matrix: Matrix, params: torch.Tensor, rows: Any = None) -> Any:
        return *self(params), lambda v, rows=None: CURVATURES * v


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.01},
        {"lr": 0.02, "betas": (0.5, 0.9), "gamma": 0.05, "weight_decay": 0.3},
        {"lr": 0.01, "period": 3, "eps": 0.5},
    ],
    ids=["default", "betas", "period"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(settings: dict[str, Any]) -> None:
    """With u = ±1 the estimates are the curvatures themselves; it is given these."""
    ours = Sophia(probe="rademacher", **settings)
    gamma, period = ours.gamma, ours.period
    x = torch.tensor([[1.0, -2.0, 3.0, 0.5]], dtype=torch.float64)
    at, state = torch.nn.Parameter(x[0].clone()), ours.init(x, Bowl.layout)
    theirs = pytest.importorskip("pytorch_optimizer").SophiaH(
        [at],
        lr=ours.lr / gamma,
        betas=ours.betas,
        p=gamma,
        eps=ours.eps / gamma,
        weight_decay=ours.weight_decay * gamma,
        update_period=period,
    )
    for t in range(100):
        x, state = ours.step(x, state, Bowl(), 1.0)
        at.grad = CURVATURES[0] * at.detach()
        theirs.step(hessian=[CURVATURES[0].clone()] if t % period == 0 else None)
        torch.testing.assert_close(x[0], at.detach(), rtol=1e-9, atol=1e-9)


def test_the_estimate_is_that_of_hutchinson_with_the_exact_product() -> None:
    """On a network, and by differences of its gradients, whose error falls with their length."""
    problem, seeds = TinyNet(), [3, 4]
    x = problem.start(seeds)
    batch = problem.stream(seeds).at(0)
    rule = Sophia(betas=(0.9, 0.0))
    _, state = rule.step(x, rule.init(x, problem.layout), BatchOracle(problem, problem.stream(seeds), 2), 1.0)
    u = rule.direction(0, x).expand_as(x)
    errors = []
    for length in (1e-2, 1e-4):
        ends = [problem.loss_and_grad(x + sign * length * u, batch)[1] for sign in (1, -1)]
        product = (ends[0] - ends[1]) / (2 * length)
        errors.append(((state.h - u * product).norm() / product.norm()).item())
    assert errors[0] < 1e-2
    assert errors[1] < 2e-4 * errors[0]


def test_normal_probes_estimate_the_diagonal_without_bias() -> None:
    """The mean of u² over 4,000 steps is 1, to four of its standard errors √(2 / 4000)."""
    rule = Sophia()
    u = torch.cat([rule.direction(t, CURVATURES) for t in range(4000)])
    assert (u.mean(dim=0).abs() < 4 * 4000**-0.5).all()
    assert (u.square().mean(dim=0) - 1).abs().max() < 4 * (2 / 4000) ** 0.5
    assert ((u.T @ u / 4000).fill_diagonal_(0).abs() < 4 * 4000**-0.5).all()


def test_probes_are_those_of_seed_and_step() -> None:
    assert not torch.equal(Sophia().direction(0, CURVATURES), Sophia().direction(10, CURVATURES))
    assert not torch.equal(Sophia().direction(0, CURVATURES), Sophia(seed=1).direction(0, CURVATURES))
    assert set(Sophia(probe="rademacher").direction(0, CURVATURES.expand(1, 4)).flatten().tolist()) <= {-1.0, 1.0}


def test_a_product_counts_as_two_more_evaluations_in_every_period() -> None:
    run = Loop(Rosenbrock(), Sophia(period=4), [0, 1])
    run.run(10)
    assert run.oracle.evaluations() == 10 + 2 * 3


def test_where_lr_is_gamma_and_nothing_is_remembered_it_is_newtons_step() -> None:
    rule = Sophia(lr=1.0, gamma=1.0, betas=(0.0, 0.0), probe="rademacher", period=1)
    x = torch.tensor([[0.5, -0.25, 0.75, 0.0]], dtype=torch.float64)
    x, _ = rule.step(x, rule.init(x, Bowl.layout), Bowl(), 1.0)
    torch.testing.assert_close(x, torch.zeros_like(x), rtol=0, atol=1e-10)


def test_negative_curvature_gives_a_step_of_full_length() -> None:
    rule, x = Sophia(lr=0.125), torch.full((1, 4), 0.5, dtype=torch.float64)
    moved, _ = rule.step(x, rule.init(x, Bowl.layout), Bowl(), 1.0)
    assert moved[0, 3].item() == 0.625
