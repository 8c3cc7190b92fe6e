"""The contract tests of a problem."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..interfaces import Batch, Problem, select
from ..randomness import Randomness
from .contract import SEEDS, demand


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


def _same(a: Batch, b: Batch) -> bool:
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


def _rows(batch: Batch, rows: Tensor) -> Batch:
    return None if batch is None else select(batch, rows)
