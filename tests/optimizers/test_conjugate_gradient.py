"""Non-linear conjugate gradients against scipy's linear ones on quadratics, scipy's count on Rosenbrock, and the book."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import minimize
from scipy.sparse.linalg import cg
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Oracle
from optbench.optimizers.conjugate_gradient import ConjugateGradient
from optbench.oracle import BatchOracle

FORMULAS = ("fletcher_reeves", "polak_ribiere", "hestenes_stiefel", "dai_yuan")
formulas = pytest.mark.parametrize("formula", FORMULAS)


class Quadratic(Oracle):
    """½ xᵀAx − bᵀx, the same for all trials, and a count of the evaluations of each."""

    fixed = True

    def __init__(self, A: np.ndarray, b: np.ndarray, trials: int = 1):
        self.A, self.b, self.layout = torch.from_numpy(A), torch.from_numpy(b), Layout.point(len(b))
        self.count = torch.zeros(trials, dtype=torch.int64)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.count[slice(None) if rows is None else rows] += 1
        Ax = params @ self.A
        return (0.5 * params * Ax - params * self.b).sum(dim=1), Ax - self.b


@formulas
def test_on_a_quadratic_with_exact_searches_the_points_are_those_of_linear_conjugate_gradients(formula: str) -> None:
    random = np.random.default_rng(1)
    M = random.normal(size=(8, 8))
    A, b = M @ M.T + np.eye(8), random.normal(size=8)
    theirs: list[np.ndarray] = []
    cg(A, b, rtol=1e-14, callback=lambda x: theirs.append(x.copy()))
    oracle, rule = Quadratic(A, b), ConjugateGradient(formula=formula, c1=1e-13, c2=1e-12)
    x = torch.zeros(1, 8, dtype=torch.float64)
    state = rule.init(x, oracle.layout)
    for k in range(8):
        x, state = rule.step(x, state, oracle, 1.0)
        np.testing.assert_allclose(x[0].numpy(), theirs[k], rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(A @ x[0].numpy() - b) < 1e-5


@formulas
def test_each_direction_keeps_the_part_of_the_last_one_that_its_formula_says(formula: str) -> None:
    """From the points alone: each step is a multiple of −g + β (last step), with β scaled by the length of that step."""
    problem, eps = Rosenbrock(n=4), 1e-300
    run = Loop(problem, ConjugateGradient(formula=formula), [0, 1])
    points = torch.cat([run.params[None], run.run(12)])
    grads = torch.stack([problem.loss_and_grad(x, None)[1] for x in points])
    checked = 0
    for trial in range(2):
        d = -grads[0, trial].numpy()
        for k in range(1, 12):
            b, g, y = grads[k - 1, trial].numpy(), grads[k, trial].numpy(), (grads[k] - grads[k - 1])[trial].numpy()
            beta = {
                "fletcher_reeves": g @ g / (b @ b),
                "polak_ribiere": max(g @ y / (b @ b), 0),
                "hestenes_stiefel": max(g @ y / (d @ y), 0),
                "dai_yuan": g @ g / (d @ y),
            }[formula]
            d = -g + beta * d
            step = (points[k + 1] - points[k])[trial].numpy()
            cosine = step @ d / (np.linalg.norm(step) * np.linalg.norm(d) + eps)
            assert cosine == pytest.approx(1, abs=1e-9)
            checked += beta > 0
    assert checked > 10


@formulas
def test_it_begins_anew_where_a_restart_is_due(formula: str) -> None:
    """Three steps, of which the third goes along −g whatever came before, as the first step of another run from there."""
    run = Loop(Rosenbrock(n=4), ConjugateGradient(formula=formula, restart=2), [0, 1])
    run.run(2)
    g = run.oracle.problem.loss_and_grad(run.params, None)[1]
    run.run(1)
    torch.testing.assert_close(run.state.d, -g, rtol=1e-12, atol=0)


def test_restarts_free_fletcher_and_reeves_from_directions_in_which_they_jam() -> None:
    problem, seeds = Rosenbrock(n=10), list(range(4))
    jams = Loop(problem, ConjugateGradient(formula="fletcher_reeves"), seeds).run(150)[-1]
    free = Loop(problem, ConjugateGradient(formula="fletcher_reeves", restart=10), seeds).run(150)[-1]
    assert (problem.loss(free, None) < 0.1 * problem.loss(jams, None)).all()


@formulas
def test_every_step_keeps_the_strong_wolfe_conditions(formula: str) -> None:
    problem = Rosenbrock(n=4)
    run = Loop(problem, ConjugateGradient(formula=formula), [0, 1, 2])
    f, g = problem.loss_and_grad(run.params, None)
    for _ in range(30):
        before = run.params
        run.run(1)
        f_new, g_new = problem.loss_and_grad(run.params, None)
        ad = run.params - before
        slope, slope_new = (g * ad).sum(dim=1), (g_new * ad).sum(dim=1)
        assert (f_new <= f + 1e-4 * slope + 1e-15).all()
        assert (slope_new.abs() <= 0.4 * slope.abs() + 1e-15).all()
        f, g = f_new, g_new


@formulas
def test_it_reaches_the_minimum_to_rounding_and_stays_there(formula: str) -> None:
    run = Loop(Rosenbrock(n=2), ConjugateGradient(formula=formula), list(range(6)))
    run.run(250)
    torch.testing.assert_close(run.params, torch.ones(6, 2, dtype=torch.float64), rtol=0, atol=1e-6)
    at = run.params
    run.run(5)
    torch.testing.assert_close(run.params, at, rtol=0, atol=1e-6)


def test_it_needs_about_as_many_evaluations_as_scipy() -> None:
    problem, target, ours, theirs = Rosenbrock(n=6), 1e-10, [], []
    for seed in range(3):
        run = Loop(problem, ConjugateGradient(), [seed])
        while problem.loss(run.params, None).item() > target:
            run.run(1)
        ours.append(int(torch.as_tensor(run.oracle.evaluations()).max()))
        seen: list[float] = []

        def fun(x: np.ndarray, seen: list[float] = seen) -> tuple[float, np.ndarray]:
            loss, grad = problem.loss_and_grad(torch.from_numpy(x)[None], None)
            seen.append(loss.item())
            return loss.item(), grad[0].numpy()

        minimize(fun, problem.start([seed])[0].numpy(), jac=True, method="CG", options={"gtol": 1e-9})
        theirs.append(next(k for k, f in enumerate(seen, 1) if f <= target))
    assert np.mean(ours) < 1.25 * np.mean(theirs)


def test_a_trial_whose_gradient_is_zero_stays_and_costs_one_evaluation_in_all() -> None:
    oracle, rule = Quadratic(np.diag([1.0, 10.0]), np.zeros(2), 2), ConjugateGradient()
    x = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=torch.float64)
    state = rule.init(x, oracle.layout)
    for _ in range(4):
        x, state = rule.step(x, state, oracle, 1.0)
    assert x[0].tolist() == [0.0, 0.0]
    assert oracle.count[0] == 1
    assert oracle.count[1] > 5


def test_every_evaluation_is_counted_and_only_searching_rows_are_evaluated() -> None:
    problem, asked = Rosenbrock(n=2), torch.zeros(4, dtype=torch.int64)

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            asked[slice(None) if rows is None else rows] += 1
            return super().__call__(params, rows)

    run = Loop(problem, ConjugateGradient(), [0, 1, 2, 3])
    run.oracle = Watching(problem, FixedStream(), 4)
    run.run(25)
    assert torch.equal(torch.as_tensor(run.oracle.evaluations()), asked)
    assert len(set(asked.tolist())) > 1


def test_with_minibatches_both_gradients_of_a_step_come_from_the_same_batch() -> None:
    run = Loop(TinyNet(), ConjugateGradient(formula="fletcher_reeves"), [0, 1])
    start = run.params
    run.run(1)
    batch = run.oracle.stream.at(0)
    _, before = TinyNet().loss_and_grad(start, batch)
    _, after = TinyNet().loss_and_grad(run.params, batch)
    expected = (after**2).sum(dim=1) / (before**2).sum(dim=1)
    torch.testing.assert_close(run.state.beta, expected, rtol=1e-9, atol=0)


def test_the_rate_scales_the_first_length_that_is_tried() -> None:
    tried: list[Tensor] = []

    class Watching(Quadratic):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            tried.append(params)
            return super().__call__(params, rows)

    oracle, x = Watching(np.eye(2), np.zeros(2), 2), torch.tensor([[3.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    rule = ConjugateGradient(lr=column(1.0, 0.5))
    rule.step(x, rule.init(x, oracle.layout), oracle, 0.5)
    expected = x - torch.tensor([[0.5 / 7], [0.25 / 7]], dtype=torch.float64) * x
    torch.testing.assert_close(tried[1], expected, rtol=1e-14, atol=0)


def test_a_direction_that_does_not_descend_gives_way_to_the_gradient() -> None:
    oracle, rule = Quadratic(np.diag([1.0, 10.0]), np.zeros(2), 2), ConjugateGradient()
    x = torch.tensor([[3.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    x, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    uphill = state._replace(d=torch.stack([3 * state.g[0], state.d[1]]), beta=torch.ones(2, dtype=torch.float64))
    after, _ = rule.step(x, uphill, oracle, 1.0)
    cosine = torch.nn.functional.cosine_similarity(after - x, -state.g)
    assert cosine[0].item() == pytest.approx(1, abs=1e-12)
    assert cosine[1].item() < 0.999
    assert (oracle(after)[0] < oracle(x)[0]).all()


def test_a_search_ends_once_its_bracket_is_below_rounding() -> None:
    """The slope asked for is out of reach; the count shows that the bound on evaluations is not what ends it."""
    oracle = Quadratic(np.diag([1.0, 1e4]), np.array([0.3, 0.1]))
    rule = ConjugateGradient(c1=1e-301, c2=1e-300, most_evaluations=1000)
    x = torch.ones(1, 2, dtype=torch.float64)
    rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    assert oracle.count.item() < 100
