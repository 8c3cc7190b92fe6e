"""The L2 penalty, against torch and the closed form."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.modifiers.l2 import L2
from optbench.modifiers.weight_decay import WeightDecay
from optbench.optimizers.adam import Adam
from optbench.optimizers.sgd import SGD
from optbench.oracle import BatchOracle


@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (SGD, torch.optim.SGD)], ids=["adam", "sgd"])
def test_on_an_optimizer_it_equals_weight_decay_in_torch(ours: type, theirs: type) -> None:
    path = Loop(TinyNet(), ours(lr=0.03), [1], modifiers=[L2(strength=0.2)]).run(100)[:, 0]
    bare = torch_path(TinyNet(), theirs, 1, 100, lr=0.03, weight_decay=0.2)
    torch.testing.assert_close(path, bare, rtol=1e-9, atol=1e-9)


def test_it_is_decoupled_decay_for_sgd_but_not_for_adam() -> None:
    def apart(rule: SGD | Adam) -> float:
        coupled = Loop(TinyNet(), rule, [1], modifiers=[L2(strength=0.2)]).run(50)
        decoupled = Loop(TinyNet(), rule, [1], modifiers=[WeightDecay(strength=0.2)]).run(50)
        return (coupled - decoupled).abs().max().item()

    assert apart(SGD(lr=0.03)) < 1e-10
    assert apart(Adam(lr=0.03)) > 1e-2


def test_the_loss_grows_by_half_the_squared_length() -> None:
    problem = Rosenbrock()
    at = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    oracle, _ = L2(strength=0.2).wrap(BatchOracle(problem, problem.stream([0]), 1), (), 0)
    assert (oracle(at)[0] - problem.loss(at, None)).item() == pytest.approx(2.5, rel=1e-12)


def test_biases_can_be_left_out() -> None:
    problem = TinyNet()
    at = problem.start([0])
    plain = BatchOracle(problem, problem.stream([0]), 1)
    oracle, _ = L2(strength=1.0, biases=False).wrap(plain, (), 0)
    pull = problem.layout.split(oracle(at)[1] - plain(at)[1])
    for name, w in problem.layout.split(at).items():
        expected = torch.zeros_like(w) if "bias" in name else w
        torch.testing.assert_close(pull[name], expected, rtol=1e-12, atol=1e-12)
