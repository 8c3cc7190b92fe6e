from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from contracts import TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import FirstOrder, Hyper, Layout, Optimizer, Oracle, Params, Schedule, UpdateModifier
from optbench.modifiers import MODIFIERS
from optbench.optimizers import OPTIMIZERS
from optbench.schedules import SCHEDULES
from optbench.schedules.several import Several
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


@dataclass(frozen=True, kw_only=True)
class Given(Schedule):
    """Whatever it is made with."""

    value: Any = 1.0

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return self.value


@pytest.mark.usefixtures("types_unchecked")
@pytest.mark.parametrize("value", [0.5, torch.tensor(0.5), torch.full((4, 1), 0.5)])
def test_a_factor_is_a_number_or_a_column(value: Any) -> None:
    halved, plain = (
        Trials(TinyNet(), OPTIMIZERS["sgd"](lr=lr), Given(value=factor), [], SEEDS, 3)
        for lr, factor in ((1.0, value), (0.5, 1.0))
    )
    halved.step(0)
    plain.step(0)
    assert torch.equal(halved.params, plain.params)


@pytest.mark.usefixtures("types_unchecked")
@pytest.mark.parametrize("shape", [(4,), (1,), (4, 2), (2, 1)])
@pytest.mark.parametrize("other", [False, True])
def test_a_factor_of_another_shape_is_refused(shape: tuple[int, ...], other: bool) -> None:
    wrong = Given(value=torch.ones(shape))
    schedule = Several(rate=Given(), others={"momentum": wrong}) if other else wrong
    at = Trials(Rosenbrock(n=4), OPTIMIZERS["momentum"](), schedule, [], SEEDS, 3)
    with pytest.raises(TypeError, match=r"^Given: a factor must be a number or a column \[4, 1\], .* got \["):
        at.step(0)


@dataclass(frozen=True, kw_only=True)
class Late(FirstOrder[int]):
    """Gives too little from its third step on."""

    lr: Hyper = 0.1

    def init(self, params: Params, layout: Layout) -> int:
        return 0

    def update(self, params: Params, grad: Params, state: int, lr: Hyper) -> tuple[Params, int]:
        return params[:, state // 2 :], state + 1


@dataclass(frozen=True, kw_only=True)
class Narrow(UpdateModifier):
    """Gives the first numbers only."""

    def apply(self, before: Params, after: Params, lr: Hyper, state: Any) -> tuple[Params, Any]:
        return after[:, :1], state


@pytest.mark.usefixtures("types_unchecked")
def test_who_gives_parameters_of_another_shape_is_named_at_whatever_step() -> None:
    late = Trials(Rosenbrock(n=4), Late(), Given(), [], SEEDS, 9)
    for step in range(2):
        late.step(step)
    with pytest.raises(TypeError, match=r"^Late: a step must give parameters \[4, 4\] of .* got \[4, 3\]"):
        late.step(2)
    with pytest.raises(TypeError, match=r"^Narrow: a step must give parameters \[4, 4\] of .* got \[4, 1\]"):
        trials(Rosenbrock(n=4), "adam", Narrow()).step(0)
