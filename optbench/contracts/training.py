"""The contract tests of schedules and modifiers, tried in whole steps of training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..interfaces import Modifier, Problem, Schedule
from ..optimizers.momentum import Momentum
from ..schedules.constant import Constant
from ..trials import Trials, fitted
from .contract import SEEDS, STEPS, demand

LENGTH = 100
"""Steps of the budget whose factors are looked at."""
BUDGET = 2 * STEPS
"""Steps of a run, halfway through which trials may leave."""
Parts = Callable[[], tuple[Schedule, list[Modifier]]]


def schedule_contracts(build: Callable[[], Schedule], problem: Problem) -> dict[str, Callable[[], None]]:
    """Contracts of a schedule, tried on a problem in float64."""
    return {
        "factors are finite numbers, or a column [trials, 1] of them": lambda: _factors(build()),
        "a factor is the same when asked for twice": lambda: _pure_factors(build()),
        **_in_training(lambda: (build(), []), problem),
    }


def modifier_contracts(build: Callable[[], Modifier], problem: Problem) -> dict[str, Callable[[], None]]:
    """Contracts of a modifier, tried on a problem in float64 that it takes."""
    return _in_training(lambda: (Constant(), [build()]), problem)


def suited(build: Callable[[], Modifier], problems: list[Problem]) -> Problem:
    """The first of these problems that a modifier takes.

    Raises:
        UsageError: it takes none.
    """
    refused = ""
    for problem in problems:
        try:
            fitted(problem, [build()], BUDGET)
        except ValueError as error:
            refused = str(error)
        else:
            return problem
    raise UsageError(f"the modifier takes none of the problems that it would be tried on: {refused}")


def _in_training(parts: Parts, problem: Problem) -> dict[str, Callable[[], None]]:
    return {
        "steps stay finite": lambda: _finite(parts, problem),
        "a batch of trials equals the trials one by one": lambda: _one_by_one(parts, problem),
        "a trial's result does not depend on its company": lambda: _company(parts, problem),
        "trials can be selected on the way": lambda: _selected(parts, problem),
        "a trial that is NaN leaves the others as they are": lambda: _nan(parts, problem),
    }


def _factors(schedule: Schedule) -> None:
    for step, factor in _seen(schedule):
        shape = tuple(factor.shape) if isinstance(factor, Tensor) else ()
        demand(
            shape in ((), (len(SEEDS), 1)),
            f"the factor of step {step} has shape {list(shape)}; give a number or a column [trials, 1]",
        )
        finite = bool(torch.as_tensor(factor).isfinite().all())
        demand(finite, f"the factor of step {step} of {LENGTH} is {factor}, which is not finite")


def _pure_factors(schedule: Schedule) -> None:
    state = schedule.init(len(SEEDS), LENGTH)
    for step in (LENGTH // 2, 0, LENGTH - 1):
        first, again = (torch.as_tensor(schedule.factor(step, LENGTH, state)) for _ in range(2))
        demand(
            torch.equal(first, again),
            f"factor({step}, …) differs when asked twice; keep what changes in the state that observe() returns",
        )


def _seen(schedule: Schedule) -> list[tuple[int, Any]]:
    """Factors of a run whose losses stay as they are, step by step."""
    state, seen = schedule.init(len(SEEDS), LENGTH), []
    for step in range(LENGTH):
        seen.append((step, schedule.factor(step, LENGTH, state)))
        state = schedule.observe(state, torch.ones(len(SEEDS), dtype=torch.float64))
    return seen


def _run(parts: Parts, problem: Problem, seeds: list[int], nan: int | None = None, steps: int = BUDGET) -> Trials:
    """The trials after so many steps of the budget."""
    schedule, modifiers = parts()
    trials = Trials(problem, Momentum(lr=0.01), schedule, modifiers, seeds, BUDGET)
    if nan is not None:
        trials.params[nan] = math.nan
    for step in range(steps):
        trials.step(step)
    return trials


def _finite(parts: Parts, problem: Problem) -> None:
    trials = _run(parts, problem, SEEDS)
    for name, rows in (("parameters", trials.params), ("the judged point", trials.judged)):
        demand(bool(rows.isfinite().all()), f"{name}: not finite after {BUDGET} steps with the default settings")


def _one_by_one(parts: Parts, problem: Problem) -> None:
    together = _run(parts, problem, SEEDS).judged
    for k, seed in enumerate(SEEDS):
        alone = _run(parts, problem, [seed]).judged[0]
        demand(
            torch.allclose(alone, together[k], rtol=1e-9, atol=1e-12),
            f"trial {k} of a batch differs from the same trial alone by {(alone - together[k]).abs().max():.3g}; "
            "reduce over dim=1 alone",
        )


def _company(parts: Parts, problem: Problem) -> None:
    rows = [2, 0]
    together = _run(parts, problem, SEEDS).judged
    fewer = _run(parts, problem, [SEEDS[k] for k in rows]).judged
    demand(torch.equal(together[rows], fewer), "bits of a trial change with the trials beside it")


def _selected(parts: Parts, problem: Problem) -> None:
    rows = torch.tensor([3, 1])
    whole, part = _run(parts, problem, SEEDS), _run(parts, problem, SEEDS, steps=STEPS)
    part.keep(rows)
    for step in range(STEPS, BUDGET):
        part.step(step)
    demand(
        torch.equal(whole.judged[rows], part.judged),
        "once trials leave, those that remain go on differently; tensors in the state must have trials as dimension 0",
    )


def _nan(parts: Parts, problem: Problem) -> None:
    others = torch.tensor([0, 2, 3])
    healthy, beside = _run(parts, problem, SEEDS).judged, _run(parts, problem, SEEDS, nan=1).judged
    demand(torch.equal(healthy[others], beside[others]), "a trial of NaN changes the others")
