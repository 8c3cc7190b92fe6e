"""Sophia against pytorch_optimizer given the same estimates, its estimates against exact Hessians."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.sophia import Sophia
from optbench.oracle import BatchOracle

CURVATURES = torch.tensor([[100.0, 4.0, 0.5, -2.0]], dtype=torch.float64)


class Bowl(Oracle):
    """½ Σ h x² with these h: its Hessian is diagonal, and a difference of gradients exact."""

    layout, fixed = Layout.point(4), True

    def __call__(self, params: torch.Tensor, rows: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        return (CURVATURES / 2 * params**2).sum(dim=1), CURVATURES * params


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
    """On a network, where third derivatives make the difference wrong by about its length, and no more."""
    problem, seeds = TinyNet(), [3, 4]
    x = problem.start(seeds)
    batch = problem.stream(seeds).at(0)
    errors = []
    for difference in (1e-2, 1e-4):
        rule = Sophia(betas=(0.9, 0.0), difference=difference)
        _, state = rule.step(x, rule.init(x, problem.layout), BatchOracle(problem, problem.stream(seeds), 2), 1.0)
        u = rule.direction(0, x).expand_as(x)
        at = x.clone().requires_grad_()
        (grad,) = torch.autograd.grad(problem.loss(at, batch).sum(), at, create_graph=True)
        (product,) = torch.autograd.grad(grad, at, u)
        errors.append(((state.h - u * product).norm() / product.norm()).item())
    assert errors[0] < 0.1
    assert errors[1] == pytest.approx(errors[0] / 100, rel=0.1)


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


def test_one_more_evaluation_is_counted_in_every_period() -> None:
    run = Loop(Rosenbrock(), Sophia(period=4), [0, 1])
    run.run(10)
    assert run.oracle.evaluations() == 10 + 3


def test_where_lr_is_gamma_and_nothing_is_remembered_it_is_newtons_step() -> None:
    rule = Sophia(lr=1.0, gamma=1.0, betas=(0.0, 0.0), probe="rademacher", period=1)
    x = torch.tensor([[0.5, -0.25, 0.75, 0.0]], dtype=torch.float64)
    x, _ = rule.step(x, rule.init(x, Bowl.layout), Bowl(), 1.0)
    torch.testing.assert_close(x, torch.zeros_like(x), rtol=0, atol=1e-10)


def test_negative_curvature_gives_a_step_of_full_length() -> None:
    rule, x = Sophia(lr=0.125), torch.full((1, 4), 0.5, dtype=torch.float64)
    moved, _ = rule.step(x, rule.init(x, Bowl.layout), Bowl(), 1.0)
    assert moved[0, 3].item() == 0.625
