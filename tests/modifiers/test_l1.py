"""The L1 penalty, by hand and against its closed-form solution."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.modifiers.l1 import L1
from optbench.optimizers.sgd import SGD
from optbench.oracle import BatchOracle


def test_loss_and_gradient_worked_by_hand() -> None:
    problem = Rosenbrock(n=3)
    at = torch.tensor([[3.0, -4.0, 0.0]], dtype=torch.float64)
    plain = BatchOracle(problem, problem.stream([0]), 1)
    oracle, _ = L1(strength=0.5).wrap(plain, (), 0)
    (loss, grad), (before, grad_before) = oracle(at), plain(at)
    assert (loss - before).item() == pytest.approx(3.5, rel=1e-12)
    torch.testing.assert_close(grad - grad_before, torch.tensor([[0.5, -0.5, 0.0]], dtype=torch.float64))


@pytest.mark.slow
def test_small_coordinates_go_to_zero_and_large_ones_are_shortened_by_the_strength() -> None:
    """The minimiser of ½(x − c)² + λ|x| is c shortened by λ, or zero: soft thresholding."""

    class Centred(Oracle):
        fixed, layout = True, Layout.point(3)
        c = torch.tensor([[2.0, -1.0, 0.3]], dtype=torch.float64)

        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            return 0.5 * ((params - self.c) ** 2).sum(dim=1), params - self.c

    oracle, _ = L1(strength=0.5).wrap(Centred(), (), 0)
    rule, x = SGD(lr=1e-2), torch.zeros(1, 3, dtype=torch.float64)
    for _ in range(2_000):
        x, _state = rule.step(x, (), oracle, 1.0)
    torch.testing.assert_close(x, torch.tensor([[1.5, -0.5, 0.0]], dtype=torch.float64), rtol=0, atol=2e-2)


def test_biases_can_be_left_out() -> None:
    problem = TinyNet()
    at = problem.start([0])
    plain = BatchOracle(problem, problem.stream([0]), 1)
    oracle, _ = L1(strength=1.0, biases=False).wrap(plain, (), 0)
    pull = problem.layout.split(oracle(at)[1] - plain(at)[1])
    for name, w in problem.layout.split(at).items():
        expected = torch.zeros_like(w) if "bias" in name else w.sign()
        torch.testing.assert_close(pull[name], expected, rtol=1e-12, atol=1e-12)


def test_it_works_within_a_run() -> None:
    with_it = Loop(TinyNet(), SGD(lr=0.01), [0], modifiers=[L1(strength=1.0)]).run(200)[-1]
    without = Loop(TinyNet(), SGD(lr=0.01), [0]).run(200)[-1]
    assert with_it.abs().sum() < 0.5 * without.abs().sum()
