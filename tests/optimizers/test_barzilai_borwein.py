"""Barzilai–Borwein steps against steepest descent with last step's exact length, which they are on quadratics."""

from __future__ import annotations

import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Oracle
from optbench.optimizers.barzilai_borwein import BarzilaiBorwein
from optbench.oracle import BatchOracle


class Quadratic(Oracle):
    """½ Σ cᵢ xᵢ² with curvatures of each trial's own, and a count of the evaluations of each."""

    fixed = True

    def __init__(self, curvatures: Tensor):
        self.c, self.layout = curvatures, Layout.point(curvatures.shape[1])
        self.count = torch.zeros(len(curvatures), dtype=torch.int64)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(self.c)) if rows is None else rows
        self.count[rows] += 1
        return 0.5 * (self.c[rows] * params**2).sum(dim=1), self.c[rows] * params


def losses(problem: Rosenbrock, rule: BarzilaiBorwein, steps: int) -> Tensor:
    """Loss at the start and after each step, [steps + 1, 3]."""
    run = Loop(problem, rule, [0, 1, 2])
    points = torch.cat([run.params[None], run.run(steps)])
    return torch.stack([problem.loss(x, None) for x in points])


@pytest.mark.parametrize("length", ["long", "short"])
@pytest.mark.parametrize("memory", [0, 30])
def test_on_a_quadratic_each_length_is_the_exact_one_of_the_step_before(length: str, memory: int) -> None:
    """With s = −a b: sᵀs / sᵀy = bᵀb / bᵀAb, the exact search at the point before, and sᵀy / yᵀy = bᵀAb / bᵀA²b."""
    A = torch.tensor([[1.0, 3.0, 10.0, 40.0]], dtype=torch.float64)
    oracle, rule = Quadratic(A), BarzilaiBorwein(lr=0.01, length=length, memory=memory)
    x = torch.tensor([[1.0, -1.0, 2.0, 0.5]], dtype=torch.float64)
    state, by_hand, b = rule.init(x, oracle.layout), x, None
    for _ in range(20):
        g = A * by_hand
        if b is None:
            a = 0.01
        elif length == "long":
            a = (b * b).sum() / (A * b * b).sum()
        else:
            a = (A * b * b).sum() / (A * A * b * b).sum()
        by_hand, b = by_hand - a * g, g
        x, state = rule.step(x, state, oracle, 1.0)
        torch.testing.assert_close(x, by_hand, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("length", ["long", "short"])
def test_it_is_far_faster_than_the_best_constant_rate_on_a_long_valley(length: str) -> None:
    """κ = 1000: gradient descent at its best rate keeps (κ − 1) / (κ + 1) a step, a factor 0.45 in 400 steps."""
    oracle = Quadratic(torch.logspace(0, 3, 20, dtype=torch.float64)[None])
    for memory, evaluations in ((0, 401), (10, 500)):
        oracle.count.zero_()
        x, rule = torch.ones(1, 20, dtype=torch.float64), BarzilaiBorwein(length=length, memory=memory)
        state = rule.init(x, oracle.layout)
        for _ in range(400):
            x, state = rule.step(x, state, oracle, 1.0)
            if x.norm() < 1e-6:
                break
        assert x.norm() < 1e-6
        assert oracle.count.item() <= evaluations


@pytest.mark.parametrize("length", ["long", "short"])
def test_it_reaches_the_minimum_of_rosenbrock_to_rounding_and_stays_there(length: str) -> None:
    run = Loop(Rosenbrock(n=2), BarzilaiBorwein(length=length), [0, 1, 2])
    run.run(800)
    assert Rosenbrock(n=2).loss(run.params, None).max() < 1e-15
    at = run.params
    run.run(5)
    torch.testing.assert_close(run.params, at, rtol=0, atol=1e-8)


@pytest.mark.parametrize("memory", [1, 4])
def test_no_loss_lies_above_the_greatest_of_the_last_ones(memory: int) -> None:
    f = losses(Rosenbrock(n=4), BarzilaiBorwein(memory=memory), 80)
    for k in range(1, 81):
        assert (f[k] <= f[max(0, k - memory) : k].amax(dim=0) + 1e-15).all()
    rises = (f[1:] > f[:-1] + 1e-12).any()
    assert bool(rises) == (memory > 1)


def test_every_step_asks_once_and_only_the_trials_that_still_search_ask_again() -> None:
    problem, asked = Rosenbrock(n=2), torch.zeros(3, dtype=torch.int64)

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            asked[slice(None) if rows is None else rows] += 1
            return super().__call__(params, rows)

    for memory in (0, 1):
        run = Loop(problem, BarzilaiBorwein(memory=memory), [0, 1, 2])
        run.oracle = Watching(problem, FixedStream(), 3)
        asked.zero_()
        run.run(30)
        assert torch.equal(torch.as_tensor(run.oracle.evaluations()).expand(3), asked)
        if memory == 0:
            assert asked.tolist() == [31] * 3
        else:
            assert min(asked.tolist()) >= 31
            assert len(set(asked.tolist())) > 1


def test_with_minibatches_both_gradients_of_a_pair_come_from_the_same_batch() -> None:
    run = Loop(TinyNet(), BarzilaiBorwein(lr=0.05, memory=0), [0, 1])
    start = run.params
    run.run(1)
    batch = run.oracle.stream.at(0)
    _, before = TinyNet().loss_and_grad(start, batch)
    _, after = TinyNet().loss_and_grad(run.params, batch)
    s, y = run.params - start, after - before
    torch.testing.assert_close(run.state.a, (s * s).sum(dim=1) / (s * y).sum(dim=1), rtol=1e-9, atol=0)
    run.run(4)
    assert run.oracle.evaluations() == 10


def test_where_the_curvature_is_not_positive_the_length_is_kept_and_elsewhere_bounded() -> None:
    oracle = Quadratic(torch.tensor([[-1.0, -2.0], [1e-3, 1e-3], [50.0, 50.0]], dtype=torch.float64))
    x, rule = torch.ones(3, 2, dtype=torch.float64), BarzilaiBorwein(lr=0.01, lengths=(0.05, 10.0))
    _, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    torch.testing.assert_close(state.a, torch.tensor([0.01, 10.0, 0.05], dtype=torch.float64), rtol=1e-12, atol=0)


def test_a_schedule_multiplies_every_step() -> None:
    oracle = Quadratic(torch.tensor([[1.0, 2.0], [1.0, 2.0]], dtype=torch.float64))
    x, rule = torch.ones(2, 2, dtype=torch.float64), BarzilaiBorwein(lr=0.1)
    x, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    whole, _ = rule.step(x, state, oracle, 1.0)
    half, _ = rule.step(x, state, oracle, 0.5)
    torch.testing.assert_close(half - x, (whole - x) / 2, rtol=1e-14, atol=0)


def test_a_step_that_decreases_too_little_is_halved() -> None:
    """On x² / 2 a step of 1.9999 g lowers the loss by 1e-4 x²; at least 1.9999e-4 x² is asked for, and of 1.999 g no more."""
    oracle, x = Quadratic(torch.ones(2, 1, dtype=torch.float64)), torch.ones(2, 1, dtype=torch.float64)
    rule = BarzilaiBorwein(lr=column(1.9999, 1.999))
    x, _ = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    assert x[:, 0].tolist() == pytest.approx([1 - 1.9999 / 2, -0.999], abs=1e-12)
    assert oracle.count.tolist() == [3, 2]


def test_a_trial_that_finds_no_step_stays_and_tries_shorter_ones_in_its_next() -> None:
    oracle = Quadratic(torch.tensor([[1e9], [1.0]], dtype=torch.float64))
    x, rule = torch.ones(2, 1, dtype=torch.float64), BarzilaiBorwein(lr=0.5, most_evaluations=3)
    after, state = rule.step(x, rule.init(x, oracle.layout), oracle, 1.0)
    assert after.tolist() == [[1.0], [0.5]]
    assert oracle.count.tolist() == [4, 2]
    assert state.a[0].item() == 0.125


def test_lengths_in_the_wrong_order_are_refused() -> None:
    line = r"^BarzilaiBorwein: lengths must hold the smaller number first, got"
    with pytest.raises(ValueError, match=line + r" 1 and 0\.1$"):
        BarzilaiBorwein(lengths=(1.0, 0.1))
    with pytest.raises(ValueError, match=line + r" 3 and 2 in trial 1$"):
        BarzilaiBorwein(lengths=(column(0.1, 3.0), 2.0))
    assert BarzilaiBorwein(lengths=(0.1, 0.1)).lengths == (0.1, 0.1)
