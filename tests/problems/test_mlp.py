import math

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.mlp import MLP
from torch import nn


def plain_loop(problem, seed, steps, rate):
    """Losses of one torch module trained by torch.optim.SGD on the batches of this seed."""
    module = problem.module().to(problem.kind["dtype"])
    nn.utils.vector_to_parameters(problem.start([seed])[0], module.parameters())
    optimizer, stream, losses = torch.optim.SGD(module.parameters(), lr=rate), problem.stream([seed]), []
    for step in range(steps):
        x, y = stream.at(step)
        optimizer.zero_grad()
        loss = F.cross_entropy(module(x[0]), y[0])
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
def test_losses_equal_those_of_a_plain_torch_loop(dtype, steps, tolerance, seeds):
    problem = MLP(dtype=dtype)
    losses = batched_loop(problem, seeds, steps, 0.2)
    for seed, ours in zip(seeds, losses, strict=True):
        torch.testing.assert_close(ours, plain_loop(problem, seed, steps, 0.2), rtol=0, atol=tolerance)
    assert losses[:, -1].max() < losses[:, 0].min()


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


@pytest.mark.parametrize(("trials", "seen"), [(33, [32, 2]), (34, [32, 2]), (1, [1]), (64, [32, 32])])
def test_evaluating_in_chunks_never_leaves_one_row_of_several_alone(trials, seen):
    problem, sizes = MLP(), []
    params, network = problem.start(range(trials)), problem.network

    def recorded(rows, x):
        sizes.append(len(rows))
        return network(rows, x)

    problem.__dict__["network"] = recorded
    loss, accuracy = problem.measure(params, problem.splits.test)
    assert sizes == seen
    assert loss.shape == accuracy.shape == (trials,)


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


def test_a_batch_larger_than_the_data_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 1078\]"):
        MLP(batch_size=2000).stream([0])


def test_scratch_memory_grows_with_the_batch():
    assert MLP(batch_size=128).scratch_bytes() - MLP(batch_size=64).scratch_bytes() == 64 * (64 * 4 + 8)
