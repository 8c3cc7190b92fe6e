import math

import pytest
import torch
import torch.nn.functional as F
from optbench.problems.cnn import CNN
from torch import nn


@pytest.mark.parametrize(("dtype", "steps", "tolerance"), [(torch.float32, 20, 1e-5), (torch.float64, 50, 1e-9)])
def test_losses_equal_those_of_a_plain_torch_loop(dtype, steps, tolerance):
    problem, seeds, rate = CNN(dtype=dtype), [4, 1], 0.1
    params, stream, ours = problem.start(seeds), problem.stream(seeds), []
    for step in range(steps):
        loss, grad = problem.loss_and_grad(params, stream.at(step))
        params = params - rate * grad
        ours.append(loss)
    for k, seed in enumerate(seeds):
        module = problem.module().to(dtype)
        nn.utils.vector_to_parameters(problem.start([seed])[0], module.parameters())
        optimizer, alone = torch.optim.SGD(module.parameters(), lr=rate), problem.stream([seed])
        for step in range(steps):
            x, y = alone.at(step)
            optimizer.zero_grad()
            loss = F.cross_entropy(module(x[0]), y[0])
            loss.backward()
            optimizer.step()
            assert ours[step][k].item() == pytest.approx(loss.item(), abs=tolerance), step
    assert ours[-1].max() < ours[0].min()


def test_a_fresh_network_has_the_loss_of_guessing():
    problem = CNN()
    start = problem.evaluate(problem.start(range(30)), 0)["objective"].median().item()
    assert start == pytest.approx(math.log(10), rel=0.02)


def test_it_has_as_many_parameters_as_stated():
    assert CNN().layout.n == (9 * 8 + 8) + (9 * 8 * 16 + 16) + (4 * 16 * 10 + 10) == 1898


def test_a_setting_out_of_range_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"CNN: channels must lie in \[1, inf\), whole, got 0"):
        CNN(channels=0)
