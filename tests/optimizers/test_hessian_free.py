"""Hessian-free optimization against exact solves, its stopping rule worked out, and the rule of its damping."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.quadratic import Quadratic
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor

from optbench.interfaces import FixedStream
from optbench.optimizers.curvature import dense
from optbench.optimizers.hessian_free import HessianFree, conjugate
from optbench.oracle import BatchOracle
from optbench.registry import build


def system(n: int, condition: float, trials: int = 3) -> tuple[Tensor, Tensor]:
    """Matrices with these eigenvalues, and gradients."""
    made = torch.Generator().manual_seed(n)
    Q, _ = torch.linalg.qr(torch.randn(trials, n, n, dtype=torch.float64, generator=made))
    values = torch.logspace(0, torch.log10(torch.tensor(condition)).item(), n, dtype=torch.float64)
    return Q * values @ Q.mT, torch.randn(trials, n, dtype=torch.float64, generator=made)


def products(G: Tensor):
    return lambda v, rows=None: torch.einsum("tij,tj->ti", G if rows is None else G[rows], v)


def solve(G: Tensor, g: Tensor, damping: Tensor, tolerance: float = 5e-4, first: Tensor | None = None, most: int = 200):
    first = torch.zeros_like(g) if first is None else first
    tolerances = torch.full_like(damping, tolerance)
    return conjugate(products(G), g, first, damping, tolerances, torch.arange(len(g)), most)


def test_conjugate_gradients_end_at_the_solution_with_each_trials_own_damping() -> None:
    G, g = system(8, 50.0)
    damping = torch.tensor([0.0, 1.0, 10.0], dtype=torch.float64)
    expected = torch.linalg.solve(G + torch.diag_embed(damping[:, None].expand_as(g)), -g)
    for first in (None, torch.ones_like(g)):
        d, Gd = solve(G, g, damping, first=first)
        torch.testing.assert_close(d, expected, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(Gd, torch.einsum("tij,tj->ti", G, d), rtol=1e-10, atol=1e-10)


def test_they_stop_by_martens_rule() -> None:
    """The textbook's iteration, one trial at a time, with φ computed from its definition. Where the condition is worse, rounding
    takes two such iterations apart."""
    G, g = system(60, 200.0)
    damping, tolerance = torch.tensor([0.0, 0.1, 5.0], dtype=torch.float64), 5e-3
    found, _ = solve(G, g, damping, tolerance)
    counts = []
    for k in range(3):
        A, b = G[k] + damping[k] * torch.eye(60, dtype=torch.float64), -g[k]
        x, models = torch.zeros(60, dtype=torch.float64), [0.0]
        r = b - A @ x
        p = r
        for i in range(1, 200):
            a = (r @ r) / (p @ A @ p)
            x, before = x + a * p, r @ r
            r = r - a * (A @ p)
            p = r + (r @ r) / before * p
            models.append((0.5 * x @ A @ x - b @ x).item())
            back = max(10, i // 10)
            if i > back and models[i] < 0 and (models[i] - models[i - back]) / models[i] < back * tolerance:
                break
        counts.append(i)
        torch.testing.assert_close(found[k], x, rtol=1e-6, atol=1e-6)
    assert len(set(counts)) > 1
    assert max(counts) < 100


def test_products_are_made_for_the_trials_that_still_iterate_and_counted() -> None:
    problem, seeds = Quadratic(condition=1e4), [0, 1, 2]
    rule, x = HessianFree(damping=column(1e-6, 1e-2, 10.0)), problem.start(seeds)
    oracle = BatchOracle(problem, FixedStream(), 3)
    rule.step(x, rule.init(x, problem.layout), oracle, 1.0)
    counts = torch.as_tensor(oracle.evaluations()).tolist()
    assert counts[0] > counts[2] > 3
    assert all(count % 2 == 0 for count in counts)  # at x, at x + d, and two a product


def test_a_step_is_the_damped_gauss_newton_step_where_conjugate_gradients_run_to_the_end() -> None:
    problem, seeds = TinyNet(), [0, 1]
    damping = (0.1, 1.0)
    run = Loop(problem, HessianFree(damping=column(*damping), tolerance=1e-15), seeds)
    x = run.params
    oracle = BatchOracle(problem, problem.stream(seeds), 2)
    _, g, product = oracle.gauss_newton(x)
    G = dense(product, x, torch.arange(2))
    after = run.run(1)[0]
    for k in range(2):
        d = torch.linalg.solve(G[k] + damping[k] * torch.eye(len(G[k]), dtype=torch.float64), -g[k])
        ratio = (after[k] - x[k]) / d
        a = ratio.mean().item()
        assert any(a == pytest.approx(2.0**-i, rel=1e-6) for i in range(20))
        torch.testing.assert_close(ratio, torch.full_like(ratio, a), rtol=1e-5, atol=0)


def test_damping_falls_where_the_model_is_right_and_rises_where_it_is_wrong() -> None:
    """A quadratic is its own model: ϱ = 1. From (0, 0) with a tiny damping, Rosenbrock's function rises along Gauss' step."""
    rule = HessianFree(damping=3.0)
    run = Loop(Quadratic(), rule, [0, 1])
    run.run(2)
    torch.testing.assert_close(
        run.state.damping, torch.full_like(run.state.damping, 3 * (2 / 3) ** 2), rtol=1e-14, atol=0
    )
    rule, x = HessianFree(damping=1e-6), torch.zeros(2, 2, dtype=torch.float64)
    oracle = BatchOracle(Rosenbrock(), FixedStream(), 2)
    after, state = rule.step(x, rule.init(x, Rosenbrock().layout), oracle, 1.0)
    assert state.damping.tolist() == [1.5e-6] * 2
    # Gauss' step is (1, 0), where f = 100; of 1, ½, ¼ the first with f ≤ 1 − c1 · 2a is ¼, where f = 100/256 + 9/16
    torch.testing.assert_close(after[0], torch.tensor([0.25, 0.0], dtype=torch.float64), rtol=1e-5, atol=1e-7)


def test_conjugate_gradients_begin_at_a_part_of_what_they_came_to_last() -> None:
    seen: list[Tensor] = []

    class Watching(BatchOracle):
        def curved(self, matrix, params, rows=None):
            loss, grad, product = super().curved(matrix, params, rows)

            def watched(v: Tensor, rows: Tensor | None = None) -> Tensor:
                seen.append(v)
                return product(v, rows)

            return loss, grad, watched

    problem, rule = Rosenbrock(n=4), HessianFree(decay=0.5)
    x = problem.start([0, 1])
    oracle, state = Watching(problem, FixedStream(), 2), rule.init(x, problem.layout)
    x, state = rule.step(x, state, oracle, 1.0)
    assert torch.equal(seen[0], -oracle.first_grad)  # the first residual, as there is nothing to begin at
    seen.clear()
    rule.step(x, state, oracle, 1.0)
    assert torch.equal(seen[0], 0.5 * state.d)


def test_no_step_raises_the_loss_of_its_batch() -> None:
    problem = TinyNet()
    run = Loop(problem, HessianFree(damping=1e-3), [0, 1, 2])
    for t in range(15):
        before, batch = run.params, problem.stream([0, 1, 2]).at(t)
        run.run(1)
        rounding = 1e-14 * problem.loss(before, batch)
        assert (problem.loss(run.params, batch) <= problem.loss(before, batch) + rounding).all()


def test_it_trains_a_network_in_full_batches_faster_than_it_could_by_steps_of_gradients() -> None:
    """Digits with 4 hidden units, 20 steps: the loss of guessing is 2.3; Adam needs some hundred steps for 0.5."""
    problem = build("problem", "mlp", {"hidden": (4,), "batch_size": None, "dtype": torch.float64})
    end = Loop(problem, HessianFree(damping=0.1), [0, 1]).run(20)[-1]
    assert problem.objective(end, 0).max() < 0.5
