import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from optbench.problems.cnn import CNN
from optbench.problems.coordinate_network import CoordinateNetwork
from optbench.problems.mlp import MLP
from optbench.problems.module import Module
from optbench.problems.rnn import RNN
from optbench.problems.vae import VAE
from torch import nn

from optbench.data import Dataset
from optbench.errors import UsageError
from optbench.nn.forward import Pass
from optbench.nn.learning import _chunks
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials

PROBLEMS = {
    "mlp": MLP,
    "values": lambda **kw: MLP(data="diabetes", **kw),
    "tanh, batch norm": lambda **kw: MLP(activation="tanh", normalisation="batch", hidden=(16, 16), **kw),
    "cnn": CNN,
    "cnn, batch norm": lambda **kw: CNN(normalisation="batch", **kw),
    "cnn, group norm": lambda **kw: CNN(normalisation="group", activation="gelu", **kw),
    "of one's own": lambda **kw: Module(network_class=f"{__name__}.Own", **kw),
    "of one's own, looped": lambda **kw: Module(network_class=f"{__name__}.Looped", **kw),
}


class Own(nn.Module):
    """Batch normalisation in a module that runs under vmap."""

    def __init__(self, channels=1, outputs=10, width=4):
        super().__init__()
        self.first, self.norm = nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width)
        self.second = nn.Linear(width, outputs)

    def forward(self, x):
        return self.second(torch.relu(self.norm(self.first(x))).mean(dim=(2, 3)))


class Looped(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.lstm, self.out = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, outputs)

    def forward(self, x):
        return self.out(self.lstm(x[:, 0])[0][:, -1])


class Drawing(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.out = nn.Linear(inputs, 10)

    def forward(self, x):
        return self.out(F.dropout(x.flatten(1), 0.5))


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(64, 7)

    def forward(self, x):
        return self.out(x.flatten(1))


def torch_loss(problem, out, y):
    return F.mse_loss(out, y) if problem.dataset.task == "values" else F.cross_entropy(out, y)


def plain_loop(problem, seed, steps, rate):
    """Losses of one torch module trained by torch.optim.SGD on the batches of this seed."""
    module = problem.module().to(problem.kind["dtype"]).train()
    nn.utils.vector_to_parameters(problem.start([seed])[0], module.parameters())
    optimizer, stream, losses = torch.optim.SGD(module.parameters(), lr=rate), problem.stream([seed]), []
    for step in range(steps):
        batch = stream.at(step)
        optimizer.zero_grad()
        loss = torch_loss(problem, module(batch.x[0]), batch.y[0])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def batched_loop(problem, seeds, steps, rate):
    params, stream, losses = problem.start(seeds), problem.stream(seeds), []
    for step in range(steps):
        loss, grad = problem.loss_and_grad(params, stream.at(step))
        params = params - rate * grad
        losses.append(loss)
    return torch.stack(losses, dim=1)


@pytest.mark.parametrize(("dtype", "steps", "tolerance"), [(torch.float32, 20, 1e-5), (torch.float64, 50, 1e-9)])
@pytest.mark.parametrize("seeds", [[0], [3, 0, 7]])
@pytest.mark.parametrize("name", PROBLEMS)
def test_losses_equal_those_of_a_plain_torch_loop(name, dtype, steps, tolerance, seeds):
    problem = PROBLEMS[name](dtype=dtype)
    losses = batched_loop(problem, seeds, steps, 0.05)
    for seed, ours in zip(seeds, losses, strict=True):
        torch.testing.assert_close(ours, plain_loop(problem, seed, steps, 0.05), rtol=0, atol=tolerance)
    assert losses.std(dim=1).min() > 1e-3


def test_chunks_never_leave_one_row_of_several_alone():
    for trials, sizes in ((33, [32, 2]), (34, [32, 2]), (1, [1]), (64, [32, 32])):
        assert [len(rows) for rows in _chunks(torch.zeros(trials, 3), 32)] == sizes


def test_evaluation_with_batch_norm_takes_statistics_of_training_samples_anew():
    problem = CNN(normalisation="batch", dtype=torch.float64)
    params = problem.start([0, 1])
    found = problem.test(params)
    module = problem.module().double().train()
    for k in range(2):
        nn.utils.vector_to_parameters(params[k], module.parameters())
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0  # the moving statistics are those of the last batch
        module.train()(problem.train.x[:256])
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d):  # moving variances are unbiased, those of a batch are not
                samples = 256 * (64 if layer.num_features == 8 else 16)
                layer.running_var *= (samples - 1) / samples
        logits = module.eval()(problem.splits.test.x)
        expected = F.cross_entropy(logits, problem.splits.test.y).item()
        assert found["test_loss"][k].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("optimizer", [SGD(lr=0.1)])
@pytest.mark.parametrize("seeds", [[4], [4, 5]])
def test_moving_statistics_of_a_training_are_those_of_torch(optimizer, seeds):
    problem = MLP(normalisation="batch", moving_statistics=True, hidden=(8,), dtype=torch.float64)
    trials = Trials(problem, optimizer, Constant(), [], seeds, 12)
    module = problem.module().double()
    start, names = problem.layout.split(problem.start(seeds[:1])), dict(module.named_parameters())
    with torch.no_grad():
        for name, value in names.items():
            value.copy_(start[name][0])
    descent, stream = torch.optim.SGD(module.parameters(), lr=0.1), problem.stream(seeds[:1])
    for step in range(12):
        trials.step(step)
        batch = stream.at(step)
        descent.zero_grad()
        F.cross_entropy(module(batch.x[0]), batch.y[0]).backward()
        descent.step()
    ours = problem.layout.split(trials.params)
    for name, value in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(ours[name][0], value)
    module.eval()
    expected = F.cross_entropy(module(problem.splits.validation.x), problem.splits.validation.y)
    found = problem.evaluate(trials.params, 12)["validation_loss"][0]
    torch.testing.assert_close(found, expected.detach())


def test_samples_are_judged_in_chunks_without_changing_what_is_found(monkeypatch):
    whole = CNN(normalisation="batch", dtype=torch.float64)
    params = whole.start([0, 1, 2])
    expected = whole.evaluate(params, 0)
    monkeypatch.setattr("optbench.nn.learning.AT_ONCE", whole.activation_bytes)
    for name, value in CNN(normalisation="batch", dtype=torch.float64).evaluate(params, 0).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-12)


def test_monte_carlo_predictions_average_probabilities_over_masks():
    problem = MLP(hidden_dropout=0.5, hidden=(3,), predictions=400, dtype=torch.float64)
    params, x = problem.start([0, 1]), problem.splits.test.x[:4]
    values = problem.layout.split(params)
    exact = torch.zeros(2, 4, 10, dtype=torch.float64)
    for mask in product((0.0, 2.0), repeat=3):
        for k in range(2):
            h = torch.relu(x.flatten(1) @ values["1.weight"][k].T + values["1.bias"][k]) * torch.tensor(mask)
            exact[k] += torch.softmax(h @ values["4.weight"][k].T + values["4.bias"][k], dim=1) / 8
    found = problem.predicted(params, x).exp()
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, 4, dtype=torch.float64))
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.01)
    again = MLP(hidden_dropout=0.5, hidden=(3,), predictions=400, dtype=torch.float64)
    assert torch.equal(again.predicted(params, x), problem.predicted(params, x))


def test_mean_field_predictions_leave_every_unit_in():
    dropped, plain = (MLP(hidden_dropout=p, dtype=torch.float64) for p in (0.5, 0.0))
    params = plain.start([0, 1])
    torch.testing.assert_close(dropped.test(params)["test_loss"], plain.test(params)["test_loss"])
    first, second = (dropped.loss(params, dropped.stream([0, 1]).at(step)) for step in (0, 0))
    assert torch.equal(first, second)


def test_activation_bytes_are_what_a_linear_layer_keeps():
    problem = MLP(hidden=(32,))
    # relu keeps its output [64, 32], which the last layer's product also needs; cross-entropy keeps log-probabilities [64, 10]
    assert problem.activation_bytes >= 64 * (32 + 10) * 4
    assert MLP(hidden=(32,), batch_size=128).activation_bytes == 2 * problem.activation_bytes


def test_values_are_judged_by_their_mean_squared_error():
    problem = MLP(data="diabetes", dtype=torch.float64)
    params, part = problem.start([0, 1]), problem.splits.validation
    module = problem.module().double()
    nn.utils.vector_to_parameters(params[1], module.parameters())
    found = problem.evaluate(params, 0)
    assert found["validation_loss"][1].item() == pytest.approx(F.mse_loss(module(part.x), part.y).item())
    assert "validation_accuracy" not in found
    assert problem.reference_loss() == pytest.approx(1.0)


def test_modules_of_ones_own_are_told_from_the_data_how_large_they_are():
    problem = Module(network_class=f"{__name__}.Own", settings={"width": 7}, data="patches")
    assert dict(zip(problem.layout.names, problem.layout.shapes, strict=True))["first.weight"] == (7, 3, 3, 3)
    assert problem.outputs == 2
    assert Module(network_class=f"{__name__}.Looped").network.looped == ["Looped"]


class Empty(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]


class Failing(nn.Module):
    def __init__(self):
        super().__init__()
        raise KeyError("a")


class Told(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.out = nn.Linear(inputs, 10)

    def forward(self, x):
        return {"logits": self.out(x.flatten(1))}


class Peeking(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.norm, self.out = nn.BatchNorm1d(inputs), nn.Linear(inputs, 10)

    def forward(self, x):
        return self.out(self.norm(x.flatten(1)) - self.norm.running_mean)


READY = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def of(name):
    return Module(network_class=f"{__name__}.{name}")


def arrays():
    return Dataset("arrays", 1, np.zeros((20, 3)), torch.zeros(20).long(), 2, False)


def empty():
    return Dataset("empty", 1, torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0).long(), 2, False)


def nothing():
    return Dataset("nothing", 1, torch.full((20, 3), torch.nan, dtype=torch.float64), torch.zeros(20).long(), 2, False)


@pytest.mark.parametrize("width", [2, 3, 4, 6, 8, 12, 64])
def test_a_normalised_layer_still_sees_its_inputs(width):
    problem = MLP(data="moons", hidden=(width,), normalisation="group", dtype=torch.float64)
    params = problem.start([0])
    found = []
    for x in (torch.tensor([[1.0, 2.0]]), torch.tensor([[-3.0, 0.5]])):
        problem.outputs_of(
            params, x.double(), watch=lambda name, layer, out: found.append(out) if name == "2" else None
        )
    assert not torch.allclose(*found)


def test_usual_widths_are_normalised_in_four_groups_and_channels_also_one_by_one():
    def groups(problem):
        return [m.num_groups for m in problem.network.template.modules() if isinstance(m, nn.GroupNorm)]

    assert groups(MLP(hidden=(8, 12, 16, 64), normalisation="group")) == [4, 4, 4, 4]
    assert groups(MLP(hidden=(2, 4, 6, 5), normalisation="group")) == [1, 2, 2, 1]
    assert groups(CNN(channels=1, normalisation="group")) == [1, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Module(), "module needs problem.class="),
        (lambda: Module(network_class=f"{__name__}.nowhere"), "has no 'nowhere'"),
        (lambda: Module(network_class="math.pi"), "math.pi is no torch.nn.Module"),
        (
            lambda: Module(network_class=f"{__name__}.Own", settings={"depth": 3}).network,
            "depth.*problem.settings.NAME",
        ),
        (lambda: Module(network_class=f"{__name__}.Wrong").network, r"Wrong gives \[3, 7\] .* expected \[3, 10\]"),
        (lambda: Module(network_class=f"{__name__}.Drawing").network, "Drawing.*draws random numbers of its own"),
        (
            lambda: Module(network_class=f"{__name__}.Wrong", data="wine").network,
            r"Wrong.*does not fit inputs of shape \[13\]",
        ),
        (lambda: MLP(data="digit").network, "no data set is called 'digit'; did you mean"),
        (lambda: MLP(activation="rleu"), "activation must be one of .*did you mean"),
        (lambda: MLP(initialisation="xavier"), "initialisation must be one of"),
        (lambda: CNN(data="wine").network, r"CNN needs images, and an input of wine has shape \[13\]"),
        (lambda: CNN(depth=4).network, "depth 4 halves images of digits to nothing"),
        (lambda: MLP(data=f"{__name__}.nothing").splits, "nothing: input .* of sample 0 is nan"),
        (lambda: MLP(batch_size=1079).stream([0]), r"batch_size must lie in \[1, 1078\]"),
        (lambda: MLP(data="diabetes", label_noise=0.1).splits, "diabetes"),
        (
            lambda: MLP(data={"name": "adam"}),
            "MLP: data is the name of a data set or PATH.py:NAME, got {'name': 'adam'}",
        ),
        (lambda: MLP(data=("a", "b")), r"MLP: data is the name of a data set or PATH.py:NAME, got \('a', 'b'\)"),
        (lambda: MLP(hidden=(1,), normalisation="group").network, "MLP: normalisation=group needs two units or more"),
        (lambda: MLP(hidden=(1,), normalisation="layer").network, "MLP: normalisation=layer needs two units or more"),
        (lambda: MLP(augment=3), r"augment maps names to strengths, as in problem.augment.flip=0.5"),
        (lambda: RNN(normalisation="batch"), "RNN has no use for normalisation; leave it at none"),
        (lambda: VAE(label_noise=0.1), "VAE has no use for label_noise; leave it at 0.0"),
        (lambda: VAE(data="recall").splits, "VAE rebuilds numbers, and those of recall are tokens"),
        (lambda: CoordinateNetwork(data="digits").network, "needs one row of numbers an input"),
        (lambda: MLP(predictions=4).examine(), "predictions averages over dropout masks, and nothing is dropped"),
        (lambda: MLP(moving_statistics=True).examine(), "moving_statistics needs batch normalisation"),
        (lambda: MLP(normalisation="batch", batch_size=1).examine(), "batch normalisation needs two samples or more"),
        (lambda: MLP(data="wine", augment={"flip": 0.5}).examine(), "flip need images"),
        (lambda: VAE(predictions=3, hidden_dropout=0.1).examine(), "predictions is for networks that classify"),
        (lambda: of("Empty").network, "has no parameters to learn"),
        (lambda: of("Failing").network, "building the network failed: KeyError: 'a'"),
        (lambda: of("Told").network, "this one gives dict"),
        (lambda: of("Peeking").network, "running_mean is not kept.*moving_statistics"),
        (lambda: of("READY"), "is a network already made; name its class"),
        (lambda: MLP(data=f"{__name__}.arrays").splits, r"arrays: inputs must be a torch.Tensor, got ndarray"),
        (lambda: MLP(data=f"{__name__}.empty").splits, "there are 0 samples and 2 classes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(make, message):
    with pytest.raises((ValueError, TypeError, UsageError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_watch_sees_every_layer_of_a_pass():
    problem, seen = MLP(hidden=(5,)), []
    batch = problem.stream([0, 1]).at(0)
    problem.loss(
        problem.start([0, 1]), batch._replace(watch=lambda name, layer, out: seen.append((name, tuple(out.shape))))
    )
    assert seen == [("0", (2, 64, 64)), ("1", (2, 64, 5)), ("2", (2, 64, 5)), ("3", (2, 64, 10))]
    assert math.isfinite(problem.loss(problem.start([0]), problem.stream([0]).at(0)))
    assert Pass().watch is None
