"""The contract tests of interfaces.py, to be run on anybody's problem or optimizer.

Each is a function that returns nothing, or raises ContractError with one sentence that says what is wrong and what mends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .apart import apart
from .columns import elementwise
from .interfaces import Batch, FirstOrder, Optimizer, Params, Problem, select
from .oracle import BatchOracle
from .randomness import Randomness
from .tape import PlainError

SEEDS = [0, 1, 5, 7]
STEPS = 12


class ContractError(Exception):
    """A contract that does not hold."""


def problem_contracts(cls: type[Problem]) -> dict[str, Callable[[], None]]:
    """Contracts of a problem class, by what they state."""
    double = cls(dtype=torch.float64)
    return {
        "start points are finite rows [trials, n] that depend on their own seed alone": lambda: _starts(double),
        "the stream gives the same batch whenever it is asked": lambda: _pure_stream(double),
        "a batch of trials equals the trials one by one": lambda: _one_by_one(double),
        "a trial's result does not depend on its company": lambda: _company(cls()),
        "a trial that is NaN leaves the others as they are": lambda: _nan_row(cls()),
        "float32 and float64 are kept": lambda: _dtypes(cls),
        "gradients agree with finite differences": lambda: _differences(double),
        "evaluate names the objective and what chooses between settings": lambda: _metrics(cls()),
        "a fixed stream has the objective as its loss": lambda: _fixed(double),
        "the minimiser gives the minimum": lambda: _minimum(double),
        "targets fall, and none is met at a start": lambda: _targets(cls()),
    }


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


def demand(truth: bool, sentence: str) -> None:
    """Raise a ContractError with this sentence unless it holds."""
    if not truth:
        raise ContractError(sentence)


def _starts(problem: Problem) -> None:
    rows = problem.start(SEEDS)
    expected = (len(SEEDS), problem.layout.n)
    demand(tuple(rows.shape) == expected, f"start() gives {tuple(rows.shape)}, not [trials, n] = {expected}")
    demand(bool(rows.isfinite().all()), "start() gives values that are not finite")
    demand(torch.equal(problem.start(SEEDS), rows), "start() differs from call to call; draw with optbench.randomness")
    few = problem.start([SEEDS[3], SEEDS[1]])
    demand(torch.equal(few, rows[[3, 1]]), "a row of start() depends on the other seeds; key its draws by its own seed")


def _pure_stream(problem: Problem) -> None:
    stream = problem.stream(SEEDS)
    late, early, again = stream.at(9), stream.at(2), stream.at(9)
    demand(_same(late, again), "stream.at(9) differs when asked twice; draw by (seed, step) with optbench.randomness")
    demand(_same(problem.stream(SEEDS).at(2), early), "two streams of the same seeds differ")
    rows = torch.tensor([3, 1])
    demand(_same(stream.at(2, rows), _rows(early, rows)), "stream.at(step, rows) is not those rows of stream.at(step)")


def _one_by_one(problem: Problem) -> None:
    loss, grad = problem.loss_and_grad(problem.start(SEEDS), problem.stream(SEEDS).at(1))
    demand(
        tuple(loss.shape) == (len(SEEDS),), f"loss() gives {tuple(loss.shape)}, not [trials]; reduce over dim=1 alone"
    )
    for k, seed in enumerate(SEEDS):
        one, slope = problem.loss_and_grad(problem.start([seed]), problem.stream([seed]).at(1))
        near = torch.allclose(one[0], loss[k], rtol=1e-10) and torch.allclose(slope[0], grad[k], rtol=1e-8, atol=1e-11)
        demand(near, f"trial {k} of a batch has loss {loss[k]:.12g}, alone {one[0]:.12g}; loss() mixes rows")


def _company(problem: Problem) -> None:
    rows = torch.tensor([2, 0])
    params, batch = problem.start(SEEDS), problem.stream(SEEDS).at(1)
    whole = problem.loss_and_grad(params, batch)
    part = problem.loss_and_grad(params[rows], _rows(batch, rows))
    demand(
        all(torch.equal(w[rows], p) for w, p in zip(whole, part, strict=True)),
        "bits of a row change with the other rows; use elementwise operations or bmm, not a product with a shared matrix",
    )


def _nan_row(problem: Problem) -> None:
    params, batch = problem.start(SEEDS), problem.stream(SEEDS).at(0)
    broken = params.clone()
    broken[1] = math.nan
    others = torch.tensor([0, 2, 3])
    for whole, part in zip(problem.loss_and_grad(params, batch), problem.loss_and_grad(broken, batch), strict=True):
        demand(torch.equal(whole[others], part[others]), "a row of NaN changes the loss or gradient of other rows")


def _dtypes(cls: type[Problem]) -> None:
    for dtype in (torch.float32, torch.float64):
        problem = cls(dtype=dtype)
        params = problem.start(SEEDS)
        for name, value in (("start()", params), ("loss()", problem.loss(params, problem.stream(SEEDS).at(0)))):
            demand(
                value.dtype == dtype,
                f"{name} gives {value.dtype} where {dtype} was asked; make tensors with **self.kind",
            )


def _differences(problem: Problem) -> None:
    params, batch, h = problem.start(SEEDS), problem.stream(SEEDS).at(1), 1e-6
    grad = problem.loss_and_grad(params, batch)[1]
    for direction in Randomness(range(4), "directions").normal(0, problem.layout.n).to(params.device):
        along = direction / direction.norm()
        with torch.no_grad():
            slope = (problem.loss(params + h * along, batch) - problem.loss(params - h * along, batch)) / (2 * h)
        demand(
            torch.allclose(slope, grad @ along, rtol=1e-4, atol=1e-6),
            f"along a direction the loss rises by {slope[0]:.6g}, the gradient says {(grad @ along)[0]:.6g}",
        )


def _metrics(problem: Problem) -> None:
    found = problem.evaluate(problem.start(SEEDS), 0)
    for name in ("objective", problem.judged_by):
        demand(name in found, f"evaluate() lacks {name!r}; it gives {', '.join(found)}")
    same = torch.equal(problem.objective(problem.start(SEEDS), 0), found["objective"])
    demand(same, "objective() differs from evaluate()['objective']")
    for name, value in found.items():
        demand(
            tuple(value.shape) == (len(SEEDS),), f"evaluate()[{name!r}] has shape {tuple(value.shape)}, not [trials]"
        )
        demand(not value.requires_grad, f"evaluate()[{name!r}] carries a graph; compute it under torch.no_grad()")


def _fixed(problem: Problem) -> None:
    params, stream = problem.start(SEEDS), problem.stream(SEEDS)
    if stream.fixed:
        objective = problem.evaluate(params, 3)["objective"]
        same = torch.equal(problem.loss(params, stream.at(3)), objective)
        demand(same, "the stream says `fixed`, but its loss is not the objective; set fixed = False")


def _minimum(problem: Problem) -> None:
    point, least = problem.minimiser(), problem.minimum()
    if point is None or least is None:
        return
    loss, grad = problem.loss_and_grad(point.expand(2, -1).clone(), problem.stream([0, 1]).at(0))
    if problem.stream([0, 1]).fixed:
        demand(
            abs(loss[0].item() - least) <= 1e-9 * max(1, abs(least)),
            f"the minimiser gives {loss[0]:.12g}, minimum() {least:.12g}",
        )
        demand(grad.abs().max().item() <= 1e-6, f"the gradient at the minimiser is {grad.abs().max():.3g}, not 0")
    starts = problem.evaluate(problem.start(range(20)), 0)["objective"]
    demand(bool((starts >= least).all()), f"a start point lies below minimum() = {least:.12g}")


def _targets(problem: Problem) -> None:
    targets = list(problem.targets())
    demand(
        len(targets) > 0 and targets == sorted(targets, reverse=True), "targets() must give the easiest (largest) first"
    )
    demand(problem.target() in targets, "target() must be one of targets()")
    least = problem.evaluate(problem.start(range(20)), 0)["objective"].min().item()
    demand(least > targets[0], f"target {targets[0]:g} is met at a start point ({least:g})")
    minimum = problem.minimum()
    if minimum is not None:
        demand(targets[-1] > minimum, f"no point can meet target {targets[-1]:g}: the minimum is {minimum:g}")


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


def _same(a: Batch, b: Batch) -> bool:
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


def _rows(batch: Batch, rows: Tensor) -> Batch:
    return None if batch is None else select(batch, rows)
