import math
import random

import pytest
import torch
from torch import nn

from optbench.nn import Network
from optbench.nn.attention import attend, unfused_attention
from optbench.nn.blocks import Heads, Recurrent, Residual, SelfAttention, TransformerBlock
from optbench.nn.forward import Pass
from optbench.nn.layers import LAYERS, Position, cross_entropy

CPU = torch.device("cpu")


class Skip(nn.Module):
    """Not a torch.nn.Sequential and none of optbench's blocks, so it goes through vmap."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 2, bias=False)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        return self.second(self.norm(x + torch.tanh(self.first(x))))


class Memory(nn.Module):
    """torch's LSTM, which vmap does not carry."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


class Branching(nn.Module):
    """Control flow that depends on the data, which vmap does not carry."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 2), nn.Linear(6, 2)

    def forward(self, x):
        return self.one(x) if x.sum() > 0 else self.two(x)


class Normed(nn.Module):
    """Batch normalisation and dropout inside a module that optbench does not know."""

    def __init__(self, drop: float = 0.0):
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(drop)
        self.second = nn.Linear(5, 2)

    def forward(self, x):
        return self.second(self.drop(torch.relu(self.norm(self.first(x)))))


class Shared(nn.Module):
    """One layer under two names, a weight of two layers, one that is frozen, and an input changed in place."""

    def __init__(self):
        super().__init__()
        self.norm, self.first, self.second = nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.again, self.second.weight = self.norm, self.first.weight
        self.frozen, self.third = nn.Linear(6, 6).requires_grad_(False), nn.Linear(6, 2)

    def forward(self, x):
        x -= 0.1
        x = self.again(torch.tanh(self.second(torch.tanh(self.first(self.norm(x))))))
        return self.third(torch.tanh(self.frozen(x)))


def in_a_row():
    first, second, frozen, act = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6), nn.ReLU(inplace=True)
    second.weight = first.weight
    frozen.weight.requires_grad_(False)
    return nn.Sequential(act, first, act, second, nn.Tanh(), first, act, frozen, nn.Linear(6, 2))


def feed(width):
    return nn.Sequential(nn.Linear(width, 8), nn.GELU(), nn.Linear(8, width))


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
    "batch norm": (nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)), (6,)),
    "batch norm of images": (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.SiLU(), nn.Flatten()), (2, 4, 4)),
    "batch norm inside": (Normed(), (6,)),
    "layer norm": (nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.LeakyReLU(), nn.Linear(5, 2)), (4, 6)),
    "layer norm of images": (nn.Sequential(nn.LayerNorm([2, 4, 4], bias=False), nn.Flatten()), (2, 4, 4)),
    "group norm of images": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.ELU(), nn.Flatten()), (2, 4, 4)),
    "norms without parameters": (
        nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4, elementwise_affine=False), nn.BatchNorm1d(4, affine=False)),
        (6,),
    ),
    "residual": (nn.Sequential(Residual(nn.Sequential(nn.Linear(6, 6), nn.Tanh())), nn.Linear(6, 2)), (6,)),
    "projected residual": (Residual(nn.Linear(6, 4), nn.Linear(6, 4, bias=False)), (6,)),
    "attention": (SelfAttention(6, 2, causal=True), (4, 6)),
    "pre-LN transformer": (
        nn.Sequential(Position(5, 6), TransformerBlock(6, 3, feed(6), pre=True, causal=False)),
        (4, 6),
    ),
    "post-LN transformer": (TransformerBlock(6, 2, feed(6), pre=False, causal=True), (4, 6)),
    "recurrent": (Recurrent(3, 5, lstm=False), (4, 3)),
    "LSTM": (Recurrent(3, 5, lstm=True), (4, 3)),
    "torch's LSTM": (Memory(), (4, 3)),
    "branching": (Branching(), (6,)),
    "pooled": (nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Upsample(scale_factor=2)), (2, 4, 4)),
    "padded": (nn.Sequential(nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular")), (2, 4, 4)),
    "bare layer": (nn.Linear(6, 3), (6,)),
    "shared and frozen": (in_a_row(), (6,)),
    "shared and frozen inside": (Shared(), (6,)),
}
every_module = pytest.mark.parametrize("name", MODULES)


def loaded(module: nn.Module, row: torch.Tensor) -> nn.Module:
    nn.utils.vector_to_parameters(row, learnt(module))
    return module


def learnt(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


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
        alone = module(x[k].clone())
        torch.testing.assert_close(out[k], alone, rtol=1e-11, atol=1e-12)
        slopes = torch.autograd.grad((alone**2).sum(), learnt(module), materialize_grads=True)
        expected = torch.cat([slope.flatten() for slope in slopes])
        torch.testing.assert_close(grad[k], expected, rtol=1e-9, atol=1e-11)


@every_module
def test_the_layout_follows_the_modules_own_parameters(name):
    template, _ = MODULES[name]
    layout = Network(template).layout
    assert list(layout.names) == [n for n, p in template.named_parameters() if p.requires_grad]
    assert list(layout.shapes) == [tuple(p.shape) for p in learnt(template)]
    assert layout.n == sum(p.numel() for p in learnt(template))


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


def test_a_trials_initial_values_depend_on_its_own_seed_alone():
    network = Network(Skip())
    many = network.start([4, 5, 6], "test", torch.float32, CPU)
    assert torch.equal(many[2:], network.start([6], "test", torch.float32, CPU))
    assert not torch.equal(many[2:], network.start([6], "other", torch.float32, CPU))


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


def test_whatever_vmap_cannot_carry_runs_in_a_loop_and_is_named():
    x = torch.ones(2, 3, 4, 3)
    network = Network(nn.Sequential(Memory()))
    network(network.start([0, 1], "test", torch.float32, CPU), x)
    assert network.looped == ["0"]
    carried = Network(Skip())
    carried(carried.start([0, 1], "test", torch.float32, CPU), torch.ones(2, 3, 6))
    assert carried.looped == []


def test_our_recurrent_networks_are_torchs():
    for lstm, theirs in ((False, nn.RNN(3, 5, batch_first=True)), (True, nn.LSTM(3, 5, batch_first=True))):
        ours = Recurrent(3, 5, lstm=lstm)
        for here, there in (("outside", "ih"), ("inside", "hh")):
            ours.get_submodule(here).load_state_dict(
                {"weight": getattr(theirs, f"weight_{there}_l0"), "bias": getattr(theirs, f"bias_{there}_l0")}
            )
        x = torch.randn(2, 7, 3)
        torch.testing.assert_close(ours(x), theirs(x)[0])


@pytest.mark.parametrize("causal", [False, True])
def test_our_attention_is_torchs(causal):
    ours, theirs = SelfAttention(6, 2, causal), nn.MultiheadAttention(6, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.inputs.weight)
        theirs.in_proj_bias.copy_(ours.inputs.bias)
        theirs.out_proj.load_state_dict(ours.outputs.state_dict())
    x = torch.randn(3, 5, 6)
    mask = nn.Transformer.generate_square_subsequent_mask(5) if causal else None
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=mask)[0])


def several_heads(samples: int = 5, dtype=torch.float64) -> torch.Tensor:
    """Queries, keys and values of three trials."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, samples, 6, 3, 2, 4, dtype=dtype, generator=generator)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_short_sequences_is_torchs(causal):
    together = several_heads()
    q, k, v = together.permute(3, 0, 1, 4, 2, 5)
    expected = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(attend(together, causal), expected.transpose(2, 3).flatten(3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_short_sequences_can_be_differentiated_twice(causal):
    few = several_heads(2)[:2, :, :3].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: attend(x, causal), few)
    assert torch.autograd.gradgradcheck(lambda x: attend(x, causal), few)


@pytest.mark.parametrize(("heads", "d"), [(1, 6), (2, 4), (3, 2), (5, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attention_of_short_sequences_does_not_depend_on_company(heads, d, dtype):
    generator = torch.Generator().manual_seed(3)
    together = torch.randn(29, 5, 10, 3, heads, d, dtype=dtype, generator=generator)
    slope = torch.randn(29, 5, 10, heads * d, dtype=dtype, generator=generator)

    def found(rows):
        at = together[rows].requires_grad_()
        out = attend(at, True)
        return out.detach(), torch.autograd.grad(out, at, slope[rows])[0]

    whole = found(range(29))
    for rows in ([0, 1], [0, 1, 2], [4, 9, 1, 22, 3], list(range(8, 29))):
        for one, other in zip(found(rows), whole, strict=True):
            assert torch.equal(one, other[rows])


def test_attention_under_vmap_is_attention():
    together = several_heads()
    with unfused_attention():
        found = torch.func.vmap(lambda x: attend(x, True))(together)
    torch.testing.assert_close(found, attend(together, True))


class Encoder(nn.Module):
    """Torch's encoder inside a module of a person's own."""

    def __init__(self):
        super().__init__()
        self.inner = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.inner(x).mean(dim=1)


def test_torchs_own_transformer_runs_for_all_trials_at_once():
    network = Network(Encoder())
    params = network.start([0, 1, 2], "test", torch.float32, CPU).requires_grad_()
    x = torch.randn(3, 5, 4, 6)
    (network(params, x) ** 2).sum().backward()
    assert network.looped == []


def test_a_transformer_block_is_torchs():
    for pre in (False, True):
        ours = TransformerBlock(6, 2, nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 6)), pre=pre, causal=False)
        theirs = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True, norm_first=pre).train()
        with torch.no_grad():
            theirs.self_attn.in_proj_weight.copy_(ours.attend.inputs.weight)
            theirs.self_attn.in_proj_bias.copy_(ours.attend.inputs.bias)
            theirs.self_attn.out_proj.load_state_dict(ours.attend.outputs.state_dict())
            theirs.linear1.load_state_dict(ours.feed[0].state_dict())
            theirs.linear2.load_state_dict(ours.feed[2].state_dict())
        x = torch.randn(3, 5, 6)
        torch.testing.assert_close(ours(x), theirs(x))


def test_heads_share_a_trunk():
    module = Heads(nn.Linear(6, 4), nn.Linear(4, 2), nn.Linear(4, 3))
    network = Network(module)
    params = network.start([0, 1], "test", torch.float32, CPU)
    x = torch.randn(2, 5, 6)
    for k in range(2):
        expected = loaded(module, params[k])(x[k])
        for found, whole in zip((out[k] for out in network(params, x)), expected, strict=True):
            torch.testing.assert_close(found, whole)


@pytest.mark.parametrize("module", [nn.Sequential(nn.Dropout(0.3)), Normed(0.3)], ids=["known", "unknown"])
def test_a_trials_dropout_masks_do_not_depend_on_its_company(module):
    network = Network(module)
    keys = torch.tensor([5, -7, 11])
    x = torch.randn(3, 40, 6)
    params = network.start([1, 2, 3], "test", torch.float32, CPU) if network.layout.n else torch.zeros(3, 0)
    whole = network(params, x, Pass(keys=keys))
    assert torch.equal(network(params[:2], x[:2], Pass(keys=keys[:2])), whole[:2])
    for k in range(3):
        torch.testing.assert_close(
            network(params[k : k + 1], x[k : k + 1], Pass(keys=keys[k : k + 1])), whole[k : k + 1]
        )
    assert not torch.equal(network(params, x, Pass(keys=keys + 1)), whole)


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout2d(0.3)])
def test_dropout_keeps_the_stated_share_and_the_mean(layer):
    x = torch.ones(4, 50, 20, 5, 5)
    out = LAYERS[type(layer)].batched(layer, {}, x, Pass(keys=torch.arange(4)))
    assert torch.equal(out.unique(), torch.tensor([0, 1 / 0.7]))
    assert out.mean().item() == pytest.approx(1, abs=0.03)
    if isinstance(layer, nn.Dropout2d):
        assert torch.equal(out, out[..., :1, :1].expand_as(out))
    assert torch.equal(LAYERS[type(layer)].batched(layer, {}, x, Pass(keys=torch.arange(4), drops=False)), x)


def test_layers_of_one_pass_have_masks_of_their_own():
    x = torch.ones(2, 50, 6)
    run = Pass(keys=torch.arange(2))
    drop = nn.Dropout(0.5)
    first, second = (LAYERS[nn.Dropout].batched(drop, {}, x, run) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", ["batch norm", "batch norm of images", "batch norm inside"])
@pytest.mark.parametrize("trials", [1, 3])
def test_evaluation_normalises_by_the_reference_samples_in_front(name, trials):
    template, shape = MODULES[name]
    network = Network(template.double())
    params = network.start(range(trials), "test", torch.float64, CPU)
    x = torch.randn(trials, 12, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    judging = Pass(training=False, drops=False, reference=8)
    expected = network(params, x[:, :8])  # in training, those eight are the batch
    torch.testing.assert_close(network(params, x, judging)[:, :8], expected)
    others = network(params, torch.cat([x[:, :8], x[:, 10:]], dim=1), judging)
    torch.testing.assert_close(network(params, x, judging)[:, 10:], others[:, 8:])


@pytest.mark.parametrize("name", ["batch norm", "batch norm of images", "batch norm inside"])
@pytest.mark.parametrize("trials", [1, 3])
def test_moving_statistics_go_the_way_of_torchs(name, trials):
    template, shape = MODULES[name]
    template = template.double()
    network = Network(template, moving=True)
    assert network.layout.roles.count("buffer") == 2
    params = network.start(range(trials), "test", torch.float64, CPU).requires_grad_()
    x = torch.randn(trials, 9, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    run = Pass()
    loss = sum([network(params, x, run).flatten(1).sum(dim=1) * 0, *run.terms])
    assert loss.abs().max() == 0
    (pull,) = torch.autograd.grad(loss.sum(), params)
    moved = network.layout.split(params.detach() - 0.1 * pull)
    norms = {name: m for name, m in template.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)}
    for k in range(trials):
        values = {n: v[k].detach() for n, v in network.layout.split(params).items()}
        state = values | {f"{n}.num_batches_tracked": torch.tensor(0) for n in norms}
        template.load_state_dict(state)
        template.train()(x[k])
        for n, norm in norms.items():
            torch.testing.assert_close(moved[f"{n}.running_mean"][k], norm.running_mean)
            torch.testing.assert_close(moved[f"{n}.running_var"][k], norm.running_var)
        template.eval()
        judged = network(params.detach(), x, Pass(training=False))[k]
        template.load_state_dict(state)
        torch.testing.assert_close(judged, template(x[k]))
        template.train()


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 4), nn.AlphaDropout(0.5))

    def forward(self, x):
        return self.inner(x)


class NotTorchs(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        return self.linear(x * random.random())


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        return self.linear(x)


@pytest.mark.parametrize("trials", [1, 2])
def test_hidden_randomness_and_changing_buffers_are_refused_by_name(trials):
    for module, message in (
        (Noisy(), r"'inner.1' \(AlphaDropout\) draws random numbers"),
        (NotTorchs(), "NotTorchs gives other outputs for the same inputs"),
        (Counting(), "'seen' changes"),
    ):
        network = Network(module)
        with pytest.raises(ValueError, match=message):
            network(network.start(range(trials), "test", torch.float32, CPU), torch.ones(trials, 3, 6))


def test_a_layer_that_does_not_fit_is_named():
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(ValueError, match=r"layer '3', Linear\(in_features=5.*does not fit inputs of shape \[6\]"):
        Network(module, example=torch.ones(3, 6))


class Scaled(nn.Module):
    """A parameter of its own, for which no rule of initialisation is known."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(6))

    def forward(self, x):
        return x * self.scale


def test_parameters_without_a_rule_start_as_the_constructor_makes_them_by_seed():
    state = torch.random.get_rng_state()
    rows = Network(Scaled).start([3, 4, 3], "test", torch.float32, CPU)
    assert torch.equal(rows, Network(Scaled).start([3, 4, 3], "test", torch.float32, CPU))
    assert torch.equal(rows[0], rows[2])
    assert not torch.equal(rows[0], rows[1])
    assert torch.equal(torch.random.get_rng_state(), state)
