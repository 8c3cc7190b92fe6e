from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Batch, Loss, Params
from optbench.oracle import BatchOracle, chunks

SEEDS = [4, 0, 9, 2, 7]


@dataclass(frozen=True, kw_only=True)
class InChunks(TinyNet):
    """The tiny network, which notes how many rows it is given at a time."""

    loss_chunk: ClassVar[int | None] = 2
    given: ClassVar[list[int]] = []

    def loss(self, params: Params, batch: Batch) -> Loss:
        self.given.append(len(params))
        return super().loss(params, batch)


def test_chunks_cover_all_rows_in_order_and_none_is_a_single_row() -> None:
    for rows in range(2, 40):
        for size in range(1, 45):
            parts = chunks(rows, size)
            assert [r for part in parts for r in range(rows)[part]] == list(range(rows))
            lengths = [part.stop - part.start for part in parts]
            assert min(lengths) >= 2
            assert max(lengths) <= max(size, 3)
    assert chunks(1, 8) == [slice(0, 1)]


def test_an_oracle_answers_with_loss_and_gradient_on_the_batch_of_its_step() -> None:
    problem = TinyNet()
    params, stream = problem.start(SEEDS), problem.stream(SEEDS)
    oracle = BatchOracle(problem, stream, len(SEEDS))
    for step in (0, 3, 1):
        oracle.move(step)
        at = params.clone().requires_grad_()
        expected = problem.loss(at, stream.at(step))
        loss, grad = oracle(params)
        assert torch.equal(loss, expected.detach())
        assert torch.equal(grad, torch.autograd.grad(expected.sum(), at)[0])
        assert oracle.first_params is params
        assert oracle.first_loss is loss


def test_every_call_is_counted_for_each_trial_it_serves() -> None:
    problem = TinyNet()
    params = problem.start(SEEDS)
    oracle = BatchOracle(problem, problem.stream(SEEDS), len(SEEDS))
    oracle(params)
    oracle(params)
    assert oracle.evaluations() == 2
    oracle(params[[1, 3]], rows=torch.tensor([1, 3]))
    oracle(params[[3]], rows=torch.tensor([3]))
    assert oracle.evaluations().tolist() == [2, 3, 2, 4, 2]
    oracle.keep(torch.tensor([3, 0]))
    oracle.move(1)
    oracle(params[[3, 0]])
    assert oracle.evaluations().tolist() == [5, 3]


def test_some_trials_asked_alone_see_their_own_batches_bit_by_bit() -> None:
    problem = TinyNet()
    params = problem.start(SEEDS)
    oracle = BatchOracle(problem, problem.stream(SEEDS), len(SEEDS))
    oracle.move(6)
    whole = oracle(params)
    for rows in ([1, 3], [4], [2, 0, 1]):
        some = oracle(params[rows], rows=torch.tensor(rows))
        assert all(torch.equal(w[rows], s) for w, s in zip(whole, some, strict=True))
    oracle.keep(torch.tensor([4, 2]))
    kept = oracle(params[[4, 2]])
    assert all(torch.equal(w[[4, 2]], k) for w, k in zip(whole, kept, strict=True))
    one = oracle(params[[2]], rows=torch.tensor([1]))
    assert all(torch.equal(w[[2]], o) for w, o in zip(whole, one, strict=True))


def test_the_chunks_of_a_loss_are_no_part_of_its_result() -> None:
    whole, parts = TinyNet(), InChunks()
    params = whole.start(SEEDS)
    InChunks.given.clear()
    expected = BatchOracle(whole, whole.stream(SEEDS), len(SEEDS))(params)
    found = BatchOracle(parts, parts.stream(SEEDS), len(SEEDS))(params)
    assert all(torch.equal(e, f) for e, f in zip(expected, found, strict=True))
    assert InChunks.given == [2, 3]


@pytest.mark.parametrize(("problem", "fixed"), [(Rosenbrock(), True), (TinyNet(), False)])
def test_an_oracle_says_whether_every_step_has_the_same_objective(problem, fixed: bool) -> None:
    assert BatchOracle(problem, problem.stream(SEEDS), len(SEEDS)).fixed is fixed


@pytest.mark.parametrize("hidden", [(5,), (33,)])
def test_bits_do_not_depend_on_the_company_where_rows_begin_at_odd_places(hidden: tuple[int, ...]) -> None:
    """Rows of an odd number of float32 values: the matrices of some trials begin elsewhere than those of others."""
    problem, seeds = MLP(hidden=hidden), list(range(7))
    assert problem.layout.n % 2 == 1
    params = problem.start(seeds)
    oracle = BatchOracle(problem, problem.stream(seeds), len(seeds))
    whole = oracle(params)
    for rows in ([5, 6], [0, 1], [1, 2, 3], [2, 4, 6], [6, 0]):
        part = oracle(params[rows], torch.tensor(rows))
        assert torch.equal(part[0], whole[0][rows])
        assert torch.equal(part[1], whole[1][rows])
