"""Each instrument against the same number worked out in another way."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from contracts import ROOT
from torch import nn

from optbench.describe import describe
from optbench.instruments import INSTRUMENTS, Instrument, View
from optbench.instruments.curvature import fixed_batch, hessian_product, lanczos
from optbench.registry import build

# torch's own forward differentiation, of which torch.func.hessian makes use
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


def alone(problem, row):
    """The network of one trial as a plain torch module."""
    net = copy.deepcopy(problem.network.template).to(torch.float64)
    nn.utils.vector_to_parameters(row, net.parameters())
    return net


def hessian(problem, row):
    """The exact Hessian of the mean cross-entropy on the whole training part, by torch.func on the plain module."""
    net = alone(problem, row)
    names, shapes = zip(*((n, p.shape) for n, p in net.named_parameters()), strict=True)

    def loss(flat):
        parts = flat.split([s.numel() for s in shapes])
        own = {n: part.view(s) for n, part, s in zip(names, parts, shapes, strict=True)}
        out = torch.func.functional_call(net, own, (problem.train.x,))
        return nn.functional.cross_entropy(out, problem.train.y)

    return torch.func.hessian(loss)(row)


@pytest.mark.parametrize("name", [name for name, cls in INSTRUMENTS.items() if issubclass(cls, Instrument)])
def test_the_columns_are_those_that_the_instrument_names(name, make, step, measure):
    view = step(make())
    found = measure(name, view)
    assert {column.partition(".")[0] for column in found} == set(INSTRUMENTS[name].columns)
    assert all(value.shape == (3,) and not value.requires_grad for value in found.values())


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_every_instrument_says_what_it_is_and_where_it_comes_from(name):
    told = describe(INSTRUMENTS[name])
    assert told["summary"].endswith(".")
    assert told["source"]
    assert told["formula"]


def test_norms_are_those_of_the_plain_tensors(network, step, measure):
    view = step(network)
    for name, rows in (("gradient_norm", view.grad), ("weight_norm", view.params)):
        found = measure(name, view)
        for k, row in enumerate(rows):
            assert found[name][k].item() == pytest.approx(sum(v * v for v in row.tolist()) ** 0.5, rel=1e-12)
            net = alone(network, row)
            for layer, tensor in net.named_parameters():
                assert found[f"{name}.{layer}"][k].item() == pytest.approx(tensor.norm().item(), rel=1e-12)


def test_the_update_ratio_is_the_length_of_the_step_over_that_of_the_weights(network, step, measure):
    view = step(network, length=0.5)
    found = measure("update_ratio", view)
    for k in range(3):
        before, after = alone(network, view.params[k]), alone(network, view.after[k])
        pairs = zip(before.named_parameters(), after.parameters(), strict=True)
        for (layer, old), new in pairs:
            ratio = ((new - old).norm() / old.norm()).item()
            assert found[f"update_ratio.{layer}"][k].item() == pytest.approx(ratio, rel=1e-12)
        whole = float((view.after[k] - view.params[k]).norm() / view.params[k].norm())
        assert found["update_ratio"][k].item() == pytest.approx(whole, rel=1e-12)


def test_nothing_is_told_of_a_step_from_weights_that_are_zero_or_behind_the_last_step(network, step, measure):
    view = step(network)
    zero = View(network, view.seeds, torch.zeros_like(view.params), view.grad, view.after, view.batch)
    assert measure("update_ratio", zero)["update_ratio"].isnan().all()
    assert measure("update_ratio", View(network, view.seeds, view.params, view.grad, None, view.batch)) == {}


@pytest.mark.parametrize("moment", [0, 1])
def test_the_largest_eigenvalue_is_that_of_the_exact_hessian(network, step, measure, moment):
    view = step(network, length=0.0)
    params = view.params + 0.7 * moment * torch.randn(
        view.params.shape, dtype=torch.float64, generator=torch.manual_seed(1)
    )
    found = measure("hessian_eigenvalue", View(network, view.seeds, params, view.grad, None, view.batch))
    exact = [float(torch.linalg.eigvalsh(hessian(network, row))[-1]) for row in params]
    assert found["hessian_eigenvalue"].tolist() == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize(
    "width", [32, 64]
)  # attention by our own kernel, where there are several trials, and by torch's
def test_hessian_products_of_a_transformer_are_differences_of_gradients(trials, width):
    settings = {"width": width, "heads": 64 // width, "activation": "tanh", "depth": 1, "dtype": torch.float64}
    problem = build("problem", "transformer", settings)
    params = problem.start(range(trials))
    batch = fixed_batch(problem, trials)
    towards = torch.randn_like(params) / problem.layout.n**0.5
    after, before = (problem.loss_and_grad(params + h * towards, batch)[1] for h in (1e-5, -1e-5))
    torch.testing.assert_close(
        hessian_product(problem, params, batch)(towards), (after - before) / 2e-5, rtol=1e-5, atol=1e-8
    )


def test_the_trace_lies_within_its_error_of_the_exact_one(network, step, measure):
    view = step(network, seeds=tuple(range(12)))
    found = measure("hessian_trace", view)
    exact = torch.stack([hessian(network, row).trace() for row in view.params])
    away = (found["hessian_trace"] - exact) / found["hessian_trace_error"]
    assert away.abs().max() < 4.5  # Student's t with 9 degrees of freedom: one of 12 is further off in 2 of 100 cases
    assert away.abs().median() < 1.5
    assert away.abs().max() > 0.05  # an estimate, not the exact number with an error made up


def test_the_spectrum_of_the_quadratic_is_found(step, measure):
    problem = build("problem", "quadratic", {"n": 10})
    params = problem.start([0, 1])
    exact = torch.func.hessian(lambda x: problem.loss(x[None], None)[0])(params[0])
    view = step(problem, seeds=(0, 1))
    found = measure("hessian_eigenvalue", view) | measure("hessian_trace", view)
    assert found["hessian_eigenvalue"].tolist() == pytest.approx(
        [float(torch.linalg.eigvalsh(exact)[-1])] * 2, rel=1e-9
    )
    diagonal = bool((exact - exact.diag().diag()).abs().max() < 1e-12)
    assert (
        found["hessian_trace_error"].max() < 1e-9
    ) == diagonal  # signs square to one: no error without other entries
    assert found["hessian_trace"][0].item() == pytest.approx(
        float(exact.trace()), abs=1e-6 + 5 * found["hessian_trace_error"][0].item()
    )


@pytest.mark.parametrize("values", [[-3.0, -1.0, -2.0, -1.0], [-5.0] * 4, [0.0] * 4, [4.0, 4.0, 4.0, -9.0]])
def test_lanczos_finds_the_largest_value_where_the_space_is_exhausted_sooner(values):
    diagonal = torch.tensor([values, values], dtype=torch.float64)
    start = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.3, 1.0, 1.0, -2.0]], dtype=torch.float64)
    assert lanczos(lambda v: diagonal * v, start, 4)[:, -1].tolist() == pytest.approx([max(values)] * 2, abs=1e-9)


def test_a_linear_objective_has_no_curvature_and_a_trial_that_is_not_finite_no_value(network, step, measure):
    view = step(network)
    broken = view.params.clone()
    broken[1] = float("nan")
    found = measure("hessian_eigenvalue", View(network, view.seeds, broken, view.grad, None, view.batch))
    assert found["hessian_eigenvalue"].isnan().tolist() == [False, True, False]

    class Linear:
        """f(w) = Σ wᵢ."""

        layout, kind, loss_chunk, device = network.layout, network.kind, None, "cpu"

        def loss(self, params, batch):
            return params.sum(dim=1)

    flat = View(Linear(), view.seeds, view.params, view.grad, None, None)  # type: ignore[arg-type]
    assert measure_of("hessian_eigenvalue", flat).tolist() == [0, 0, 0]
    assert measure_of("hessian_trace", flat).tolist() == [0, 0, 0]


def measure_of(name, view):
    return INSTRUMENTS[name]().measure(view)[name]  # type: ignore[union-attr]


@pytest.mark.parametrize("batch_size", [8, 2, None])
def test_gradient_noise_is_that_of_a_loop_over_single_samples(make, step, measure, batch_size):
    problem = make(batch_size=batch_size)
    view = step(problem)
    found = measure("gradient_noise", view)
    for k, row in enumerate(view.params):
        grads = []
        for x, y in zip(view.batch.x[k], view.batch.y[k], strict=True):
            net = alone(problem, row)
            nn.functional.cross_entropy(net(x[None]), y[None]).backward()
            grads.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
        grads = torch.stack(grads)
        variance = float(grads.var(dim=0).sum())
        signal = float((grads.mean(dim=0) ** 2).sum()) - variance / len(grads)
        assert grads.mean(dim=0).tolist() == pytest.approx(view.grad[k].tolist(), abs=1e-12)
        assert found["gradient_variance"][k].item() == pytest.approx(variance, rel=1e-9)
        scale = found["noise_scale"][k].item()
        assert scale == pytest.approx(variance / signal, rel=1e-6) if signal > 0 else scale != scale


def test_gradient_noise_does_not_depend_on_how_many_samples_are_held_at_once(network, step, measure, monkeypatch):
    view = step(network)
    whole = measure("gradient_noise", view)
    monkeypatch.setattr("optbench.instruments.noise.BYTES", 8 * network.layout.n * 3)
    parts = measure("gradient_noise", view)
    assert parts["gradient_variance"].tolist() == pytest.approx(whole["gradient_variance"].tolist(), rel=1e-12)


def test_samples_have_dropout_masks_of_their_own(make, step, measure):
    problem = make(hidden_dropout=0.5)
    view = step(problem)
    same = view.batch._replace(
        **{k: getattr(view.batch, k)[:, :1].expand_as(getattr(view.batch, k)) for k in "xy"}
    )  # one sample, eight times
    found = measure("gradient_noise", View(problem, view.seeds, view.params, view.grad, None, same))
    assert (found["gradient_variance"] > 1e-6).all()
    plain = make()
    still = View(plain, view.seeds, view.params, view.grad, None, same._replace(keys=None))
    assert measure("gradient_noise", still)["gradient_variance"].tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_dead_units_are_those_that_give_zero_for_every_sample(make, step, measure):
    problem = make(activation="relu")
    view = step(problem)
    parts = problem.layout.split(view.params)
    parts["1.weight"][0, :2], parts["1.bias"][0, :2] = 0.0, -1.0  # two of five units of the first trial
    parts["3.bias"][2] = -100.0  # the second layer of the third trial
    found = measure("dead_units", view)
    for k, row in enumerate(view.params):
        net, dead = alone(problem, row), []
        x = problem.train.x
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                dead.append([bool((x[:, u] <= 0).all()) for u in range(x.shape[1])])
        assert found["dead_units.2"][k].item() == pytest.approx(sum(dead[0]) / 5)
        assert found["dead_units.4"][k].item() == pytest.approx(sum(dead[1]) / 4)
        assert found["dead_units"][k].item() == pytest.approx((sum(dead[0]) + sum(dead[1])) / 9)
    assert found["dead_units.2"][0] >= 0.4
    assert found["dead_units.4"][2] == 1


def test_a_unit_of_a_convolution_is_a_channel(step, measure):
    problem = build("problem", "cnn", {"channels": 3, "activation": "relu", "batch_size": 4, "dtype": torch.float64})
    view = step(problem, seeds=(0, 1))
    name = problem.layout.names[1]
    assert name.endswith("bias")
    problem.layout.split(view.params)[name][0, 1] = -100.0  # one channel of the first trial
    found = measure("dead_units", view)
    for k, row in enumerate(view.params):
        x = problem.train.x[:256]
        for number, layer in enumerate(alone(problem, row)):
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                dead = [bool((x[:, u] <= 0).all()) for u in range(x.shape[1])]
                assert found[f"dead_units.{number}"][k].item() == pytest.approx(sum(dead) / len(dead))
    assert next(v for layer, v in found.items() if "." in layer)[0] >= 1 / 3


@pytest.mark.parametrize(("activation", "low", "high"), [("tanh", -1.0, 1.0), ("sigmoid", 0.0, 1.0)])
def test_saturation_and_activations_are_those_of_the_plain_module(make, step, measure, activation, low, high):
    problem = make(activation=activation)
    view = step(problem)
    view.params.mul_(6.0)
    found = measure("saturation", view) | measure("activations", view)
    for k, row in enumerate(view.params):
        x, count, total = problem.train.x, 0, 0
        for number, layer in enumerate(alone(problem, row)):
            x = layer(x).detach()
            if not isinstance(layer, (nn.Tanh, nn.Sigmoid)):
                continue
            near = [min(h - low, high - h) < 0.01 * (high - low) for h in x.flatten().tolist()]
            count, total = count + sum(near), total + len(near)
            assert found[f"saturation.{number}"][k].item() == pytest.approx(sum(near) / len(near))
            assert found[f"activation_mean.{number}"][k].item() == pytest.approx(float(x.mean()))
            assert found[f"activation_deviation.{number}"][k].item() == pytest.approx(float(x.std(correction=0)))
        assert found["saturation"][k].item() == pytest.approx(count / total)
        assert 0 < count < total


def test_the_generalisation_gap_is_validation_less_training_loss(network, step, measure):
    view = step(network)
    found = measure("generalisation_gap", view)["generalisation_gap"]
    for k, row in enumerate(view.params):
        net = alone(network, row)
        losses = [
            nn.functional.cross_entropy(net(part.x), part.y).item()
            for part in (network.splits.validation, network.train)
        ]
        assert found[k].item() == pytest.approx(losses[0] - losses[1], abs=1e-12)


def test_activation_bytes_count_what_the_layers_keep(network, step, measure):
    # of each of 8 samples: both tanh outputs (5 + 4) and the log-probabilities (3), 8 bytes each, at least
    found = measure("activation_bytes", step(network))["activation_bytes"]
    assert found.tolist() == [network.activation_bytes] * 3
    assert 8 * 8 * (5 + 4 + 3) <= found[0] <= 4 * 8 * 8 * (5 + 4 + 3)


def test_the_documentation_names_every_instrument_with_its_columns():
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| (.*?) \|", (ROOT / "docs" / "instruments.md").read_text(), re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)", columns)) for name, columns in rows}
    assert list(told) == [*INSTRUMENTS]
    for name, cls in INSTRUMENTS.items():
        assert told[name] == (set(cls.columns) or {"slices"})
