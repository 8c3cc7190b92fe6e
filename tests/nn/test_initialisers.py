import math

import pytest
import torch
from scipy import stats
from torch import nn

from optbench.checks import UsageError
from optbench.nn.initialisers import INITIALISERS, NORMS, SCHEMES, initialise, known
from optbench.nn.layers import Position
from optbench.nn.network import Network
from optbench.randomness import Randomness

LAYERS = {
    "Linear": lambda: nn.Linear(20, 30),
    "Conv1d": lambda: nn.Conv1d(6, 8, 5),
    "Conv2d": lambda: nn.Conv2d(4, 8, 3),
    "grouped Conv2d": lambda: nn.Conv2d(4, 8, 3, groups=2),
    "Conv3d": lambda: nn.Conv3d(2, 4, 3),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(6, 8, 5),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(3, 8, 3),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(2, 4, 3),
    "Bilinear": lambda: nn.Bilinear(5, 9, 12),
    "Embedding": lambda: nn.Embedding(30, 8),
    "padded Embedding": lambda: nn.Embedding(30, 8, padding_idx=-2),
    "EmbeddingBag": lambda: nn.EmbeddingBag(30, 8, padding_idx=3),
    "Position": lambda: Position(20, 8),
    "RNN": lambda: nn.RNN(7, 12, num_layers=2, bidirectional=True),
    "LSTM": lambda: nn.LSTM(7, 12, proj_size=3),
    "GRU": lambda: nn.GRU(7, 12),
    "RNNCell": lambda: nn.RNNCell(7, 12),
    "LSTMCell": lambda: nn.LSTMCell(7, 12),
    "GRUCell": lambda: nn.GRUCell(7, 12),
    "MultiheadAttention": lambda: nn.MultiheadAttention(12, 3, add_bias_kv=True),
    "attention of other keys": lambda: nn.MultiheadAttention(12, 3, kdim=5, vdim=7),
    "attention's output": lambda: nn.MultiheadAttention(12, 3).out_proj,
    "LayerNorm": lambda: nn.LayerNorm([3, 4]),
    "GroupNorm": lambda: nn.GroupNorm(2, 6),
    "RMSNorm": lambda: nn.RMSNorm(6),
    "BatchNorm1d": lambda: nn.BatchNorm1d(6),
    "BatchNorm2d": lambda: nn.BatchNorm2d(6),
    "BatchNorm3d": lambda: nn.BatchNorm3d(6),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(6, affine=True),
    "InstanceNorm3d": lambda: nn.InstanceNorm3d(6, affine=True),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(6, affine=True),
    "PReLU": lambda: nn.PReLU(4),
    "steeper PReLU": lambda: nn.PReLU(4, init=0.4),
}
TRIALS = 60


def uniform(shape, trials=TRIALS, purpose="test"):
    return Randomness(range(trials), purpose).uniform(0, math.prod(shape)).view(trials, *shape)


def own_parameters(layer):
    return dict(layer.named_parameters(recurse=False))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_start_by_the_law_of_torch(name):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    made = [own_parameters(LAYERS[name]()) for _ in range(TRIALS)]
    assert known(layer)
    for own, parameter in own_parameters(layer).items():
        ours = initialise(layer, own, uniform(parameter.shape, purpose=f"{name} {own}"))
        theirs = torch.stack([parameters[own] for parameters in made]).detach().double()
        assert ours.shape == theirs.shape
        assert torch.equal(ours == 0, theirs == 0)
        if theirs.unique().numel() == 1:
            assert torch.equal(ours.float(), theirs.float())
            continue
        found, expected = (values[values != 0] for values in (ours, theirs))
        assert stats.kstest(found, expected).pvalue > 1e-5, own
        assert found.std().item() == pytest.approx(expected.std().item(), rel=0.12), own


BOUNDS = [
    (lambda: nn.Linear(20, 30), {"weight": 1 / math.sqrt(20), "bias": 1 / math.sqrt(20)}),
    (lambda: nn.Conv2d(4, 8, 3), {"weight": 1 / 6, "bias": 1 / 6}),
    (lambda: nn.Conv2d(4, 8, 3, groups=2), {"weight": 1 / math.sqrt(18), "bias": 1 / math.sqrt(18)}),
    (lambda: nn.ConvTranspose2d(3, 8, 3), {"weight": 1 / math.sqrt(72), "bias": 1 / math.sqrt(72)}),
    (lambda: nn.Bilinear(5, 9, 12), {"weight": 1 / math.sqrt(5), "bias": 1 / math.sqrt(5)}),
    (lambda: nn.LSTM(7, 12), {"weight_ih_l0": 1 / math.sqrt(12), "bias_hh_l0": 1 / math.sqrt(12)}),
    (lambda: nn.GRUCell(7, 12), {"weight_hh": 1 / math.sqrt(12), "bias_ih": 1 / math.sqrt(12)}),
    (lambda: nn.MultiheadAttention(12, 3), {"in_proj_weight": math.sqrt(6 / (12 + 36))}),
]


@pytest.mark.parametrize(("make", "bounds"), BOUNDS, ids=[type(make()).__name__ for make, _ in BOUNDS])
def test_uniform_starts_reach_their_bounds_which_are_torchs(make, bounds):
    torch.manual_seed(2)
    layers = [make() for _ in range(TRIALS)]
    for own, bound in bounds.items():
        shape = layers[0].get_parameter(own).shape
        for end, expected in ((0.0, -bound), (0.5, 0.0), (1.0, bound)):
            values = initialise(layers[0], own, torch.full((2, *shape), end, dtype=torch.float64))
            assert values.unique().tolist() == pytest.approx([expected])
        largest = max(layer.get_parameter(own).abs().max().item() for layer in layers)
        assert 0.98 * bound < largest <= bound * (1 + 1e-6)


def test_the_default_start_of_linear_and_convolutional_layers_is_bit_for_bit_the_plain_formula():
    for layer, m in ((nn.Linear(6, 3), 6), (nn.Conv2d(2, 4, 3), 18)):
        for own, parameter in own_parameters(layer).items():
            u = uniform(parameter.shape)
            assert torch.equal(initialise(layer, own, u), (2 * u - 1) / math.sqrt(m))


def flat(low, high):
    return stats.uniform(low, high - low)


LAWS = {
    "standard_normal": lambda m, n: stats.norm(0, 1),
    "small_normal": lambda m, n: stats.norm(0, 0.01),
    "normal_0.1": lambda m, n: stats.norm(0, math.sqrt(0.1)),
    "normal_0.01": lambda m, n: stats.norm(0, 0.1),
    "uniform_1": lambda m, n: flat(-1, 1),
    "uniform_01": lambda m, n: flat(0, 1),
    "uniform_half": lambda m, n: flat(-0.5, 0.5),
    "fan_in_uniform": lambda m, n: flat(-(m**-0.5), m**-0.5),
    "xavier_uniform": lambda m, n: flat(-math.sqrt(6 / (m + n)), math.sqrt(6 / (m + n))),
    "xavier_normal": lambda m, n: stats.norm(0, math.sqrt(2 / (m + n))),
    "kaiming_uniform": lambda m, n: flat(-math.sqrt(6 / m), math.sqrt(6 / m)),
    "kaiming_normal": lambda m, n: stats.norm(0, math.sqrt(2 / m)),
    "lecun_normal": lambda m, n: stats.norm(0, m**-0.5),
    "fan_out_normal": lambda m, n: stats.norm(0, n**-0.5),
}
FANS = [
    (nn.Linear(20, 30), "weight", 20, 30),
    (nn.Conv1d(4, 6, 5), "weight", 20, 30),
    (nn.Conv2d(4, 6, (3, 2)), "weight", 24, 36),
    (nn.LSTM(7, 10), "weight_ih_l0", 7, 40),
    (nn.MultiheadAttention(12, 3), "in_proj_weight", 12, 36),
]


def test_every_scheme_has_a_stated_law():
    assert set(SCHEMES) == {"torch", "orthogonal", *LAWS}


@pytest.mark.parametrize("scheme", LAWS)
@pytest.mark.parametrize(("layer", "own", "m", "n"), FANS, ids=lambda value: type(value).__name__)
def test_weights_of_a_scheme_follow_its_law(scheme, layer, own, m, n):
    values = initialise(
        layer, own, uniform(layer.get_parameter(own).shape, purpose=f"{scheme} {own}"), scheme
    ).flatten()
    law = LAWS[scheme](m, n)
    assert stats.kstest(values, law.cdf).pvalue > 1e-5
    assert values.std().item() == pytest.approx(law.std(), rel=0.02)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"])
@pytest.mark.parametrize("layer", [nn.Linear(60, 200), nn.Conv2d(12, 40, 5)], ids=["Linear", "Conv2d"])
def test_schemes_that_torch_has_too_have_its_spread(name, layer):
    torch.manual_seed(1)
    theirs = getattr(nn.init, f"{name}_")(torch.empty(layer.weight.shape))
    ours = initialise(layer, "weight", uniform(layer.weight.shape, 1), name)
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.03)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3, 3), (1, 4), (6, 1)])
def test_orthogonal_weights_have_orthonormal_rows_or_columns(shape):
    layer = nn.Linear(shape[1], shape[0]) if len(shape) == 2 else nn.Conv2d(shape[1], shape[0], shape[2:])
    w = initialise(layer, "weight", uniform(shape, 9), "orthogonal").flatten(2)
    gram = w @ w.mT if w.shape[1] <= w.shape[2] else w.mT @ w
    torch.testing.assert_close(gram, torch.eye(min(w.shape[1:]), dtype=gram.dtype).expand_as(gram), rtol=0, atol=1e-13)


def test_orthogonal_matrices_are_uniformly_distributed():
    # a row of a uniform 3 × 3 rotation or reflection is uniform on the sphere, so each entry is uniform in [−1, 1]
    w = initialise(nn.Linear(3, 3), "weight", uniform((3, 3), 2000), "orthogonal")
    for entry in w.flatten(1).T:
        assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-5
    assert (torch.linalg.det(w) > 0).double().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_trials_start_does_not_depend_on_its_company(scheme):
    for layer in (nn.Linear(9, 14), nn.Conv2d(3, 4, 3)):
        u = uniform(layer.weight.shape, 40)
        whole = initialise(layer, "weight", u, scheme)
        for rows in (slice(0, 1), slice(3, 5), slice(7, 40)):
            assert torch.equal(initialise(layer, "weight", u[rows], scheme), whole[rows])


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "torch"])
@pytest.mark.parametrize("name", LAYERS)
def test_schemes_set_biases_to_zero_and_leave_norms_embeddings_and_slopes_alone(scheme, name):
    layer = LAYERS[name]()
    for own, parameter in own_parameters(layer).items():
        u = uniform(parameter.shape, 2)
        values = initialise(layer, own, u, scheme)
        if any(kind in name for kind in ("Norm", "Embedding", "Position", "PReLU")):
            assert torch.equal(values, initialise(layer, own, u))
        elif "bias" in own:
            assert not values.any()
        else:
            assert values.isfinite().all()
            assert values.any()


def test_positions_start_by_the_seed_of_their_trial_also_in_a_module_that_is_given_ready_made():
    network = Network(nn.Sequential(Position(5, 6)))
    rows = network.start([1, 2, 1], "test", torch.float64, torch.device("cpu"))
    assert torch.equal(rows[0], rows[2])
    assert not torch.equal(rows[0], rows[1])


def test_norms_are_told_apart():
    for name, make in LAYERS.items():
        assert isinstance(make(), NORMS) == ("Norm" in name)


class Mine(nn.Linear):
    pass


class MyStart(nn.Linear):
    def reset_parameters(self):
        nn.init.ones_(self.weight)


class Scaled(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.scale = nn.Parameter(torch.ones(2))


class Alien(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))


def test_a_derived_layer_starts_as_the_one_it_is_derived_from():
    u = uniform((2, 3))
    assert torch.equal(initialise(Mine(3, 2), "weight", u), initialise(nn.Linear(3, 2), "weight", u))


@pytest.mark.parametrize("layer", [MyStart(3, 2), Scaled(), Alien()], ids=lambda layer: type(layer).__name__)
def test_layers_with_starts_or_parameters_of_their_own_have_no_rule(layer):
    assert not known(layer)
    with pytest.raises(ValueError, match=f"no initialiser for {type(layer).__name__}; known are Linear, "):
        initialise(layer, "weight", uniform((2, 3)))


def test_a_layer_with_a_parametrised_weight_still_has_a_bias_with_a_rule():
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(4, 3))
    assert known(layer)
    assert initialise(layer, "bias", torch.ones(2, 3)).unique().tolist() == [0.5]


def test_a_layer_without_inputs_starts_like_torchs():
    layer = nn.Linear(1, 3)
    layer.weight = nn.Parameter(torch.empty(3, 0))
    assert not initialise(layer, "bias", torch.ones(2, 3)).any()
    for scheme in SCHEMES:
        assert initialise(layer, "weight", torch.empty(2, 3, 0), scheme).shape == (2, 3, 0)


def test_every_rule_of_the_table_is_tried():
    made = {type(make()) for make in LAYERS.values()}
    for kind in INITIALISERS:
        assert any(issubclass(layer, kind) for layer in made), kind


def test_a_misspelt_scheme_lists_the_near_ones():
    with pytest.raises(UsageError, match=r"no initialisation is called 'xavier_unform'; did you mean 'xavier_uniform'"):
        initialise(nn.Linear(3, 2), "weight", uniform((2, 3)), "xavier_unform")
