import math

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from optbench.nn import Network
from optbench.nn.initialisers import INITIALISERS
from optbench.nn.layers import BATCHED, cross_entropy, under_vmap

CPU = torch.device("cpu")


class Skip(nn.Module):
    """Not a torch.nn.Sequential, so it goes through vmap."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 2, bias=False)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        return self.second(self.norm(x + torch.tanh(self.first(x))))


MODULES = {
    "linear": (nn.Sequential(nn.Linear(6, 3)), (6,)),
    "no bias": (nn.Sequential(nn.Linear(6, 3, bias=False)), (6,)),
    "mlp": (nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.GELU()), (2, 3)),
    "sequence": (nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Flatten(-2)), (4, 6)),
    "cnn": (nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()), (2, 4, 4)),
    "grouped": (nn.Sequential(nn.Conv2d(2, 4, 2, stride=2, groups=2, bias=False), nn.MaxPool2d(2)), (2, 4, 4)),
    "mixed": (nn.Sequential(nn.Linear(6, 8), nn.GroupNorm(2, 8), nn.LeakyReLU(), nn.Linear(8, 1)), (6,)),
    "nested": (nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.ReLU()), nn.Linear(4, 2)), (6,)),
    "skip": (Skip(), (6,)),
    "bare layer": (nn.Linear(6, 3), (6,)),
}
every_module = pytest.mark.parametrize("name", MODULES)


def loaded(module: nn.Module, row: torch.Tensor) -> nn.Module:
    nn.utils.vector_to_parameters(row, module.parameters())
    return module


@every_module
@pytest.mark.parametrize("trials", [1, 2, 5])
def test_outputs_and_gradients_equal_those_of_the_module_trial_by_trial(name, trials):
    template, shape = MODULES[name]
    network = Network(template.double())
    x = torch.randn(trials, 7, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    params = network.start(range(trials), "test", torch.float64, CPU).requires_grad_()
    out = network(params, x)
    (grad,) = torch.autograd.grad((out**2).sum(), params)
    for k in range(trials):
        module = loaded(template, params[k].detach())
        alone = module(x[k])
        torch.testing.assert_close(out[k], alone, rtol=1e-12, atol=1e-13)
        slopes = torch.autograd.grad((alone**2).sum(), list(module.parameters()))
        expected = torch.cat([slope.flatten() for slope in slopes])
        torch.testing.assert_close(grad[k], expected, rtol=1e-10, atol=1e-12)


@every_module
def test_the_layout_follows_the_modules_own_parameters(name):
    template, _ = MODULES[name]
    layout = Network(template).layout
    assert list(layout.names) == [n for n, _ in template.named_parameters()]
    assert list(layout.shapes) == [tuple(p.shape) for p in template.parameters()]
    assert layout.n == sum(p.numel() for p in template.parameters())


def test_roles_tell_weights_biases_and_normalisation_apart():
    layout = Network(Skip()).layout
    roles = dict(zip(layout.names, layout.roles, strict=True))
    assert roles["first.weight"] == "weight"
    assert roles["first.bias"] == "bias"
    assert roles["norm.weight"] == roles["norm.bias"] == "norm"


def test_a_forward_pass_never_touches_the_template():
    template = nn.Sequential(nn.Linear(6, 3))
    before = [p.clone() for p in template.parameters()]
    network = Network(template)
    for trials in (1, 3):
        params = network.start(range(trials), "test", torch.float32, CPU).requires_grad_()
        network(params, torch.ones(trials, 2, 6)).sum().backward()
    assert all(torch.equal(p, b) and p.grad is None for p, b in zip(template.parameters(), before, strict=True))


@pytest.mark.parametrize("layer", [nn.Linear(9, 40), nn.Conv2d(3, 20, 3), nn.Conv1d(3, 20, 3), nn.Embedding(30, 9)])
def test_initial_values_have_the_distribution_that_torch_gives_them(layer):
    network = Network(layer)
    ours = network.layout.split(network.start(range(60), "test", torch.float64, CPU))
    theirs = {name: [] for name in ours}
    for seed in range(60):
        torch.manual_seed(seed)
        layer.reset_parameters()
        for name, parameter in layer.named_parameters():
            theirs[name].append(parameter.detach().double().flatten().clone())
    for name, values in ours.items():
        assert kstest(values.flatten().numpy(), torch.cat(theirs[name]).numpy()).pvalue > 1e-4, name
        if not isinstance(layer, nn.Embedding):
            bound = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
            assert 0.98 * bound < values.abs().max() <= bound


@pytest.mark.parametrize("layer", [nn.LayerNorm(4), nn.GroupNorm(2, 4)])
def test_normalisation_starts_as_torch_starts_it(layer):
    row = Network(layer).start([0, 1], "test", torch.float32, CPU)
    expected = torch.cat([p.detach().flatten() for p in layer.parameters()])
    assert torch.equal(row, expected.expand(2, -1))


def test_a_trials_initial_values_depend_on_its_own_seed_alone():
    network = Network(Skip())
    many = network.start([4, 5, 6], "test", torch.float32, CPU)
    assert torch.equal(many[2:], network.start([6], "test", torch.float32, CPU))
    assert not torch.equal(many[2:], network.start([6], "other", torch.float32, CPU))


@pytest.mark.parametrize("kind", [kind for kind in BATCHED if kind not in INITIALISERS])
def test_batched_layers_without_parameters_equal_vmap(kind):
    layer = kind(2) if "Pool" in kind.__name__ else kind()
    x = torch.randn(3, 5, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(BATCHED[kind](layer, {}, x), under_vmap(layer, {}, x))


def test_the_bits_of_a_trial_do_not_depend_on_the_number_of_others():
    wide = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    for name, (template, shape) in {"cnn": MODULES["cnn"], "grouped": MODULES["grouped"], "mlp": (wide, (64,))}.items():
        network = Network(template.float())
        x = torch.randn(40, 16, *shape, generator=torch.Generator().manual_seed(2))
        params = network.start(range(40), "test", torch.float32, CPU)

        def gradient(rows, network=network, params=params, x=x):
            at = params[rows].requires_grad_()
            return torch.autograd.grad((network(at, x[rows]) ** 2).sum(), at)[0]

        whole = gradient(slice(0, 40))
        for rows in (slice(0, 2), slice(3, 11), slice(20, 37)):
            assert torch.equal(gradient(rows), whole[rows]), name


def test_cross_entropy_is_the_mean_over_each_trials_batch():
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0]], [[5.0, 5.0], [1.0, 1.0]]])
    labels = torch.tensor([[1, 0], [0, 1]])
    expected = [(math.log(4 / 3) + math.log(2)) / 2, math.log(2)]
    assert cross_entropy(logits, labels).tolist() == pytest.approx(expected)


def test_layers_that_trials_cannot_have_of_their_own_are_refused_by_name():
    with pytest.raises(ValueError, match=r"the buffer '1.running_mean' would be shared"):
        Network(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    with pytest.raises(ValueError, match=r"no initialiser for Bilinear \(weight\)"):
        Network(nn.Bilinear(2, 2, 2))
