"""Accumulation, against a torch loop with several backward passes, a larger minibatch, and by count."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.modifiers.accumulation import Accumulation
from optbench.modifiers.clip_norm import ClipNorm
from optbench.optimizers.lbfgs import LBFGS
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.sgd import SGD
from optbench.plan import plan
from optbench.schedules.constant import Constant
from optbench.trials import Trials


def trials_of(problem: Any, rule: Any, seeds: list[int], *modifiers: Any) -> Trials:
    return Trials(problem, rule, Constant(), list(modifiers), seeds, 60)


@pytest.mark.parametrize("most", [None, 0.2])
def test_it_equals_several_backward_passes_before_each_step_and_clips_their_mean(most: float | None) -> None:
    problem, k = TinyNet(), 3
    clip = [] if most is None else [ClipNorm(max_norm=most)]
    ours = trials_of(problem, Momentum(lr=0.05, momentum=0.9), [1], *clip, Accumulation(batches=k))
    theirs = problem.start([1]).requires_grad_()
    optimizer, stream = torch.optim.SGD([theirs], lr=0.05, momentum=0.9), problem.stream([1])
    for step in range(50):
        optimizer.zero_grad()
        for i in range(k):
            (problem.loss(theirs, stream.at(k * step + i)) / k).sum().backward()
        assert theirs.grad is not None
        if most is not None:
            theirs.grad *= min(1.0, most / theirs.grad.norm().item())
        optimizer.step()
        ours.step(step)
        torch.testing.assert_close(ours.params, theirs.detach(), rtol=1e-9, atol=1e-12)


def test_a_step_is_that_of_a_minibatch_as_large_as_all_together() -> None:
    few, many = (MLP(data="iris", hidden=(4,), batch_size=size, dtype=torch.float64) for size in (8, 24))
    accumulated = trials_of(few, SGD(lr=0.1), [0, 1], Accumulation(batches=3))
    large = trials_of(many, SGD(lr=0.1), [0, 1])
    for step in range(2):  # within the first epoch, in which both meet the samples in the same order
        torch.testing.assert_close(accumulated.step(step), large.step(step), rtol=1e-12, atol=0)
        torch.testing.assert_close(accumulated.params, large.params, rtol=1e-12, atol=1e-14)


def test_every_minibatch_is_counted_for_each_trial_also_in_a_line_search() -> None:
    trials = trials_of(TinyNet(), SGD(), [0, 1], Accumulation(batches=4))
    for step in range(5):
        trials.step(step)
    assert trials.oracle.evaluations() == 20
    searching = [trials_of(TinyNet(), LBFGS(), [0, 1, 2], *m) for m in ([], [Accumulation(batches=4)])]
    first = [torch.as_tensor(t.step(0)) for t in searching]
    made = torch.as_tensor(searching[1].oracle.evaluations())
    assert (made % 4 == 0).all()
    assert (made >= 8).all()
    assert not torch.equal(*first)


def test_moving_statistics_go_towards_the_mean_of_the_minibatches() -> None:
    problem = MLP(data="iris", hidden=(4,), batch_size=8, normalisation="batch", moving_statistics=True)
    layout, moved = problem.layout, []
    for batch in (0, 1):
        alone = trials_of(problem, SGD(lr=0.0), [0, 1])
        alone.step(batch)
        moved.append(alone.params)
    both = trials_of(problem, SGD(lr=0.0), [0, 1], Accumulation(batches=2))
    start = both.params
    both.step(0)
    for name, role in zip(layout.names, layout.roles, strict=True):
        value, first, second = (layout.split(p)[name] for p in (both.params, *moved))
        torch.testing.assert_close(value, (first + second) / 2)
        assert torch.equal(value, layout.split(start)[name]) == (role != "buffer")


def test_a_fixed_objective_is_left_as_it_is_and_counted_once() -> None:
    trials, plain = (trials_of(Rosenbrock(), SGD(), [0, 1], *m) for m in ([Accumulation(batches=4)], []))
    for step in range(3):
        trials.step(step)
        plain.step(step)
    assert torch.equal(trials.params, plain.params)
    assert trials.oracle.evaluations() == 3


def test_less_than_one_minibatch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Accumulation: batches must lie in \[1, inf\), whole, got 0$"):
        Accumulation(batches=0)


def test_it_is_named_where_it_works_before_all_that_change_the_answer() -> None:
    labels = {
        plan(["problem=mlp", f"modifier=[{chosen}]"]).runs[0].labels["modifier"]
        for chosen in ("accumulation,clip_norm", "clip_norm,accumulation")
    }
    assert labels == {"accumulation+clip_norm"}
