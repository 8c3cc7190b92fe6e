"""Products with Hessian and Gauss–Newton matrices against matrices found in other ways."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet, column
from torch import Tensor

from optbench.errors import UsageError
from optbench.interfaces import FixedStream, Layout, Oracle, UpdateModifier
from optbench.modifiers import MODIFIERS
from optbench.oracle import BatchOracle
from optbench.plan import plan
from optbench.registry import build

# torch's own forward differentiation, of which torch.func.hessian makes use
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

SEEDS = [4, 0, 9, 2, 7]
SMOOTH = {"dtype": torch.float64, "activation": "tanh"}
NETWORKS = {
    "mlp": {**SMOOTH, "hidden": (5,), "batch_size": 16, "l2": 0.1},
    "cnn": {**SMOOTH, "batch_size": 4},
    "transformer": {**SMOOTH, "batch_size": 4},
    "rnn": {"dtype": torch.float64, "batch_size": 4},
    "resnet": {**SMOOTH, "batch_size": 4},
    "vae": {**SMOOTH, "batch_size": 4},
    "multi_task": {**SMOOTH, "batch_size": 4},
    "logistic_regression": {"dtype": torch.float64},
    "linear_regression": {"dtype": torch.float64, "l2": 0.3},
    "quadratic": {"noise": 0.1},
    "rosenbrock": {"n": 4},
    "beale": {},
}


def asked(problem: Any, seeds: list[int] = SEEDS) -> tuple[BatchOracle, Tensor]:
    """An oracle of trials with these seeds, and where they start."""
    return BatchOracle(problem, problem.stream(seeds), len(seeds)), problem.start(seeds)


def whole(product: Any, x: Tensor) -> Tensor:
    """The matrices [trials, n, n] of a product."""
    return torch.stack([product(unit.expand_as(x)) for unit in torch.eye(x.shape[1], dtype=x.dtype)], dim=2)


def vectors(x: Tensor, seed: int = 0) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("problem", [TinyNet(), build("problem", "rosenbrock", {"n": 4}), build("problem", "beale")])
def test_hessian_products_are_those_of_torchs_hessian(problem: Any) -> None:
    oracle, x = asked(problem)
    batch = problem.stream(SEEDS).at(0)
    loss, grad, product = oracle.hessian(x)
    assert all(torch.equal(a, b) for a, b in zip((loss, grad), problem.loss_and_grad(x, batch), strict=True))
    found = whole(product, x)
    for k, row in enumerate(x):
        own = None if batch is None else batch[[k]]
        expected = torch.func.hessian(lambda p, own=own: problem.loss(p[None], own)[0])(row)
        torch.testing.assert_close(found[k], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "settings"), NETWORKS.items(), ids=NETWORKS)
def test_hessian_products_are_differences_of_gradients(name: str, settings: dict[str, Any]) -> None:
    problem = build("problem", name, settings)
    oracle, x = asked(problem, [0, 1])
    v, batch, h = vectors(x) / x.shape[1] ** 0.5, problem.stream([0, 1]).at(0), 1e-5
    found = oracle.hessian(x)[2](v)
    ahead, behind = (problem.loss_and_grad(x + side * h * v, batch)[1] for side in (1, -1))
    difference = (ahead - behind) / (2 * h)
    assert ((found - difference).norm(dim=1) <= 1e-6 * difference.norm(dim=1)).all()


@pytest.mark.parametrize(("name", "settings"), NETWORKS.items(), ids=NETWORKS)
def test_gauss_newton_forms_are_those_of_the_outputs_moved_along(name: str, settings: dict[str, Any]) -> None:
    """vᵀG v = (J v)ᵀ ∇²L (J v): the second difference of L along the outputs' difference along v."""
    problem = build("problem", name, settings)
    oracle, x = asked(problem, [0, 1])
    v, batch, h = vectors(x, 1) / x.shape[1] ** 0.5, problem.stream([0, 1]).at(0), 1e-5
    form = (v * oracle.gauss_newton(x)[2](v)).sum(dim=1)
    with torch.no_grad():
        z, loss = problem.decomposed(x, batch)
        ahead, behind = (problem.decomposed(x + side * h * v, batch)[0] for side in (1, -1))
        along = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
        step = 1e-3
        values = [loss(tuple(o + side * step * d for o, d in zip(z, along, strict=True))) for side in (1, 0, -1)]
        torch.testing.assert_close(values[1], problem.loss(x, batch), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(form, (values[0] - 2 * values[1] + values[2]) / step**2, rtol=1e-5, atol=1e-8)


def test_gauss_newton_of_squares_is_twice_the_jacobians_square() -> None:
    problem = TinyNet()
    oracle, x = asked(problem)
    batch = problem.stream(SEEDS).at(0)
    found = whole(oracle.gauss_newton(x)[2], x)
    for k, row in enumerate(x):
        J = torch.func.jacrev(lambda p, k=k: problem.decomposed(p[None], batch[[k]])[0][0][0])(row)
        torch.testing.assert_close(found[k], 2 / 8 * J.T @ J, rtol=1e-12, atol=1e-13)


def test_gauss_newton_of_a_linear_model_is_the_hessian() -> None:
    for name in ("logistic_regression", "linear_regression", "quadratic"):
        problem = build("problem", name, NETWORKS[name])
        oracle, x = asked(problem, [0, 1])
        hessian, gauss_newton = (whole(oracle.curved(matrix, x)[2], x) for matrix in ("hessian", "gauss_newton"))
        torch.testing.assert_close(gauss_newton, hessian, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("name", ["mlp", "transformer"])
def test_bits_of_a_product_do_not_depend_on_the_company(name: str, matrix: Any) -> None:
    problem = build("problem", name, NETWORKS[name])
    oracle, x = asked(problem)
    v = vectors(x)
    product = oracle.curved(matrix, x)[2]
    everyone = product(v)
    for rows in ([0, 1, 2, 3], [1, 3], [2], [4, 2, 0], [2]):
        some = torch.tensor(rows)
        assert torch.equal(product(v[some], some), everyone[some])
        assert torch.equal(oracle.curved(matrix, x[some], some)[2](v[some]), everyone[some])
    of_three = oracle.curved(matrix, x[[4, 1, 2]], torch.tensor([4, 1, 2]))[2]
    assert torch.equal(of_three(v[[2, 4]], torch.tensor([2, 0])), everyone[[2, 4]])
    broken = x.clone()
    broken[1] = torch.nan
    beside = oracle.curved(matrix, broken)[2](v)
    assert torch.equal(beside[[0, 2, 3, 4]], everyone[[0, 2, 3, 4]])
    oracle.keep(torch.tensor([4, 2]))
    assert torch.equal(oracle.curved(matrix, x[[4, 2]])[2](v[[4, 2]]), everyone[[4, 2]])


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "rnn", "resnet"])
def test_one_trial_alone_has_the_product_that_it_has_among_others(name: str, matrix: Any) -> None:
    """Layers of one trial are torch's own, with attention among them that cannot be differentiated twice in its fused form."""
    problem = build("problem", name, NETWORKS[name])
    (oracle, x), (single, row) = asked(problem), asked(problem, SEEDS[:1])
    everyone = oracle.curved(matrix, x)[2](vectors(x))
    alone = single.curved(matrix, row)[2](vectors(x)[:1])
    torch.testing.assert_close(alone, everyone[:1], rtol=1e-8, atol=1e-10)


def test_a_product_counts_two_evaluations_of_each_trial_that_it_is_made_for() -> None:
    oracle, x = asked(TinyNet())
    product = oracle.hessian(x)[2]
    assert oracle.evaluations() == 1
    product(x)
    product(x)
    assert oracle.evaluations() == 5
    product(x[[1, 3]], torch.tensor([1, 3]))
    product(x[[3]], torch.tensor([3]))
    assert oracle.evaluations().tolist() == [5, 7, 5, 9, 5]
    some = oracle.gauss_newton(x[[2, 0]], torch.tensor([2, 0]))[2]
    some(x[[0]], torch.tensor([1]))
    assert oracle.evaluations().tolist() == [8, 7, 6, 9, 5]


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "logistic_regression", "rosenbrock"])
def test_several_vectors_at_once_have_the_products_and_counts_that_they_have_one_by_one(name: str, matrix: Any) -> None:
    problem = build("problem", name, NETWORKS[name])
    penalty = MODIFIERS["l2"](strength=column(*(0.1 * k for k in range(len(SEEDS)))))
    found = []
    for together in (True, False):
        oracle, x = asked(problem)
        changed, _ = penalty.wrap(oracle, (), 0)
        _, _, product = changed.curved(matrix, x)
        v = torch.stack([vectors(x, seed) for seed in range(23)], dim=1)
        for rows in (None, torch.tensor([0, 2, 4]), torch.tensor([3, 3])):  # two of three of 64 // 5 vectors, and fewer
            own = v if rows is None else v[rows]
            made = product(own, rows) if together else torch.stack([product(u, rows) for u in own.unbind(1)], dim=1)
            found.append((made, oracle.evaluations()))
    for (made, count), (expected, counted) in zip(found[:3], found[3:], strict=True):
        assert torch.equal(made, expected)
        assert torch.equal(torch.as_tensor(count), torch.as_tensor(counted))


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_several_minibatches_give_the_mean_of_their_matrices_and_count_each(matrix: Any) -> None:
    oracle, x = asked(TinyNet())
    v, each = vectors(x), []
    for step in (6, 7, 8):
        oracle.move(step)
        each.append(oracle.curved(matrix, x)[2](v))
    before = oracle.evaluations()
    oracle.move(6, 3)
    torch.testing.assert_close(oracle.curved(matrix, x)[2](v), sum(each) / 3, rtol=1e-12, atol=1e-14)
    assert oracle.evaluations() - before == 3 + 6


def test_chunks_of_trials_are_no_part_of_a_product() -> None:
    class InChunks(TinyNet):
        loss_chunk = 2

    (oracle, x), (other, _) = asked(TinyNet()), asked(InChunks())
    assert torch.equal(oracle.hessian(x)[2](x), other.hessian(x)[2](x))


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_moving_statistics_have_no_curvature(matrix: Any) -> None:
    settings = {"hidden": (5,), "normalisation": "batch", "moving_statistics": True, "dtype": torch.float64}
    problem = build("problem", "mlp", settings)
    oracle, x = asked(problem)
    buffers = torch.tensor([r == "buffer" for r in problem.layout.roles]).repeat_interleave(
        torch.tensor(problem.layout.sizes)
    )
    product = oracle.curved(matrix, x)[2]
    assert buffers.any()
    assert (product(vectors(x))[:, buffers] == 0).all()
    assert (product(buffers * vectors(x)) == 0).all()


# ---------------------------------------------------------------- modifiers


def wrapped(name: str, oracle: Oracle, x: Tensor, **settings: Any) -> Oracle:
    modifier = MODIFIERS[name](**settings)
    return modifier.wrap(oracle, modifier.init(x, oracle.layout, SEEDS), 0)[0]


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_an_l2_penalty_adds_its_strength_to_the_curvature_of_each_trial(matrix: Any) -> None:
    oracle, x = asked(TinyNet())
    plain, v = oracle.curved(matrix, x)[2], vectors(x)
    strength, some = column(0.1, 0.2, 0.3, 0.4, 0.5), torch.tensor([3, 1])
    loss, grad, bent = wrapped("l2", oracle, x, strength=strength).curved(matrix, x)
    expected = oracle(x)
    torch.testing.assert_close(loss, expected[0] + 0.5 * strength[:, 0] * x.square().sum(dim=1))
    torch.testing.assert_close(grad, expected[1] + strength * x)
    torch.testing.assert_close(bent(v), plain(v) + strength * v, rtol=1e-14, atol=0)
    assert torch.equal(bent(v[some], some), bent(v)[some])
    of_some = wrapped("l2", oracle, x, strength=strength).curved(matrix, x[some], some)[2]
    assert torch.equal(of_some(v[some]), bent(v)[some])
    assert torch.equal(of_some(v[[1]], torch.tensor([1])), bent(v)[[1]])
    weights = wrapped("l2", oracle, x, strength=0.5, biases=False).curved(matrix, x)[2](v) - plain(v)
    seen = torch.tensor([r == "weight" for r in oracle.layout.roles]).repeat_interleave(
        torch.tensor(oracle.layout.sizes)
    )
    torch.testing.assert_close(weights, 0.5 * v * seen, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["clip_norm", "clip_value", "centralisation", "gradient_noise", "l1", "cautious"])
def test_what_changes_gradients_alone_leaves_curvature_as_it_is(name: str) -> None:
    oracle, x = asked(TinyNet())
    modifier = MODIFIERS[name]()
    budget = (10,) if isinstance(modifier, UpdateModifier) else ()
    changed, _ = modifier.wrap(oracle, modifier.init(x, oracle.layout, SEEDS, *budget), 0)
    loss, grad, product = changed.hessian(x)
    expected = changed(x)
    assert torch.equal(loss, expected[0])
    assert torch.equal(grad, expected[1])
    assert torch.equal(product(x), oracle.hessian(x)[2](x))


def test_weight_noise_asks_for_the_curvature_where_it_asks_for_the_gradient() -> None:
    oracle, x = asked(TinyNet())
    seen = []

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            seen.append(params)
            return super().__call__(params, rows)

    noisy = wrapped("weight_noise", Watching(TinyNet(), TinyNet().stream(SEEDS), 5), x, sigma=0.3)
    loss, _, product = noisy.hessian(x)
    assert torch.equal(loss, noisy(x)[0])
    assert torch.equal(product(x), oracle.hessian(seen[0])[2](x))
    assert not torch.equal(seen[0], x)


class Bare(Oracle):
    layout, fixed = Layout.point(2), True

    def __call__(self, params: Tensor, rows: Any = None) -> tuple[Tensor, Tensor]:
        return params.sum(dim=1), torch.ones_like(params)


def test_an_oracle_that_tells_no_curvature_says_so() -> None:
    with pytest.raises(ValueError, match="Bare tells loss and gradient alone"):
        Bare().hessian(torch.zeros(2, 2))


def test_a_linear_objective_has_no_curvature() -> None:
    class Slope(TinyNet):
        def loss(self, params: Tensor, batch: Any) -> Tensor:
            return params.sum(dim=1)

        def decomposed(self, params: Tensor, batch: Any) -> Any:
            return (params,), lambda outputs: outputs[0].sum(dim=1)

    oracle, x = asked(Slope())
    oracle.stream = FixedStream()
    for matrix in ("hessian", "gauss_newton"):
        assert (oracle.curved(matrix, x)[2](x) == 0).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["problem=mlp", "optimizer=newton"], r"newton on mlp: .* at most 2,000 of them, not 4,810; take hessian_free"),
        (["problem=rastrigin", "optimizer=gauss_newton"], "Rastrigin has no Gauss-Newton matrix"),
        (["problem=heteroscedastic_regression", "optimizer=hessian_free"], "no convex function of outputs"),
        (
            ["problem=rosenbrock", "optimizer=trust_region", "modifier=sam"],
            "trust_region on rosenbrock: it compares losses",
        ),
        (["problem=rosenbrock", "optimizer=newton", "modifier=cautious"], "ask it about the step, such as .* cautious"),
        (["problem=digits_2c2d", "optimizer=natural_gradient"], "at most 2,000"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_runs(words: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        plan(words)


def test_what_fits_together_is_planned() -> None:
    plan(["problem=rosenbrock", "optimizer=newton", "modifier=[l2,weight_noise,weight_decay,lookahead]"])
    plan(["problem=mlp", "optimizer=kfac", "modifier=[clip_norm,gradient_noise]"])
    plan(["problem=mlp", "optimizer=hessian_free", "modifier=label_smoothing"])
    plan(["problem=rosenbrock", "optimizer=gauss_newton", "modifier=interval"])
