"""BFGS against scipy's matrix and count of evaluations, and against what is known of quadratics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.quadratic import Quadratic as QuadraticProblem
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import minimize
from scipy.sparse.linalg import cg
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Oracle
from optbench.optimizers.bfgs import BFGS, updated
from optbench.optimizers.lbfgs import LBFGS
from optbench.oracle import BatchOracle

kinds = pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking"])


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


def random_quadratic(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    M = random.normal(size=(n, n))
    return M @ M.T + np.eye(n), random.normal(size=n)


def test_on_scipys_points_the_matrix_is_scipys() -> None:
    """scipy begins with I; the pairs of its path, put in one after the other, give its inverse Hessian."""
    problem = Rosenbrock(n=4)

    def fun(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, grad = problem.loss_and_grad(torch.from_numpy(x)[None], None)
        return loss.item(), grad[0].numpy().copy()

    points = [problem.start([0])[0].numpy()]
    found = minimize(
        fun, points[0], jac=True, method="BFGS", callback=lambda x: points.append(x.copy()), options={"maxiter": 20}
    )
    H = torch.eye(4, dtype=torch.float64)[None]
    for before, after in itertools.pairwise(points):
        s, y = after - before, fun(after)[1] - fun(before)[1]
        H = updated(H, torch.from_numpy(s)[None], torch.from_numpy(y)[None])
    assert len(points) == 21
    np.testing.assert_allclose(H[0].numpy(), found.hess_inv, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3])
def test_it_needs_about_as_many_evaluations_as_scipy(n: int) -> None:
    problem, target, ours, theirs = Rosenbrock(n=n), 1e-10, [], []
    for seed in range(4):
        run = Loop(problem, BFGS(), [seed])
        while problem.loss(run.params, None).item() > target:
            run.run(1)
        ours.append(int(torch.as_tensor(run.oracle.evaluations()).max()))
        seen: list[float] = []

        def fun(x: np.ndarray, seen: list[float] = seen) -> tuple[float, np.ndarray]:
            loss, grad = problem.loss_and_grad(torch.from_numpy(x)[None], None)
            seen.append(loss.item())
            return loss.item(), grad[0].numpy().copy()

        minimize(fun, problem.start([seed])[0].numpy(), jac=True, method="BFGS", options={"gtol": 1e-9})
        theirs.append(next(k for k, f in enumerate(seen, 1) if f <= target))
    assert np.mean(ours) < 1.25 * np.mean(theirs)


def test_on_a_quadratic_with_exact_searches_the_points_are_those_of_conjugate_gradients() -> None:
    """Nocedal & Wright, Theorem 6.4: the minimum after n steps, and H is then the inverse of the Hessian."""
    A, b = random_quadratic(8)
    theirs: list[np.ndarray] = []
    cg(A, b, rtol=1e-14, callback=lambda x: theirs.append(x.copy()))
    oracle, rule = Quadratic(A, b), BFGS(c1=1e-13, c2=1e-12)
    x = torch.zeros(1, 8, dtype=torch.float64)
    state = rule.init(x, oracle.layout)
    for k in range(8):
        x, state = rule.step(x, state, oracle, 1.0)
        np.testing.assert_allclose(x[0].numpy(), theirs[k], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x[0].numpy(), np.linalg.solve(A, b), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(state.H[0].numpy(), np.linalg.inv(A), rtol=1e-4, atol=1e-5)


def test_the_first_pair_scales_the_identity_before_it_is_put_in() -> None:
    """By hand for s = (1, 0), y = (2, 1): γ = 2/5, ρ = ½, and equation 6.17 gives this matrix."""
    s, y = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    H = updated(torch.zeros(1, 2, 2, dtype=torch.float64), s, y)
    # (I − ρ s yᵀ) = [[0, −½], [0, 1]], so that H = γ [[¼, −½], [−½, 1]] + ρ [[1, 0], [0, 0]]
    torch.testing.assert_close(H[0], torch.tensor([[0.6, -0.2], [-0.2, 0.4]], dtype=torch.float64), rtol=1e-14, atol=0)


def test_a_pair_without_positive_curvature_changes_nothing() -> None:
    H = torch.eye(2, dtype=torch.float64).repeat(3, 1, 1)
    s = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    new = updated(H, s, y)
    assert new[0, 0, 0] == 0.5
    assert torch.equal(new[1:], H[1:])


@pytest.mark.parametrize("rule", [BFGS(c2=0.5), BFGS(line_search="backtracking", c1=0.3)])
def test_every_step_keeps_the_conditions_of_its_line_search(rule: BFGS) -> None:
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


@kinds
def test_it_reaches_the_minimum_to_rounding_and_stays_there(line_search: str) -> None:
    run = Loop(Rosenbrock(n=2), BFGS(line_search=line_search), list(range(6)))
    run.run(150)
    torch.testing.assert_close(run.params, torch.ones(6, 2, dtype=torch.float64), rtol=0, atol=1e-9)
    at = run.params
    run.run(5)
    torch.testing.assert_close(run.params, at, rtol=0, atol=1e-12)


def test_with_as_many_pairs_as_steps_lbfgs_goes_the_same_way_while_it_scales_alike() -> None:
    """Both begin with γ I; with one pair the matrices agree, so that the first two steps do."""
    problem = QuadraticProblem()
    ours, limited = Loop(problem, BFGS(), [0, 1]).run(2), Loop(problem, LBFGS(), [0, 1]).run(2)
    torch.testing.assert_close(ours, limited, rtol=1e-9, atol=1e-12)


def test_a_direction_that_does_not_descend_begins_the_matrix_anew() -> None:
    oracle, rule = Quadratic(np.diag([1.0, 10.0]), np.zeros(2), 2), BFGS()
    x = torch.tensor([[3.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    x, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    eye = torch.eye(2, dtype=torch.float64)
    after, new = rule.step(x, state._replace(H=torch.stack([-eye, eye])), oracle, 1.0)
    cosine = torch.nn.functional.cosine_similarity(after - x, -state.g)
    assert cosine[0].item() == pytest.approx(1, abs=1e-12)
    s, y = (after - x)[:1], new.g[:1] - state.g[:1]
    torch.testing.assert_close(new.H[:1], updated(torch.zeros_like(new.H[:1]), s, y), rtol=1e-12, atol=1e-14)
    assert (torch.linalg.eigvalsh(new.H) > 0).all()


def test_a_trial_whose_gradient_is_zero_stays_and_costs_one_evaluation_in_all() -> None:
    oracle, rule = Quadratic(np.diag([1.0, 10.0]), np.zeros(2), 2), BFGS()
    x = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=torch.float64)
    state = rule.init(x, oracle.layout)
    for _ in range(4):
        x, state = rule.step(x, state, oracle, 1.0)
    assert x[0].tolist() == [0.0, 0.0]
    assert oracle.count[0] == 1
    assert oracle.count[1] >= 5


def test_every_evaluation_is_counted_and_only_searching_rows_are_evaluated() -> None:
    problem, asked = Rosenbrock(n=2), torch.zeros(4, dtype=torch.int64)

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            asked[slice(None) if rows is None else rows] += 1
            return super().__call__(params, rows)

    run = Loop(problem, BFGS(), [0, 1, 2, 3])
    run.oracle = Watching(problem, FixedStream(), 4)
    run.run(40)
    assert torch.equal(torch.as_tensor(run.oracle.evaluations()), asked)
    assert len(set(asked.tolist())) > 1


def test_with_minibatches_both_gradients_of_a_pair_come_from_the_same_batch() -> None:
    run = Loop(TinyNet(), BFGS(), [0, 1])
    start = run.params
    run.run(1)
    batch = run.oracle.stream.at(0)
    y = TinyNet().loss_and_grad(run.params, batch)[1] - TinyNet().loss_and_grad(start, batch)[1]
    Hy = torch.bmm(run.state.H, y[:, :, None])[:, :, 0]
    torch.testing.assert_close(Hy, run.params - start, rtol=1e-8, atol=1e-12)  # the secant equation, 6.16


def test_the_rate_scales_the_first_length_that_is_tried() -> None:
    tried: list[Tensor] = []

    class Watching(Quadratic):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            tried.append(params)
            return super().__call__(params, rows)

    oracle, x = Watching(np.eye(2), np.zeros(2), 2), torch.tensor([[3.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    rule = BFGS(lr=column(1.0, 0.5))
    rule.step(x, rule.init(x, oracle.layout), oracle, 0.5)
    expected = x - torch.tensor([[0.5 / 7], [0.25 / 7]], dtype=torch.float64) * x
    torch.testing.assert_close(tried[1], expected, rtol=1e-14, atol=0)


def test_a_matrix_that_is_too_large_is_refused_with_its_bytes() -> None:
    oracle, n = Quadratic(np.eye(2), np.zeros(2)), 5793
    BFGS().check(torch.zeros(1, n - 1, dtype=torch.float64), oracle)
    BFGS().check(torch.zeros(1, 8192), oracle)
    with pytest.raises(ValueError, match=r"268,470,792 bytes for n = 5,793 parameters in float64, .* use lbfgs"):
        BFGS().check(torch.zeros(1, n, dtype=torch.float64), oracle)
