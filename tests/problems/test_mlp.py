import math

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.mlp import MLP
from torch import nn


def test_metrics_equal_those_of_the_plain_module_on_each_part():
    problem = MLP(dtype=torch.float64)
    params = problem.start(range(35))  # more than a chunk, the last of 3
    metrics = problem.evaluate(params, 0) | problem.test(params)
    module = problem.module().double()
    for k in (0, 31, 32, 34):
        nn.utils.vector_to_parameters(params[k], module.parameters())
        for part, loss, accuracy in (
            (problem.splits.train, "objective", "train_accuracy"),
            (problem.splits.validation, "validation_loss", "validation_accuracy"),
            (problem.splits.test, "test_loss", "test_accuracy"),
        ):
            logits = module(part.x)
            assert metrics[loss][k].item() == pytest.approx(F.cross_entropy(logits, part.y).item(), rel=1e-12)
            right = (logits.argmax(dim=1) == part.y).double().mean().item()
            assert metrics[accuracy][k].item() == pytest.approx(right)


def test_a_fresh_network_has_the_loss_of_guessing():
    problem = MLP()
    start = problem.evaluate(problem.start(range(50)), 0)["objective"].median().item()
    assert start == pytest.approx(math.log(10), rel=0.02)
    assert list(problem.targets()) == pytest.approx([0.1 * start, 0.01 * start, 0.001 * start], rel=0.02)


def test_it_has_as_many_parameters_as_stated():
    assert MLP().layout.n == 64 * 64 + 64 + 64 * 10 + 10 == 4810
    assert MLP(hidden=()).layout.n == 650
    assert MLP(hidden=(5, 3)).layout.shapes == ((5, 64), (5,), (3, 5), (3,), (10, 3), (10,))


@pytest.mark.parametrize("hidden", [(0,), (2.5,), (True,)])
def test_a_width_that_is_no_whole_number_is_refused(hidden):
    with pytest.raises(ValueError, match="MLP: hidden must hold whole numbers of at least 1"):
        MLP(hidden=hidden)


def test_skip_connections_add_to_what_a_layer_gets():
    problem = MLP(hidden=(64, 64), skip=True, dtype=torch.float64)
    params, x = problem.start([0]), problem.splits.test.x[:3]
    p = {name: value[0] for name, value in problem.layout.split(params).items()}
    h = x.flatten(1)
    for k in (1, 2):
        h = h + torch.relu(h @ p[f"{k}.body.0.weight"].T + p[f"{k}.body.0.bias"])
    torch.testing.assert_close(problem.outputs_of(params, x)[0], h @ p["3.weight"].T + p["3.bias"])
    assert "1.shortcut.weight" in MLP(hidden=(32,), skip=True).layout.names


def test_tokens_are_embedded():
    assert MLP(data="modular_addition", hidden=(8,)).layout.shapes[0] == (98, 8)


def test_a_batch_larger_than_the_data_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 1078\]"):
        MLP(batch_size=2000).stream([0])


def test_scratch_memory_grows_with_the_batch():
    assert MLP(batch_size=128).scratch_bytes() - MLP(batch_size=64).scratch_bytes() == 64 * (64 * 4 + 8)
