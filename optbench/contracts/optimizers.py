"""The contract tests of an optimizer, tried step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..apart import apart
from ..columns import elementwise
from ..interfaces import FirstOrder, Optimizer, Params, Problem, select
from ..oracle import BatchOracle
from ..tape import PlainError
from .contract import SEEDS, STEPS, ContractError, demand


def optimizer_contracts(
    build: Callable[[], Optimizer], problem: Problem, single: Problem
) -> dict[str, Callable[[], None]]:
    """Contracts of an optimizer, tried on a problem in float64 and the same one in float32."""
    return {
        "steps move the parameters and stay finite": lambda: _moves(build, problem),
        "a step does not change its arguments": lambda: _untouched(build, problem),
        "state tensors have trials as dimension 0": lambda: _state_rows(build, problem),
        "a batch of trials equals the trials one by one": lambda: _steps_one_by_one(build, problem),
        "a trial's result does not depend on its company": lambda: _steps_company(build, problem),
        "trials can be selected on the way": lambda: _steps_selected(build, problem),
        "a trial that is NaN leaves the others as they are": lambda: _steps_nan(build, problem),
        "float32 stays float32": lambda: _steps_dtype(build, single),
        "a rule that says so treats elements apart": lambda: _steps_apart(build, problem),
    }


class _Loop:
    """A training loop with nothing in it but the contracts."""

    def __init__(self, build: Callable[[], Optimizer], problem: Problem, seeds: list[int], nan: int | None = None):
        self.optimizer = build()
        self.params = problem.start(seeds)
        if nan is not None:
            self.params[nan] = math.nan
        self.oracle = BatchOracle(problem, problem.stream(seeds), len(seeds))
        self.state = self.optimizer.init(self.params, problem.layout)
        self.t = 0

    def run(self, steps: int = STEPS) -> Params:
        for _ in range(steps):
            self.oracle.move(self.t)
            self.params, self.state = self.optimizer.step(self.params, self.state, self.oracle, 1.0)
            self.t += 1
        return self.params

    def keep(self, rows: Tensor) -> None:
        self.params, self.state = self.params[rows], self.optimizer.select(self.state, rows)
        self.optimizer = select(self.optimizer, rows)
        self.oracle.keep(rows)


def _moves(build: Callable[[], Optimizer], problem: Problem) -> None:
    loop = _Loop(build, problem, SEEDS)
    start = loop.params.clone()
    end = loop.run()
    demand(bool(end.isfinite().all()), f"parameters are not finite after {STEPS} steps with the default settings")
    demand(bool((end != start).any(dim=1).all()), f"a trial did not move in {STEPS} steps")


def _untouched(build: Callable[[], Optimizer], problem: Problem) -> None:
    loop = _Loop(build, problem, SEEDS)
    before, kept = loop.params, loop.params.clone()
    loop.run(1)
    demand(torch.equal(before, kept), "step() changed the parameters it was given; return new ones")


def _state_rows(build: Callable[[], Optimizer], problem: Problem) -> None:
    loop = _Loop(build, problem, SEEDS)
    loop.run(3)
    for tensor in _tensors(loop.state):
        demand(
            tensor.ndim > 0 and tensor.shape[0] == len(SEEDS),
            f"a state tensor has shape {tuple(tensor.shape)}; dimension 0 must be trials (keep counts as int)",
        )


def _steps_one_by_one(build: Callable[[], Optimizer], problem: Problem) -> None:
    together = _Loop(build, problem, SEEDS).run()
    for k, seed in enumerate(SEEDS):
        alone = _Loop(build, problem, [seed]).run()[0]
        near = torch.allclose(alone, together[k], rtol=1e-9, atol=1e-12)
        demand(
            near,
            f"trial {k} of a batch differs from the same trial alone by {(alone - together[k]).abs().max():.3g}; reduce over dim=1 alone",
        )


def _steps_company(build: Callable[[], Optimizer], problem: Problem) -> None:
    rows = [2, 0]
    together = _Loop(build, problem, SEEDS).run()
    fewer = _Loop(build, problem, [SEEDS[k] for k in rows]).run()
    demand(torch.equal(together[rows], fewer), "bits of a trial change with the trials beside it")


def _steps_selected(build: Callable[[], Optimizer], problem: Problem) -> None:
    rows = torch.tensor([3, 1])
    whole, part = _Loop(build, problem, SEEDS), _Loop(build, problem, SEEDS)
    whole.run(2 * STEPS)
    part.run(STEPS)
    part.keep(rows)
    part.run(STEPS)
    demand(
        torch.equal(whole.params[rows], part.params), "after select(state, rows) the remaining trials go on differently"
    )


def _steps_nan(build: Callable[[], Optimizer], problem: Problem) -> None:
    others = torch.tensor([0, 2, 3])
    healthy = _Loop(build, problem, SEEDS).run()
    beside = _Loop(build, problem, SEEDS, nan=1).run()
    demand(torch.equal(healthy[others], beside[others]), "a trial of NaN changes the others")


def _steps_dtype(build: Callable[[], Optimizer], problem: Problem) -> None:
    loop = _Loop(build, problem, SEEDS)
    dtype = loop.params.dtype
    for _ in range(2):
        loop.run(1)
        for tensor in (loop.params, *_tensors(loop.state)):
            wrong = tensor.is_floating_point() and tensor.dtype != dtype
            demand(not wrong, f"{dtype} parameters became {tensor.dtype}; make tensors like params")


def _steps_apart(build: Callable[[], Optimizer], problem: Problem) -> None:
    optimizer = build()
    if elementwise(optimizer):
        assert isinstance(optimizer, FirstOrder)
        try:
            same = apart(optimizer, optimizer.lr, problem.start(SEEDS))
        except PlainError as error:
            raise ContractError(f"it {error}") from error
        demand(
            same,
            "some columns alone move otherwise than among all, as norms, sizes or other elements enter; "
            "set `elementwise: ClassVar[bool] = False` in the class",
        )


def _tensors(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, dict):
        return [t for item in state.values() for t in _tensors(item)]
    if isinstance(state, (tuple, list)):
        return [t for item in state for t in _tensors(item)]
    return []
