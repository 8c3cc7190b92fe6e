"""Each contract of `optbench check` catches a class that breaks it, and says what mends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from optbench.problems.quadratic import Quadratic
from optbench.problems.rosenbrock import Rosenbrock

import optbench
from optbench.contracts import ContractError, optimizer_contracts, problem_contracts
from optbench.interfaces import Batch, FirstOrder, Hyper, Layout, Loss, Oracle, Params, Problem, Rows, Stream
from optbench.randomness import Randomness


class Noise(Stream):
    """A direction for each step and trial."""

    def __init__(self, seeds: Sequence[int], dtype: torch.dtype):
        self.random, self.dtype = Randomness(seeds, "noise"), dtype

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        return self.random.normal(step, 2, rows, self.dtype)


class Impure(Noise):
    """Gives something else whenever asked."""

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        self.asked = getattr(self, "asked", 0) + 1
        return super().at(step, rows) + self.asked


class SharedStart(Rosenbrock):
    def start(self, seeds: Sequence[int]) -> Params:
        at = super().start(seeds)
        return at + at.mean(dim=0)


class GlobalStart(Rosenbrock):
    def start(self, seeds: Sequence[int]) -> Params:
        return torch.rand(len(seeds), 2, **self.kind)


class ImpureStream(Rosenbrock):
    def stream(self, seeds: Sequence[int]) -> Stream:
        return Impure(seeds, self.kind["dtype"])

    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, None) + (0 if batch is None else (params * batch).sum(dim=1))


class Mixes(Rosenbrock):
    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, batch) + 0.1 * params.mean()


class OneLoss(Rosenbrock):
    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, batch).sum()


class CompanyMatters(Rosenbrock):
    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, batch) * (1 + 1e-14 * len(params))


class NanSpreads(Rosenbrock):
    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, batch) + 0 * params.sum()


class DoubleOnly(Rosenbrock):
    def loss(self, params: Params, batch: Batch) -> Loss:
        return super().loss(params, batch).double()


class WrongGradient(Rosenbrock):
    def loss_and_grad(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        loss, grad = super().loss_and_grad(params, batch)
        return loss, 1.01 * grad


class Unjudged(Rosenbrock):
    judged_by: ClassVar[str] = "validation_loss"


class NotFixed(Rosenbrock):
    def objective(self, params: Params, step: int) -> Loss:
        return super().objective(params, step) + 1


class WrongMinimum(Rosenbrock):
    def minimum(self) -> float:
        return 1e-6


class WrongMinimiser(Rosenbrock):
    def minimiser(self) -> torch.Tensor:
        return torch.tensor([1.0, 1.001], **self.kind)


class MetAtStart(Rosenbrock):
    def targets(self) -> Sequence[float]:
        return [1e6, 1e-2]


class OutOfReach(Rosenbrock):
    def targets(self) -> Sequence[float]:
        return [1.0, 1e-2, -1.0]


class WrongOrder(Rosenbrock):
    def targets(self) -> Sequence[float]:
        return [1e-2, 1.0]


class NoneOfThem(Rosenbrock):
    def target(self) -> float:
        return 0.3


START = "start points are finite rows [trials, n] that depend on their own seed alone"
PROBLEMS: list[tuple[type[Problem], str, str]] = [
    (SharedStart, START, "depends on the other seeds"),
    (GlobalStart, START, "differs from call to call"),
    (ImpureStream, "the stream gives the same batch whenever it is asked", "differs when asked twice"),
    (Mixes, "a batch of trials equals the trials one by one", "mixes rows"),
    (OneLoss, "a batch of trials equals the trials one by one", "not [trials]"),
    (CompanyMatters, "a trial's result does not depend on its company", "bits of a row change"),
    (NanSpreads, "a trial that is NaN leaves the others as they are", "a row of NaN changes"),
    (DoubleOnly, "float32 and float64 are kept", "loss() gives torch.float64"),
    (WrongGradient, "gradients agree with finite differences", "the gradient says"),
    (Unjudged, "evaluate names the objective and what chooses between settings", "lacks 'validation_loss'"),
    (NotFixed, "a fixed stream has the objective as its loss", "set fixed = False"),
    (WrongMinimum, "the minimiser gives the minimum", "the minimiser gives"),
    (WrongMinimiser, "the minimiser gives the minimum", "the minimiser gives"),
    (MetAtStart, "targets fall, and none is met at a start", "is met at a start point"),
    (OutOfReach, "targets fall, and none is met at a start", "no point can meet target -1"),
    (WrongOrder, "targets fall, and none is met at a start", "easiest (largest) first"),
    (NoneOfThem, "targets fall, and none is met at a start", "must be one of targets()"),
]


@pytest.mark.parametrize(("cls", "contract", "said"), PROBLEMS, ids=[c.__name__ for c, *_ in PROBLEMS])
def test_a_broken_problem_is_caught(cls: type[Problem], contract: str, said: str) -> None:
    with pytest.raises(ContractError) as told:
        problem_contracts(cls)[contract]()
    assert said in str(told.value)


def test_every_contract_of_problems_has_its_broken_class() -> None:
    assert {contract for _, contract, _ in PROBLEMS} == set(problem_contracts(Rosenbrock))


@pytest.mark.parametrize("cls", [Rosenbrock, Quadratic])
def test_a_sound_problem_passes_every_contract(cls: type[Problem]) -> None:
    for contract in problem_contracts(cls).values():
        contract()


@dataclass(frozen=True, kw_only=True)
class Plain(FirstOrder[Any]):
    """Descent with a state that others spoil."""

    lr: Hyper = 0.01

    def init(self, params: Params, layout: Layout) -> Any:
        return (torch.zeros_like(params),)

    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        m = 0.5 * state[0] + grad
        return params - lr * m, (m,)


class Still(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return params.clone(), state


class Explodes(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return params - math.inf * grad, state


class InPlace(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return params.sub_(lr * grad), state


class Count(Plain):
    def init(self, params: Params, layout: Layout) -> Any:
        return (torch.zeros_like(params), torch.zeros(()))

    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        params, (m,) = super().update(params, grad, state[:1], lr)
        return params, (m, state[1] + 1)


class WholeNorm(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return super().update(params, grad / grad.norm(), state, lr)


class CountsRows(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return super().update(params, grad * (1 + 1e-14 * len(params)), state, lr)


class Forgets(Plain):
    def select(self, state: Any, rows: Rows) -> Any:
        return (torch.zeros_like(state[0][rows]),)


class NanMixes(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return super().update(params, grad + 0 * grad.sum(), state, lr)


class Widens(Plain):
    def init(self, params: Params, layout: Layout) -> Any:
        return (torch.zeros_like(params, dtype=torch.float64),)


class Wanders(Plain):
    def step(self, params: Params, state: Any, oracle: Oracle, factor: Hyper) -> tuple[Params, Any]:
        return super().step(params + 1e-3 * torch.rand_like(params), state, oracle, factor)


class RowNorm(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return super().update(params, grad / grad.norm(dim=1, keepdim=True), state, lr)


class BySize(Plain):
    def update(self, params: Params, grad: Params, state: Any, lr: Hyper) -> tuple[Params, Any]:
        return super().update(params, grad / params.shape[1] ** 0.5, state, lr)


class HonestNorm(RowNorm):
    elementwise: ClassVar[bool] = False


OPTIMIZERS: list[tuple[Callable[[], Plain], str, str]] = [
    (Still, "steps move the parameters and stay finite", "did not move"),
    (Explodes, "steps move the parameters and stay finite", "not finite"),
    (InPlace, "a step does not change its arguments", "return new ones"),
    (Count, "state tensors have trials as dimension 0", "keep counts as int"),
    (WholeNorm, "a batch of trials equals the trials one by one", "reduce over dim=1 alone"),
    (Wanders, "a batch of trials equals the trials one by one", "differs from the same trial alone"),
    (CountsRows, "a trial's result does not depend on its company", "bits of a trial change"),
    (Forgets, "trials can be selected on the way", "go on differently"),
    (NanMixes, "a trial that is NaN leaves the others as they are", "changes the others"),
    (Widens, "float32 stays float32", "became torch.float64"),
    (RowNorm, "a rule that says so treats elements apart", "set `elementwise: ClassVar[bool] = False`"),
    (BySize, "a rule that says so treats elements apart", "set `elementwise: ClassVar[bool] = False`"),
]


def contracts_of(build: Callable[[], Any]) -> dict[str, Callable[[], None]]:
    double = optbench.problem("quadratic", n=6, noise=0.1)
    return optimizer_contracts(build, double, optbench.problem("quadratic", n=6, noise=0.1, dtype=torch.float32))


@pytest.mark.parametrize(("build", "contract", "said"), OPTIMIZERS, ids=[b.__name__ for b, *_ in OPTIMIZERS])
def test_a_broken_optimizer_is_caught(build: Callable[[], Plain], contract: str, said: str) -> None:
    with pytest.raises(ContractError) as told:
        contracts_of(build)[contract]()
    assert said in str(told.value)


def test_every_contract_of_optimizers_has_its_broken_class() -> None:
    assert {contract for _, contract, _ in OPTIMIZERS} == set(contracts_of(Plain))


@pytest.mark.parametrize("build", [Plain, HonestNorm, "adam", "lbfgs", "torch.optim.NAdam"])
def test_a_sound_optimizer_passes_every_contract(build: Any) -> None:
    for contract in contracts_of((lambda: optbench.optimizer(build)) if isinstance(build, str) else build).values():
        contract()
