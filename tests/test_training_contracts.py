"""Each contract of `optbench check` for schedules and modifiers catches a class that breaks it, and says what mends it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import optbench
from optbench.contracts import ContractError, modifier_contracts, schedule_contracts, suited
from optbench.errors import UsageError
from optbench.interfaces import Hyper, Layout, Loss, Params, Problem, ProblemModifier, Schedule, UpdateModifier
from optbench.modifiers import MODIFIERS
from optbench.randomness import Randomness
from optbench.schedules import SCHEDULES
from optbench.verbs.check import check

pytestmark = pytest.mark.usefixtures("types_unchecked")


@dataclass(frozen=True, kw_only=True)
class Flat(Schedule):
    """Follows the losses, and gives them without a second dimension."""

    def init(self, trials: int, steps: int) -> Any:
        return torch.ones(trials, dtype=torch.float64)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return state

    def observe(self, state: Any, loss: Loss) -> Any:
        return 0.9 * state


@dataclass(frozen=True, kw_only=True)
class Endless(Schedule):
    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return math.inf if step == 7 else 1.0


@dataclass(frozen=True, kw_only=True)
class Counting(Schedule):
    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        object.__setattr__(self, "asked", getattr(self, "asked", 0) + 1)
        return 1 / self.asked  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Mean(Flat):
    """Looks at the mean of all trials' losses."""

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return state[:, None]

    def observe(self, state: Any, loss: Loss) -> Any:
        return torch.full_like(state, 1 / (1 + loss.mean().item()))


@dataclass(frozen=True, kw_only=True)
class Kept(Mean):
    """Keeps its column where nobody can take rows of it."""

    def observe(self, state: Any, loss: Loss) -> Any:
        object.__setattr__(self, "column", 1 / (1 + loss))
        return state

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return 1.0 if step == 0 else self.column[: len(state), None]  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Growing(UpdateModifier):
    def apply(self, before: Params, after: Params, lr: Hyper, state: Any) -> tuple[Params, Any]:
        return after * 1e40, state


@dataclass(frozen=True, kw_only=True)
class Pulled(UpdateModifier):
    """Draws the trials together."""

    def apply(self, before: Params, after: Params, lr: Hyper, state: Any) -> tuple[Params, Any]:
        return 0.9 * after + 0.1 * after.mean(dim=0), state


@dataclass(frozen=True, kw_only=True)
class ByPlace(UpdateModifier):
    """Draws numbers by the place of a trial instead of its seed."""

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Any:
        return Randomness(range(len(seeds)), "place").normal(0, layout.n, dtype=params.dtype)

    def apply(self, before: Params, after: Params, lr: Hyper, state: Any) -> tuple[Params, Any]:
        return after + 1e-3 * state, state


@dataclass(frozen=True, kw_only=True)
class Turned(UpdateModifier):
    """Its state has trials as dimension 1."""

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Any:
        return torch.arange(4.0).expand(4, -1) + torch.tensor(seeds)[:4] if len(seeds) == 4 else torch.zeros(4, 4)

    def apply(self, before: Params, after: Params, lr: Hyper, state: Any) -> tuple[Params, Any]:
        return after + 1e-3 * state[0, : len(after), None], state


@dataclass(frozen=True, kw_only=True)
class Picky(ProblemModifier):
    def change(self, problem: Problem) -> Problem:
        raise ValueError("Picky needs the moon")


SCHEDULE_CASES: list[tuple[type[Schedule], str, str]] = [
    (Flat, "factors are finite numbers, or a column [trials, 1] of them", r"shape \[4\]; give a number or a column"),
    (Endless, "factors are finite numbers, or a column [trials, 1] of them", "step 7 of 100 is inf"),
    (Counting, "a factor is the same when asked for twice", r"factor\(50, …\) differs when asked twice"),
    (Mean, "a batch of trials equals the trials one by one", r"trial 0 of a batch differs .* reduce over dim=1"),
    (Mean, "a trial's result does not depend on its company", "bits of a trial change"),
    (Kept, "trials can be selected on the way", "tensors in the state must have trials as dimension 0"),
    (Mean, "a trial that is NaN leaves the others as they are", "a trial of NaN changes the others"),
]
MODIFIER_CASES: list[tuple[Any, str, str]] = [
    (Growing, "steps stay finite", "parameters: not finite after 24 steps"),
    (Pulled, "a batch of trials equals the trials one by one", "trial 0 of a batch differs"),
    (ByPlace, "a trial's result does not depend on its company", "bits of a trial change"),
    (Turned, "trials can be selected on the way", "go on differently"),
    (Pulled, "a trial that is NaN leaves the others as they are", "a trial of NaN changes the others"),
]


def quadratic() -> Problem:
    return optbench.problem("quadratic", n=6, noise=0.1)


@pytest.mark.parametrize(("cls", "contract", "said"), SCHEDULE_CASES)
def test_a_schedule_that_breaks_a_contract_is_caught(cls: type[Schedule], contract: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        schedule_contracts(cls, quadratic())[contract]()


@pytest.mark.parametrize(("cls", "contract", "said"), MODIFIER_CASES)
def test_a_modifier_that_breaks_a_contract_is_caught(cls: Any, contract: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        modifier_contracts(cls, quadratic())[contract]()


def test_all_contracts_are_tried() -> None:
    tried = {contract for _, contract, _ in SCHEDULE_CASES} | {"steps stay finite"}
    assert tried == set(schedule_contracts(SCHEDULES["constant"], quadratic()))
    assert {contract for _, contract, _ in MODIFIER_CASES} == set(modifier_contracts(MODIFIERS["l2"], quadratic()))


@pytest.mark.parametrize("name", [*SCHEDULES, *MODIFIERS])
def test_those_of_the_tables_keep_them(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(name) == 0
    kind = "schedule" if name in SCHEDULES else "modifier"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{name} as a {kind}"
    assert lines[-1] == ("7 of 7 contracts hold" if kind == "schedule" else "5 of 5 contracts hold")


def test_a_modifier_that_no_problem_suits_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"^the modifier takes none of the problems .*: Picky needs the moon$"):
        suited(Picky, [quadratic()])


OWN = """
from dataclasses import dataclass
from optbench.interfaces import OracleModifier, Schedule

@dataclass(frozen=True, kw_only=True)
class Saw(Schedule):
    teeth: int = 3
    def factor(self, step, steps, state): return 1 - (step * self.teeth % steps) / steps

@dataclass(frozen=True, kw_only=True)
class Forgets(OracleModifier):
    def wrap(self, oracle, state, step): return oracle
"""


def test_classes_of_a_file_are_checked_from_the_command_line(typed: Any, folder: Path) -> None:
    (folder / "own.py").write_text(OWN)
    found = typed("check", "./own.py:Saw")
    assert (found.status, found.out.splitlines()[-1]) == (0, "7 of 7 contracts hold")
    found = typed("check", "./own.py:Forgets")
    assert (found.status, found.out.splitlines()[-1]) == (1, "0 of 5 contracts hold")
