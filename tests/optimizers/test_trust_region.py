"""The trust region against scipy's trust-ncg, and Steihaug's conjugate gradients against exact minima in balls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.quadratic import Quadratic
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
from torch import Tensor

from optbench.interfaces import FixedStream
from optbench.optimizers.trust_region import TrustRegion, crossings, steihaug
from optbench.oracle import BatchOracle
from optbench.registry import build


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("settings", [{}, {"radius": 0.3, "max_radius": 0.5, "eta": 0.05}], ids=["default", "small"])
def test_its_path_is_that_of_scipys_trust_ncg(n: int, settings: dict[str, float]) -> None:
    seeds = [0, 1, 2]
    run = Loop(Rosenbrock(n=n), TrustRegion(**settings), seeds)
    start, path = run.params.numpy(), run.run(40).numpy()
    names = {"radius": "initial_trust_radius", "max_radius": "max_trust_radius", "eta": "eta"}
    options = {names[key]: value for key, value in settings.items()}
    for k in range(len(seeds)):
        theirs: list[np.ndarray] = []
        minimize(
            rosen,
            start[k],
            method="trust-ncg",
            jac=rosen_der,
            hess=rosen_hess,
            callback=lambda x, theirs=theirs: theirs.append(x.copy()),
            options={**options, "gtol": 1e-6, "maxiter": 40},
        )
        assert len(theirs) > 10
        np.testing.assert_allclose(path[: len(theirs), k], np.stack(theirs), rtol=1e-7, atol=1e-9)


def spd(n: int, seed: int, shift: float = 1.0) -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(seed)
    A = torch.randn(3, n, n, dtype=torch.float64, generator=made)
    return A @ A.mT + shift * torch.eye(n, dtype=torch.float64), torch.randn(3, n, dtype=torch.float64, generator=made)


def products(B: Tensor):
    return lambda v, rows=None: torch.einsum("tij,tj->ti", B if rows is None else B[rows], v)


def test_in_a_large_ball_it_solves_to_the_tolerance() -> None:
    B, g = spd(6, 0)
    p, Bp, edge = steihaug(products(B), g, torch.full((3,), 1e6, dtype=torch.float64), torch.arange(3), 100)
    assert not edge.any()
    torch.testing.assert_close(Bp, torch.einsum("tij,tj->ti", B, p), rtol=1e-12, atol=1e-12)
    length = g.norm(dim=1)
    assert ((Bp + g).norm(dim=1) < length * length.sqrt().clamp(max=0.5)).all()


def test_in_a_small_ball_it_goes_down_the_gradient_to_the_edge() -> None:
    B, g = spd(6, 1)
    p, _, edge = steihaug(products(B), g, torch.full((3,), 1e-3, dtype=torch.float64), torch.arange(3), 100)
    assert edge.all()
    torch.testing.assert_close(p, -1e-3 * g / g.norm(dim=1, keepdim=True), rtol=1e-12, atol=0)


def test_along_negative_curvature_it_goes_to_the_better_crossing_of_the_edge() -> None:
    """B = diag(1, −1), g = (1, 1): the first direction −(1, 1) has curvature 0, so that the edge is at −√½ (1, 1)."""
    B = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64)).expand(2, 2, 2)
    g, one = torch.ones(2, 2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    p, _, edge = steihaug(products(B), g, one, torch.arange(2), 100)
    assert edge.all()
    torch.testing.assert_close(p, torch.full_like(p, -(0.5**0.5)), rtol=1e-14, atol=0)


def test_it_does_at_least_as_well_as_the_best_step_down_the_gradient() -> None:
    """The Cauchy point, Nocedal & Wright, equation 4.11; the first iterate is it, and the model falls from there."""
    for seed in range(20):
        B, g = spd(5, seed, shift=-3.0)
        radius = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
        p, Bp, _ = steihaug(products(B), g, radius, torch.arange(3), 100)
        bend, length = torch.einsum("ti,tij,tj->t", g, B, g), g.norm(dim=1)
        tau = torch.where(bend > 0, (length**3 / (radius * bend)).clamp(max=1), 1)
        cauchy = -(tau * radius / length)[:, None] * g
        model = (g * p).sum(1) + 0.5 * (p * Bp).sum(1)
        least = (g * cauchy).sum(1) + 0.5 * torch.einsum("ti,tij,tj->t", cauchy, B, cauchy)
        assert (model <= least + 1e-12 * least.abs()).all()
        assert (p.norm(dim=1) <= radius * (1 + 1e-12)).all()


def test_the_crossings_are_where_the_line_meets_the_sphere() -> None:
    z, d = torch.tensor([[0.3, 0.4], [0.0, 0.0]]).double(), torch.tensor([[1.0, -2.0], [0.0, 3.0]]).double()
    back, ahead = crossings(z, d, torch.tensor([1.0, 6.0]).double())
    for t in (back, ahead):
        torch.testing.assert_close((z + t * d).norm(dim=1), torch.tensor([1.0, 6.0]).double(), rtol=1e-14, atol=0)
    assert (back < 0).all()
    assert (ahead > 0).all()


def test_products_are_made_for_the_trials_that_still_iterate() -> None:
    asked: list[int] = []
    B, g = torch.diag(torch.tensor([1.0, 2.0, 30.0])).double().repeat(3, 1, 1), torch.ones(3, 3).double()
    B[0] = torch.eye(3)

    def product(v: Tensor, rows: Tensor) -> Tensor:
        asked.append(len(set(rows.tolist())))
        return torch.einsum("tij,tj->ti", B[rows], v)

    steihaug(product, 1e-3 * g, torch.full((3,), 10.0).double(), torch.arange(3), 100)
    assert asked[0] == 3
    assert asked[-1] == 2


def test_the_radius_follows_the_rule() -> None:
    """A quadratic is its own model: every ϱ is 1, so the radius doubles while steps end on the edge, and then stays."""
    problem, rule = Quadratic(condition=10.0), TrustRegion(radius=column(0.25, 0.5), max_radius=1.5)
    x = 1 + 5 * torch.ones(2, problem.n, dtype=torch.float64)
    oracle, state, radii = BatchOracle(problem, FixedStream(), 2), rule.init(x, problem.layout), []
    for _ in range(4):
        x, state = rule.step(x, state, oracle, 1.0)
        radii.append(state.radius.tolist())
    assert radii == [[0.5, 1.0], [1.0, 1.5], [1.5, 1.5], [1.5, 1.5]]


def test_a_step_that_raises_the_loss_is_not_made_and_quarters_the_radius() -> None:
    problem, rule = Rosenbrock(), TrustRegion(radius=100.0)
    x = torch.tensor([[-1.2, 1.0], [1.0, 1.0]], dtype=torch.float64)
    state, oracle = rule.init(x, problem.layout), BatchOracle(problem, FixedStream(), 2)
    after, state = rule.step(x, state, oracle, 50.0)
    assert torch.equal(after, x)
    assert state.radius.tolist() == [25.0, 100.0]


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_it_solves_networks_and_logistic_regression(matrix: str) -> None:
    problem = build("problem", "logistic_regression", {"dtype": torch.float64})
    end = Loop(problem, TrustRegion(matrix=matrix), [0, 1]).run(15)[-1]
    assert (problem.objective(end, 0) - problem.minimum()).max() < 1e-10
    run = Loop(TinyNet(), TrustRegion(matrix=matrix), [0, 1])
    losses = [TinyNet().loss(run.run(1)[0], TinyNet().stream([0, 1]).at(99)) for _ in range(40)]
    assert (losses[-1] < 0.3 * losses[0]).all()


def test_a_first_ball_larger_than_the_largest_is_refused() -> None:
    line = r"^TrustRegion: radius must not lie above max_radius, got"
    with pytest.raises(ValueError, match=line + r" 2 and 1$"):
        TrustRegion(radius=2.0, max_radius=1.0)
    with pytest.raises(ValueError, match=line + r" 5 and 4 in trial 2$"):
        TrustRegion(radius=5.0, max_radius=column(5.0, 6.0, 4.0))
