from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from contracts import TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Hyper, Layout, Optimizer, Oracle, Params
from optbench.modifiers import MODIFIERS
from optbench.optimizers import OPTIMIZERS
from optbench.schedules import SCHEDULES
from optbench.trials import Trials

SEEDS = [3, 1, 4, 5]


def trials(problem: Any, name: str, *modifiers: Any, steps: int = 20, **settings: Any) -> Trials:
    schedule = SCHEDULES["cosine"]()
    return Trials(problem, OPTIMIZERS[name](**settings), schedule, list(modifiers), SEEDS, steps)


@pytest.mark.parametrize("name", ["adam", "lbfgs", "momentum"])
def test_trials_that_leave_do_not_change_those_that_stay(name: str) -> None:
    modifiers = [MODIFIERS["clip_norm"](max_norm=column(1, 2, 3, 4)), MODIFIERS["weight_decay"]()]
    whole = trials(TinyNet(), name, *modifiers, lr=column(0.01, 0.02, 0.03, 0.04))
    part = trials(TinyNet(), name, *modifiers, lr=column(0.01, 0.02, 0.03, 0.04))
    for step in range(5):
        whole.step(step)
        part.step(step)
    part.keep(torch.tensor([3, 1]))
    for step in range(5, 12):
        losses = whole.step(step)
        assert torch.equal(losses[[3, 1]], part.step(step))
    assert torch.equal(whole.params[[3, 1]], part.params)


def test_the_loss_of_a_step_is_taken_where_the_step_began() -> None:
    problem = TinyNet()
    at = trials(problem, "sgd", lr=0.1)
    for step in range(3):
        before = at.params
        assert torch.equal(at.step(step), problem.loss(before, problem.stream(SEEDS).at(step)))
        assert at.objective_seen(before) is None


def test_the_objective_comes_for_nothing_where_it_is_the_loss_asked_for() -> None:
    at = trials(Rosenbrock(), "sgd")
    before = at.params
    loss = at.step(0)
    assert at.objective_seen(before) is loss
    assert at.objective_seen(at.params) is None


def test_penalties_come_before_clipping_whatever_their_order() -> None:
    problem, decay, most = TinyNet(), 0.5, 0.25
    at = trials(problem, "sgd", MODIFIERS["clip_norm"](max_norm=most), MODIFIERS["l2"](strength=decay), lr=1.0)
    start = at.params.clone().requires_grad_()
    at.step(0)
    loss = problem.loss(start, problem.stream(SEEDS).at(0)).sum()
    grad = torch.autograd.grad(loss, start)[0]
    after_penalty = trials(problem, "sgd", MODIFIERS["l2"](strength=decay), lr=1.0)
    after_penalty.step(0)
    penalised = start.detach() - after_penalty.params
    assert not torch.allclose(penalised, grad)
    shorter = penalised * (most / penalised.norm(dim=1, keepdim=True)).clamp(max=1)
    assert torch.allclose(start.detach() - at.params, shorter, rtol=1e-6)


@dataclass(frozen=True, kw_only=True)
class Blind(Optimizer[tuple[()]]):
    """Never asks for a gradient."""

    def init(self, params: Params, layout: Layout) -> tuple[()]:
        return ()

    def step(self, params: Params, state: tuple[()], oracle: Oracle, factor: Hyper) -> tuple[Params, tuple[()]]:
        return params - 1, ()


def test_an_optimizer_that_never_asks_is_told_so() -> None:
    at = Trials(TinyNet(), Blind(), SCHEDULES["constant"](), [], SEEDS, 3)
    with pytest.raises(TypeError, match=r"Blind\.step never asked the oracle"):
        at.step(0)
