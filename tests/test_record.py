from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from optbench.interfaces import Layout, Loss, Params, Problem
from optbench.record import Recorder, grid_steps, recorded_steps


@dataclass(frozen=True, kw_only=True)
class Told(Problem):
    """A problem whose values the test makes up."""

    @property
    def layout(self) -> Layout:
        return Layout.point(2)

    def start(self, seeds: Sequence[int]) -> Params:
        return torch.zeros(len(seeds), 2, **self.kind)

    def loss(self, params: Params, batch: Any) -> Loss:
        return params.sum(dim=1)

    def minimum(self) -> None:
        return None

    def targets(self) -> Sequence[float]:
        return [0.5, 0.1, 0.02]

    def target(self) -> float:
        return 0.1


@dataclass(frozen=True, kw_only=True)
class Costly(Told):
    cheap: ClassVar[bool] = False


def a_trace(steps: int, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses [steps, trials], objectives [steps + 1, trials] and evaluations made before each step, with accidents."""
    random = np.random.default_rng(seed)
    objectives = np.exp(np.cumsum(random.normal(-0.03, 0.3, (steps + 1, trials)), axis=0))
    losses = objectives[:-1] + random.normal(0, 0.01, (steps, trials))
    for k in range(0, trials, 2):
        table = (losses, objectives)[k // 2 % 2]
        table[random.integers(1, len(table)), k] = (math.nan, math.inf, -math.inf, 3e10)[k // 2 % 4]
    made = np.cumsum(random.integers(1, 4, (steps + 1, trials)), axis=0)
    return losses, objectives, made - made[0]


def by_hand(
    losses: np.ndarray, objectives: np.ndarray, made: np.ndarray, looked: Sequence[int], k: int
) -> dict[str, Any]:
    """What is to be recorded of trial k, in plain Python, a step at a time."""
    steps = len(losses)
    limit = 1e10 * max(1.0, abs(objectives[0, k]))
    best, died, hits = math.inf, -1, dict.fromkeys((0.5, 0.1, 0.02), (math.inf, math.inf))
    evaluations, final = made[steps, k], math.inf
    for s in range(steps + 1):
        seen = [objectives[s, k]] if s in looked else []
        judged = seen if len(looked) == steps + 1 else seen + ([losses[s, k]] if s < steps else [])
        if any(not abs(v) <= limit for v in judged):
            died, evaluations = s, made[s, k]
            break
        for value in seen:
            best = min(best, value)
            for target, (step, _) in hits.items():
                if value <= target and step == math.inf:
                    hits[target] = (s, made[s, k])
    else:
        final = objectives[steps, k]
    return {"died": died, "best": best, "hits": hits, "evaluations": evaluations, "final": final}


def recorded(
    problem: Problem, losses: np.ndarray, objectives: np.ndarray, made: np.ndarray, *, leave: bool, each: bool
):
    """The recorder fed with the same trace; trials that died leave at once if asked."""
    steps, trials = losses.shape
    recorder = Recorder(problem, trials, steps)
    rows = torch.arange(trials)

    def at(table: np.ndarray, s: int) -> torch.Tensor:
        return torch.from_numpy(table[s])[rows]

    def count(s: int) -> int | torch.Tensor:
        return at(made, s) if each else int(made[s, 0])

    recorder.begin(torch.from_numpy(objectives[0]))
    for s in range(steps):
        if s in recorder.grid:
            recorder.metrics(s, {"objective": at(objectives, s), "accuracy": -at(objectives, s)})
        recorder.add(at(losses, s), at(objectives, s) if problem.cheap else None, count(s))
        if recorder.full:
            alive = recorder.flush()
            if leave and 0 < len(alive) < len(rows):
                recorder.keep(alive)
                rows = rows[alive]
    recorder.flush()
    recorder.end({"objective": at(objectives, steps), "accuracy": -at(objectives, steps)}, {}, count(steps))
    return recorder.recording()


@pytest.mark.parametrize("problem", [Told(), Costly()], ids=["every step", "grid"])
@pytest.mark.parametrize("leave", [False, True], ids=["all stay", "the dead leave"])
@pytest.mark.parametrize("steps", [7, 64, 500])
def test_what_is_recorded_equals_a_plain_loop_over_the_trace(problem: Problem, leave: bool, steps: int) -> None:
    losses, objectives, made = a_trace(steps, 24, seed=steps)
    looked = range(steps + 1) if problem.cheap else [*grid_steps(steps), steps]
    for each in (True, False):
        counts = made if each else np.repeat(made[:, :1], made.shape[1], axis=1)
        recording = recorded(problem, losses, objectives, counts, leave=leave, each=each)
        for k in range(24):
            told = by_hand(losses, objectives, counts, looked, k)
            assert recording.died[k] == told["died"]
            assert recording.best_loss[k] == told["best"]
            assert recording.final_loss[k] == told["final"]
            assert recording.evaluations[k] == told["evaluations"]
            assert [(s[k], e[k]) for s, e in zip(recording.hit_steps, recording.hit_evaluations, strict=True)] == list(
                told["hits"].values()
            )
    assert (recording.died >= 0).sum() >= 6


@pytest.mark.parametrize("problem", [Told(), Costly()], ids=["every step", "grid"])
def test_curves_hold_the_trace_at_the_recorded_steps(problem: Problem) -> None:
    losses, objectives, made = a_trace(300, 6, seed=1)
    recording = recorded(problem, losses, objectives, made, leave=True, each=True)
    grid = range(301) if problem.cheap else [*grid_steps(300), 300]
    for k in range(6):
        lived = [s for s in recording.steps if recording.died[k] < 0 or s < recording.died[k]]
        for s in lived:
            i = list(recording.steps).index(s)
            if s < 300:
                assert recording.curves["loss"][i, k] == losses[s, k]
            assert recording.curves["evaluations"][i, k] == made[s, k]
            if s in grid:
                assert recording.curves["objective"][i, k] == objectives[s, k]
            else:
                assert np.isnan(recording.curves["objective"][i, k])
        if recording.died[k] < 0:
            assert recording.final["accuracy"][k] == -objectives[300, k]
        else:
            assert np.isnan(recording.final["accuracy"][k])


@pytest.mark.parametrize("cheap", [True, False])
def test_recorded_steps_are_few_and_hold_both_ends(cheap: bool) -> None:
    for steps in (1, 2, 50, 51, 199, 1000, 123_457, 10_000_000):
        at = recorded_steps(steps, cheap)
        assert at[0] == 0
        assert at[-1] == steps
        assert at == sorted(set(at))
        assert len(at) <= 203
        ratios = np.diff([s for s in at if s >= 100]) / [s for s in at if s >= 100][:-1] if steps > 1000 else [0]
        assert max(ratios) < 0.2


def test_the_evaluation_grid_takes_two_per_cent_of_the_budget_at_most() -> None:
    for steps in (1, 10, 49, 50, 51, 1000, 4321):
        grid = grid_steps(steps)
        assert len(grid) <= 51
        assert {0, steps} <= set(grid)
    assert grid_steps(1000) == list(range(0, 1001, 20))


def test_a_start_that_is_not_finite_counts_as_dead_at_once() -> None:
    recorder = Recorder(Told(), 3, 2)
    values = torch.tensor([1.0, math.inf, math.nan], dtype=torch.float64)
    recorder.begin(values)
    recorder.add(values, values, 0)
    assert recorder.flush().tolist() == [0]
    assert recorder.recording().died.tolist() == [-1, 0, 0]


def test_time_that_ran_out_is_noted_for_the_living_alone() -> None:
    recorder = Recorder(Told(), 2, 10)
    values = torch.tensor([1.0, math.nan], dtype=torch.float64)
    recorder.begin(torch.ones(2))
    recorder.add(values, values, 0)
    recorder.flush()
    recorder.stop(1, 3)
    recording = recorder.recording()
    assert recording.stopped.tolist() == [1, -1]
    assert recording.evaluations.tolist() == [3, 0]
    assert np.isinf(recording.final_loss).all()
