"""L-BFGS against torch and scipy, and against what is known of quadratics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import minimize
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Oracle
from optbench.optimizers.lbfgs import LBFGS, _direction
from optbench.optimizers.line_search import cubic
from optbench.oracle import BatchOracle


class Quadratic(Oracle):
    """½ Σ cᵢ xᵢ² with curvatures of each trial's own, and a count of the evaluations of each."""

    fixed = True

    def __init__(self, curvatures: Tensor):
        self.c, self.layout = curvatures, Layout.point(curvatures.shape[1])
        self.count = torch.zeros(len(curvatures), dtype=torch.int64)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(self.c)) if rows is None else rows
        self.count[rows] += 1
        return 0.5 * (self.c[rows] * params**2).sum(dim=1), self.c[rows] * params


def solved_after(problem: Rosenbrock, optimizer: LBFGS, seeds: list[int], target: float) -> list[int]:
    """Evaluations that each trial makes until its loss is at the target."""
    run = Loop(problem, optimizer, seeds)
    needed = [0] * len(seeds)
    for _ in range(100):
        run.run(1)
        loss = problem.loss(run.params, None)
        counts = torch.as_tensor(run.oracle.evaluations()).expand(len(seeds)).tolist()
        if all(needed):
            break
        needed = [n or (c if f <= target else 0) for n, c, f in zip(needed, counts, loss.tolist(), strict=True)]
    assert all(needed)
    return needed


@pytest.mark.parametrize("n", [2, 6])
def test_it_needs_about_as_many_evaluations_as_scipy_and_torch(n: int) -> None:
    problem, seeds, target = Rosenbrock(n=n), list(range(4)), 1e-10
    ours = np.mean(solved_after(problem, LBFGS(), seeds, target))
    scipy_counts, torch_counts = [], []
    for seed in seeds:
        seen: list[float] = []

        def fun(x: np.ndarray, seen: list[float] = seen) -> tuple[float, np.ndarray]:
            loss, grad = problem.loss_and_grad(torch.from_numpy(x)[None], None)
            seen.append(loss.item())
            return loss.item(), grad[0].numpy()

        minimize(fun, problem.start([seed])[0].numpy(), jac=True, method="L-BFGS-B", tol=1e-15)
        scipy_counts.append(next(k for k, f in enumerate(seen, 1) if f <= target))

        x = torch.nn.Parameter(problem.start([seed])[0].clone())
        losses: list[float] = []
        other = torch.optim.LBFGS([x], max_iter=200, history_size=10, line_search_fn="strong_wolfe", tolerance_change=0)

        def closure(x: Tensor = x, losses: list[float] = losses, other: torch.optim.LBFGS = other) -> Tensor:
            other.zero_grad()
            loss = problem.loss(x[None], None).sum()
            loss.backward()
            losses.append(loss.item())
            return loss

        other.step(closure)
        torch_counts.append(next(k for k, f in enumerate(losses, 1) if f <= target))
    assert ours < 1.25 * np.mean(scipy_counts)
    assert ours < 1.25 * np.mean(torch_counts)


def test_an_exact_line_search_ends_on_a_quadratic_after_as_many_steps_as_it_has_curvatures() -> None:
    """Nocedal & Wright, Theorem 6.4: with exact searches BFGS directions are conjugate."""
    curvatures = torch.tensor([[1.0, 1.0, 30.0, 30.0, 500.0], [1.0, 7.0, 7.0, 7.0, 7.0]], dtype=torch.float64)
    oracle, rule = Quadratic(curvatures), LBFGS(c2=1e-12, c1=1e-13)
    x = torch.tensor([[1.0, -2.0, 3.0, 1.0, 1.0], [1.0, 1.0, -1.0, 2.0, 0.5]], dtype=torch.float64)
    start, _ = oracle(x)
    state, losses = rule.init(x, oracle.layout), []
    for _ in range(3):
        x, state = rule.step(x, state, oracle, 1.0)
        losses.append((oracle(x)[0] / start).tolist())
    assert losses[1][0] > 1e-6
    assert losses[2][0] < 1e-18
    assert losses[0][1] > 1e-6
    assert losses[1][1] < 1e-18


def test_the_direction_is_that_of_the_dense_bfgs_matrix() -> None:
    """Equation 6.17 applied pair by pair to γ I."""
    torch.manual_seed(0)
    m, n = 4, 6
    S = torch.randn(1, m, n, dtype=torch.float64)
    A = torch.randn(n, n, dtype=torch.float64)
    Y = S @ (A @ A.T + torch.eye(n, dtype=torch.float64))
    rho, g = 1 / (S * Y).sum(dim=2), torch.randn(1, n, dtype=torch.float64)
    eye = torch.eye(n, dtype=torch.float64)
    H = eye * (S[0, -1] @ Y[0, -1]) / (Y[0, -1] @ Y[0, -1])
    for s, y, r in zip(S[0], Y[0], rho[0], strict=True):
        V = eye - r * torch.outer(y, s)
        H = V.T @ H @ V + r * torch.outer(s, s)
    torch.testing.assert_close(_direction(g, S, Y, rho, m)[0], -H @ g[0], rtol=1e-10, atol=1e-10)


def test_a_cubic_through_two_points_has_its_minimum_where_calculus_says() -> None:
    """x³ − 3x has its minimum at 1."""
    a, b = torch.tensor([0.0, 3.0], dtype=torch.float64), torch.tensor([3.0, -0.5], dtype=torch.float64)
    minimiser = cubic(a, a**3 - 3 * a, 3 * a**2 - 3, b, b**3 - 3 * b, 3 * b**2 - 3)
    torch.testing.assert_close(minimiser, torch.ones(2, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("rule", [LBFGS(c2=0.5), LBFGS(line_search="backtracking", c1=0.3)])
def test_every_step_keeps_the_conditions_of_its_line_search(rule: LBFGS) -> None:
    problem = Rosenbrock(n=4)
    run = Loop(problem, rule, [0, 1, 2])
    f, g = problem.loss_and_grad(run.params, None)
    for _ in range(20):
        before = run.params
        run.run(1)
        f_new, g_new = problem.loss_and_grad(run.params, None)
        ad = run.params - before
        slope, slope_new = (g * ad).sum(dim=1), (g_new * ad).sum(dim=1)
        assert (f_new <= f + rule.c1 * slope + 1e-15).all()
        if rule.line_search == "strong_wolfe":
            assert (slope_new.abs() <= 0.5 * slope.abs() + 1e-15).all()
        f, g = f_new, g_new
    assert (f < 20).all()


@pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking"])
def test_it_reaches_the_minimum_to_rounding_and_stays_there(line_search: str) -> None:
    problem = Rosenbrock(n=2)
    run = Loop(problem, LBFGS(line_search=line_search), list(range(6)))
    run.run(150)
    torch.testing.assert_close(run.params, torch.ones(6, 2, dtype=torch.float64), rtol=0, atol=1e-9)
    at = run.params
    run.run(5)
    torch.testing.assert_close(run.params, at, rtol=0, atol=1e-12)


def test_a_trial_whose_gradient_is_zero_stays_and_costs_one_evaluation_in_all() -> None:
    oracle, rule = Quadratic(torch.tensor([[1.0, 10.0], [1.0, 10.0]], dtype=torch.float64)), LBFGS()
    x = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=torch.float64)
    state = rule.init(x, oracle.layout)
    for _ in range(4):
        x, state = rule.step(x, state, oracle, 1.0)
    assert x[0].tolist() == [0.0, 0.0]
    assert oracle.count[0] == 1
    assert oracle.count[1] >= 5


def test_every_evaluation_is_counted_and_only_searching_rows_are_evaluated() -> None:
    problem = Rosenbrock(n=2)
    run = Loop(problem, LBFGS(), [0, 1, 2, 3])
    asked = torch.zeros(4, dtype=torch.int64)

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            asked[slice(None) if rows is None else rows] += 1
            return super().__call__(params, rows)

    run.oracle = Watching(problem, FixedStream(), 4)
    run.run(25)
    assert torch.equal(torch.as_tensor(run.oracle.evaluations()), asked)
    assert len(set(asked.tolist())) > 1


def test_with_minibatches_both_gradients_of_a_pair_come_from_the_same_batch() -> None:
    """On a fixed objective a known point is not asked for again; on a stream it is, with the new batch."""
    fixed, drawn = Loop(Rosenbrock(), LBFGS(), [0]), Loop(TinyNet(), LBFGS(), [0])
    fixed.run(1), drawn.run(1)
    state, batch = drawn.state, drawn.oracle.stream.at(0)
    _, g_new = drawn.oracle.problem.loss_and_grad(drawn.params, batch)
    torch.testing.assert_close(state.g, g_new, rtol=1e-12, atol=1e-14)
    before = fixed.oracle.evaluations(), drawn.oracle.evaluations()
    fixed.run(1), drawn.run(1)
    spent = [
        int(torch.as_tensor(now).max() - torch.as_tensor(then).max())
        for now, then in zip((fixed.oracle.evaluations(), drawn.oracle.evaluations()), before, strict=True)
    ]
    assert spent[0] >= 1
    assert spent[1] >= 2


def test_a_point_moved_from_outside_is_looked_at_again() -> None:
    """Modifiers such as weight decay change the point after the step; the gradient kept is then another point's."""
    problem, rule = Rosenbrock(), LBFGS()
    run = Loop(problem, rule, [0, 1])
    run.run(2)
    moved = run.params.clone()
    moved[1] = torch.tensor([0.5, 0.5], dtype=torch.float64)
    fresh = Loop(problem, rule, [0, 1])
    fresh.params, fresh.state = moved, run.state._replace(x=torch.full_like(moved, float("nan")))
    run.params = moved
    assert torch.equal(run.run(3), fresh.run(3))


def test_the_rate_scales_the_first_length_that_is_tried() -> None:
    tried: list[Tensor] = []

    class Watching(Quadratic):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            tried.append(params)
            return super().__call__(params, rows)

    oracle = Watching(torch.ones(2, 2, dtype=torch.float64))
    x = torch.tensor([[3.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    rule = LBFGS(lr=column(1.0, 0.5))
    rule.step(x, rule.init(x, oracle.layout), oracle, 0.5)
    expected = x - torch.tensor([[0.5 / 7], [0.25 / 7]], dtype=torch.float64) * x
    torch.testing.assert_close(tried[1], expected, rtol=1e-14, atol=0)
