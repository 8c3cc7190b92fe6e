"""K-FAC against exact Fisher matrices, factors by hooks of plain torch, the minimum of least squares, and SGD."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from contracts import Loop
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor, nn

from optbench.interfaces import Batch, Problem, Stream
from optbench.kronecker import _patches, _pulled, kronecker_factors
from optbench.modifiers.sam import SAM
from optbench.optimizers.kfac import KFAC
from optbench.optimizers.momentum import Momentum
from optbench.oracle import BatchOracle
from optbench.registry import build

DOUBLE = {"dtype": torch.float64}
PLAIN: dict[str, Any] = {"momentum": 0.0, "kl_clip": 0.0}


class Same(Stream):
    """One batch at every step."""

    def __init__(self, batch: Batch):
        self.batch = batch

    def at(self, step: int, rows: Tensor | None = None) -> Batch:
        return self.batch


def oracle_of(problem: Problem, trials: int = 2) -> tuple[BatchOracle, Tensor]:
    seeds = list(range(trials))
    return BatchOracle(problem, problem.stream(seeds), trials), problem.start(seeds)


def by_hooks(problem: Any, params: Tensor, x: Tensor, u: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """A and G of one trial from a bare torch module, sample by sample and place by place, for uᵀz pulled back."""
    module = problem.module().to(torch.float64)
    module.load_state_dict({name: v[0] for name, v in problem.layout.split(params[None]).items()})
    inputs: dict[str, Tensor] = {}
    slopes: dict[str, Tensor] = {}
    layers = {name: m for name, m in module.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))}
    for name, layer in layers.items():
        layer.register_forward_hook(lambda m, a, out, name=name: inputs.update({name: a[0].detach()}))
        layer.register_full_backward_hook(lambda m, gi, go, name=name: slopes.update({name: go[0]}))
    (module(x.clone().requires_grad_()) * u).sum().backward()
    found = {}
    for name, layer in layers.items():
        a, g = inputs[name], slopes[name]
        if isinstance(layer, nn.Conv2d):
            wide, (k, _) = nn.functional.pad(a, (1, 1, 1, 1)), layer.kernel_size
            places = [(i, j) for i in range(g.shape[2]) for j in range(g.shape[3])]
            a = torch.stack([wide[:, :, i : i + k, j : j + k].flatten(1) for i, j in places], dim=1)
            g = torch.stack([g[:, :, i, j] for i, j in places], dim=1)
        else:
            a, g = a[:, None], g[:, None]
        a = torch.cat([a, torch.ones_like(a[..., :1])], dim=-1) if layer.bias is not None else a
        A = sum(torch.outer(place, place) for sample in a for place in sample) / len(a)
        G = sum(torch.outer(place, place) for sample in g for place in sample) / g.shape[1]
        found[f"{name}.weight"] = A, G
    return found


def test_for_one_linear_layer_one_output_and_one_sample_it_is_the_exact_fisher_matrix() -> None:
    oracle, params = oracle_of(build("problem", "linear_regression", {"batch_size": 1, **DOUBLE}))
    (factors,) = oracle.kronecker(params).values()
    _, _, product = oracle.gauss_newton(params)
    exact = torch.stack([product(e.expand_as(params)) for e in torch.eye(params.shape[1], dtype=torch.float64)], dim=1)
    found = torch.stack([torch.kron(G, A) for A, G in zip(factors.A, factors.G, strict=True)])
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["deep_linear", "cnn"])
def test_the_factors_are_those_that_hooks_of_a_plain_torch_loop_see(name: str) -> None:
    settings = {"deep_linear": {"hidden": [4, 3]}, "cnn": {}}[name]
    problem = build("problem", name, {"batch_size": 5, **settings, **DOUBLE})
    oracle, params = oracle_of(problem)
    found, batch = oracle.kronecker(params), oracle.stream.at(0)
    outputs, loss = problem.decomposed(params, batch)
    u = _pulled(loss, outputs, 0, step=0)
    for trial in range(2):
        expected = by_hooks(problem, params[trial], batch.x[trial], u[trial])
        assert found.keys() == expected.keys()
        for layer, (A, G) in expected.items():
            torch.testing.assert_close(found[layer].A[trial], A, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(found[layer].G[trial], G, rtol=1e-9, atol=1e-12)


def test_what_is_pulled_back_has_the_covariance_of_labels_drawn_from_the_model() -> None:
    """Of a softmax: (diag(p) − p pᵀ) / samples, within five standard errors of the mean over many steps."""
    problem = build("problem", "mlp", {"hidden": [], "batch_size": 2, **DOUBLE})
    oracle, params = oracle_of(problem)
    outputs, loss = problem.decomposed(3 * params, oracle.stream.at(0))
    p = outputs[0].softmax(dim=-1)
    expected = (torch.diag_embed(p) - p[..., None] * p[..., None, :]) / 2
    drawn = torch.stack([_pulled(loss, outputs, 0, step) for step in range(1000)])
    products = drawn[..., None] * drawn[..., None, :]
    error = 5 * products.std(dim=0) / 1000**0.5 + 1e-7
    assert ((products.mean(dim=0) - expected).abs() < error).all()
    assert not torch.equal(drawn[0], drawn[1])


def test_outputs_that_a_loss_bends_alone_or_not_at_all_need_no_full_matrix() -> None:
    """Of Σ c z² it is ±√(2c), of a linear loss nothing, of a function of another output nothing."""
    z = torch.randn(2, 3, 4, dtype=torch.float64)
    c = torch.arange(1.0, 5.0, dtype=torch.float64)
    drawn = _pulled(lambda out: (c * out[0] ** 2).sum(dim=(1, 2)), (z, z), 0, 0)
    torch.testing.assert_close(drawn.abs(), (2 * c).sqrt().expand_as(z), rtol=1e-14, atol=0)
    assert not (drawn > 0).all()
    assert not _pulled(lambda out: (c * out[0]).sum(dim=(1, 2)), (z, z), 0, 0).any()
    assert not _pulled(lambda out: (c * out[0] ** 2).sum(dim=(1, 2)), (z, z), 1, 0).any()


def test_a_certain_softmax_has_a_root_in_float32_too() -> None:
    problem = build("problem", "mlp", {"hidden": []})
    oracle, params = oracle_of(problem)
    for scale in (10.0, 100.0, 1e4):
        assert all(f.G.isfinite().all() for f in oracle.kronecker(scale * params).values())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 4, (3, 2), stride=2, bias=False),
        nn.Conv2d(3, 4, 3, dilation=2, padding="same"),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv1d(3, 4, 3, stride=2, padding=1),
    ],
    ids=str,
)
def test_a_convolution_is_a_product_with_what_each_place_sees(layer: nn.Conv1d | nn.Conv2d) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, *[8] * (layer.weight.ndim - 2))
    out = _patches(layer, x) @ layer.weight.flatten(1).T
    out = out if layer.bias is None else out + layer.bias
    expected = layer(x.flatten(0, 1)).unflatten(0, (2, 5)).flatten(3).transpose(2, 3)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


def test_one_undamped_step_solves_least_squares() -> None:
    """There A ⊗ G is the whole Gauss-Newton matrix, and the step is Newton's."""
    problem = build("problem", "linear_regression", {"batch_size": None, **DOUBLE})
    run = Loop(problem, KFAC(lr=1.0, damping=1e-14, **PLAIN), [0, 1])
    after = run.run(1)[-1]
    minimum = problem.minimum()
    assert minimum is not None
    assert (problem.objective(after, 0) - minimum).abs().max() < 1e-10
    assert (problem.objective(problem.start([0, 1]), 0) - minimum).min() > 0.1


def test_the_step_of_a_layer_is_what_its_damped_factors_say() -> None:
    problem = build("problem", "mlp", {"hidden": [3], "batch_size": 8, **DOUBLE})
    rule = KFAC(lr=0.5, damping=0.04, **PLAIN)
    oracle, params = oracle_of(problem)
    after, _ = rule.step(params, rule.init(params, oracle.layout), oracle, 1.0)
    _, grad = oracle(params)
    factors, D = oracle.kronecker(params)["3.weight"], problem.layout.split(grad)
    moved = problem.layout.split(after - params)
    for trial in range(2):
        A, G = factors.A[trial], factors.G[trial]
        pi = ((A.trace() / 4) / (G.trace() / 10)) ** 0.5
        left, right = G + 0.2 / pi * torch.eye(10).double(), A + 0.2 * pi * torch.eye(4).double()
        joined = torch.cat([D["3.weight"][trial], D["3.bias"][trial][:, None]], dim=1)
        # (left ⊗ right)⁻¹ vec(D), solved whole
        whole = torch.linalg.solve(torch.kron(left, right), joined.flatten()).view(10, 4)
        torch.testing.assert_close(moved["3.weight"][trial], -0.5 * whole[:, :3], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(moved["3.bias"][trial], -0.5 * whole[:, 3], rtol=1e-8, atol=1e-10)


def test_the_factors_are_running_means_that_begin_as_plain_ones() -> None:
    """ϱ = min(1 − 1/t, decay): ½ at the second step, and decay once 1 − 1/t is larger."""
    problem = build("problem", "mlp", {"hidden": [3], "batch_size": 8, **DOUBLE})
    run, seen = Loop(problem, KFAC(decay=0.6), [0, 1]), []
    for step in range(3):
        seen.append(kronecker_factors(problem, run.params, run.oracle.stream.at(step), step)["1.weight"].A)
        run.run(1)
    expected = 0.6 * (seen[0] + seen[1]) / 2 + 0.4 * seen[2]
    torch.testing.assert_close(run.state.factors["1.weight"].A, expected, rtol=1e-10, atol=1e-12)


def test_inverses_are_computed_as_often_as_asked() -> None:
    problem = build("problem", "mlp", {"hidden": [3], "batch_size": 8, **DOUBLE})
    run, seen = Loop(problem, KFAC(inverse_frequency=3), [0, 1]), []
    for _ in range(6):
        run.run(1)
        seen.append(run.state.A_inv["1.weight"])
    same = [torch.equal(a, b) for a, b in itertools.pairwise(seen)]
    assert same == [True, False, True, True, False]


def test_a_step_is_bounded_by_the_divergence_it_makes() -> None:
    problem = build("problem", "mlp", {"hidden": [3], "batch_size": 8, **DOUBLE})
    oracle, params = oracle_of(problem)
    _, grad = oracle(params)
    free, bounded = [
        rule.step(params, rule.init(params, oracle.layout), oracle, 1.0)[0] - params
        for rule in (KFAC(lr=1.0, momentum=0.0, kl_clip=0.0), KFAC(lr=1.0, momentum=0.0, kl_clip=1e-4))
    ]
    size = -(free * grad).sum(dim=1, keepdim=True)  # Uᵀ F U, as U = F⁻¹ D
    assert (size > 1e-4).all()
    torch.testing.assert_close(bounded, free * (1e-4 / size).sqrt(), rtol=1e-9, atol=1e-12)


def test_what_is_no_such_layer_takes_a_plain_step_with_momentum() -> None:
    problem = build("problem", "mlp", {"hidden": [3], "batch_size": 8, "normalisation": "layer", **DOUBLE})
    run = Loop(problem, KFAC(lr=0.1, momentum=0.5), [0, 1])
    oracle, params = run.oracle, run.params
    first, after = oracle(params)[1], run.run(1)[-1]
    second = problem.loss_and_grad(after, oracle.stream.at(1))[1]
    last = run.run(1)[-1]
    norms = [n for n, role in zip(problem.layout.names, problem.layout.roles, strict=True) if role == "norm"]
    assert norms
    start, one, two, g, h = (problem.layout.split(v) for v in (params, after, last, first, second))
    for n in norms:
        torch.testing.assert_close(one[n], start[n] - 0.1 * g[n], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(two[n], one[n] - 0.1 * (0.5 * g[n] + h[n]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["transformer", "rnn", "resnet", "multi_task", "autoencoder"])
def test_it_lowers_the_loss_of_networks_of_every_kind(name: str) -> None:
    problem = build("problem", name)
    run = Loop(problem, KFAC(lr=0.03), [0, 1])
    batch = run.oracle.stream.at(0)
    before = problem.loss(run.params, batch).detach()
    run.oracle.stream = Same(batch)
    run.run(5)
    assert (problem.loss(run.params, batch) < before).all()


def test_on_digits_it_is_ahead_of_sgd_at_its_best_rate_after_as_many_evaluations() -> None:
    problem = build("problem", "mlp")
    ours = problem.objective(Loop(problem, KFAC(), [0, 1, 2]).run(40)[-1], 0)
    theirs = [problem.objective(Loop(problem, Momentum(lr=lr), [0, 1, 2]).run(80)[-1], 0) for lr in (0.03, 0.1, 0.3)]
    assert ours.mean() < 0.7 * min(loss.mean() for loss in theirs)


def test_a_step_counts_two_evaluations() -> None:
    run = Loop(build("problem", "mlp"), KFAC(), [0, 1])
    run.run(3)
    assert run.oracle.evaluations() == 6


def test_problems_without_such_layers_are_refused() -> None:
    oracle, params = oracle_of(Rosenbrock())
    with pytest.raises(ValueError, match="K-FAC needs a network with linear or convolution layers"):
        KFAC().check(params, oracle)
    with pytest.raises(ValueError, match="K-FAC needs a network with linear or convolution layers"):
        Loop(Rosenbrock(), KFAC(), [0]).run(1)


def test_gradients_from_elsewhere_are_refused() -> None:
    oracle, params = oracle_of(build("problem", "mlp"))
    wrapped, _ = SAM().wrap(oracle, (), 0)
    with pytest.raises(ValueError, match="sam tells gradients from uphill"):
        KFAC().check(params, wrapped)
