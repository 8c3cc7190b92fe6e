from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest
import torch
from contracts import TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from optbench.problems.saddle import Saddle

from optbench.interfaces import Batch, Loss, Params
from optbench.optimizers import OPTIMIZERS
from optbench.optimizers.from_torch import FromTorch
from optbench.randomness import Randomness
from optbench.record import Recording
from optbench.runner import Outcome, at_once, run_trials
from optbench.schedules import SCHEDULES

CONSTANT = SCHEDULES["constant"]()


@dataclass(frozen=True, kw_only=True)
class BadStart(Rosenbrock):
    """Rosenbrock, but not finite at the start of the seeds from `first` on."""

    first: int = 0
    value: float = math.nan

    def start(self, seeds: Sequence[int]) -> Params:
        at = super().start(seeds)
        at[[s >= self.first for s in seeds]] = self.value
        return at


@dataclass(frozen=True, kw_only=True)
class Judged(TinyNet):
    """The tiny network, judged on 64 points that never change."""

    def objective(self, params: Params, step: int) -> Loss:
        points = Randomness([0], "judge").normal(0, 128).unflatten(1, (64, 2))
        with torch.no_grad():
            return self.loss(params, points.expand(len(params), -1, -1))


def same(a: Recording, b: Recording) -> None:
    """Every number equal, bit by bit; of curves, those before the death of a trial, since no others are stored."""
    lived = (a.died < 0) | (a.steps[:, None] < a.died)
    for f in fields(Recording):
        left, right = getattr(a, f.name), getattr(b, f.name)
        if not isinstance(left, dict):
            left, right = {f.name: left}, {f.name: right}
        assert left.keys() == right.keys()
        for name, x in left.items():
            known = lived if f.name == "curves" else ...
            np.testing.assert_array_equal(x[known], right[name][known], err_msg=name)


def run(problem: Any, name: str, seeds: Sequence[int], steps: int, schedule: Any = CONSTANT, **kw: Any) -> Outcome:
    return run_trials(problem, OPTIMIZERS[name](**kw.pop("settings", {})), schedule, [], seeds, steps, **kw)


def test_a_run_equals_a_bare_torch_loop() -> None:
    steps, rates = 400, (1e-3, 3e-3, 0.1)
    found = run(Rosenbrock(), "adam", [0, 1, 2], steps, settings={"lr": column(*rates)}).recording
    for k, rate in enumerate(rates):
        x = torch.nn.Parameter(Rosenbrock().start([k])[0])
        optimizer = torch.optim.Adam([x], lr=rate)
        losses, path = [], []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
            loss.backward()
            losses.append(loss.item())
            path.append(x.detach().clone())
            optimizer.step()
        at = [s for s in found.steps if s < steps]
        np.testing.assert_allclose(found.curves["loss"][: len(at), k], np.array(losses)[at], rtol=1e-9)
        np.testing.assert_allclose(found.curves["objective"][: len(at), k], np.array(losses)[at], rtol=1e-9)
        np.testing.assert_allclose(found.curves["x"][: len(at), k], [path[s][0] for s in at], rtol=1e-9)
        np.testing.assert_allclose(found.curves["y"][: len(at), k], [path[s][1] for s in at], rtol=1e-9)
        end = Rosenbrock().loss(x.detach()[None], None).item()
        assert found.final_loss[k] == pytest.approx(end, rel=1e-9)
        assert found.best_loss[k] == pytest.approx(min([*losses, end]), rel=1e-9)
        assert found.evaluations[k] == steps


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (Rosenbrock(), "adam"),
        pytest.param(Rosenbrock(), "lbfgs", marks=pytest.mark.slow),
        (Judged(), "momentum"),
    ],
)
def test_results_do_not_depend_on_how_many_trials_are_held_at_once(problem: Any, name: str) -> None:
    rates = column(1e-2, 1e9, 1e-3, 0.1, 1e12, 1e8, 1e-2, 1e10, 1e11)
    settings = {"lr": rates} if name != "lbfgs" else {"lr": rates.clamp(max=1e3)}
    seeds = [0, 1, 2, 3, 4, 0, 1, 2, 3]
    whole = run(problem, name, seeds, 130, settings=settings)
    if name == "adam":
        assert (whole.recording.died >= 0).sum() == 5
    for k in (2, 3, 7):
        part = run(problem, name, seeds, 130, settings=settings, trials_at_once=k)
        assert part.trials_at_once == k
        same(whole.recording, part.recording)


def test_a_nan_trial_leaves_the_others_as_they_are() -> None:
    healthy = run(Rosenbrock(), "adam", [0, 1, 2, 3], 130).recording
    beside = run(BadStart(first=2), "adam", [0, 1, 2, 3], 130).recording
    assert beside.died.tolist() == [-1, -1, 0, 0]
    for name in ("final_loss", "best_loss", "hit_steps", "evaluations"):
        np.testing.assert_array_equal(getattr(healthy, name)[..., :2], getattr(beside, name)[..., :2])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_problem_that_is_not_finite_at_any_start_is_refused(value: float) -> None:
    with pytest.raises(
        ValueError, match=r"BadStart: the objective is .* at the start of every trial; look at its start"
    ):
        run(BadStart(value=value), "sgd", [0, 1], 5)


@pytest.mark.parametrize("steps", [1, 2, 63, 64, 65, 128])
def test_a_budget_may_end_anywhere_in_a_block(steps: int) -> None:
    found = run(Rosenbrock(), "sgd", [0, 1], steps).recording
    assert found.steps[-1] == steps
    assert found.evaluations.tolist() == [steps, steps]
    assert np.isfinite(found.final_loss).all()


def test_a_run_whose_trials_all_died_ends_early() -> None:
    asked = []

    @dataclass(frozen=True, kw_only=True)
    class Counted(Rosenbrock):
        def loss(self, params: Params, batch: Batch) -> Loss:
            asked.append(len(params))
            return super().loss(params, batch)

    found = run(Counted(), "sgd", [0, 1], 10_000, settings={"lr": 1e6}).recording
    assert (found.died > 0).all()
    assert len(asked) < 100
    assert np.isinf(found.final_loss).all()


def test_time_that_runs_out_stops_the_living_and_keeps_what_ended() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Slow(Rosenbrock):
        def loss(self, params: Params, batch: Batch) -> Loss:
            if params.requires_grad and len(params) == 2:
                time.sleep(0.02)
            return super().loss(params, batch)

    found = run(Slow(), "adam", [0, 1], 5000, timeout=0.1)
    assert found.timed_out
    assert (found.recording.stopped >= 1).all()
    assert (found.recording.stopped < 50).all()
    assert found.recording.evaluations.tolist() == found.recording.stopped.tolist()
    assert np.isinf(found.recording.final_loss).all()
    assert np.isfinite(found.recording.best_loss).all()

    parts = run(Slow(), "adam", [0, 1, 2, 3, 4], 12, timeout=0.1, trials_at_once=3).recording
    assert parts.stopped[2:].tolist() == [-1, -1, -1] or (parts.stopped >= 0).any()
    ended = parts.stopped < 0
    assert np.isfinite(parts.final_loss[ended]).all()


def test_every_optimizer_sees_the_same_starts_and_batches() -> None:
    seen: dict[str, list[torch.Tensor]] = {}

    @dataclass(frozen=True, kw_only=True)
    class Watched(Judged):
        watcher: str = ""

        def loss(self, params: Params, batch: Batch) -> Loss:
            if params.requires_grad:
                seen.setdefault(self.watcher, [params.detach().clone()]).append(batch.clone())
            return super().loss(params, batch)

    run(Watched(watcher="adam"), "adam", [5, 6], 6)
    run(Watched(watcher="lion"), "lion", [5, 6], 6)
    run_trials(Watched(watcher="torch"), FromTorch(cls=torch.optim.NAdam), CONSTANT, [], [5, 6], 6)
    assert len(seen["adam"]) == 7
    for other in ("lion", "torch"):
        assert all(torch.equal(a, b) for a, b in zip(seen["adam"], seen[other], strict=True))


def test_lbfgs_evaluations_are_counted_trial_by_trial() -> None:
    found = run(Rosenbrock(), "lbfgs", [0, 1, 2, 3], 40).recording
    assert (found.evaluations >= 40).all()
    made = found.curves["evaluations"]
    assert (np.diff(made, axis=0) >= 0).all()
    assert made[-1].tolist() == found.evaluations.tolist()


def test_the_schedule_multiplies_the_rate_step_by_step() -> None:
    schedule = SCHEDULES["linear"]()
    found = run(Rosenbrock(), "sgd", [0, 1], 50, schedule, settings={"lr": 1e-3}).recording
    x = Rosenbrock().start([0, 1])
    for step in range(50):
        x = x - 1e-3 * schedule.factor(step, 50, schedule.init(2, 50)) * Rosenbrock().loss_and_grad(x, None)[1]
    np.testing.assert_allclose(found.final_loss, Rosenbrock().loss(x, None), rtol=1e-9)


def test_trials_at_once_follow_from_sizes_and_what_was_asked() -> None:
    small, large, adam = Rosenbrock(), Rosenbrock(n=2_000_000), OPTIMIZERS["adam"]()
    assert at_once(small, adam, 1000) == 1000
    assert 2 <= at_once(large, adam, 1000) < 10
    assert at_once(large, adam, 1000, memory=2**33) * 8 * 10 * 2_000_000 <= 2**33
    assert at_once(large, adam, 1000, memory=2**33) > at_once(large, OPTIMIZERS["lbfgs"](), 1000, memory=2**33)
    assert at_once(large, adam, 1000, memory=1) == 2  # one row alone has other bits
    assert at_once(small, adam, 10, 4) == 4
    assert at_once(small, adam, 3, 4) == 3


def test_curves_are_left_out_where_not_wanted() -> None:
    assert run(Rosenbrock(), "sgd", [0, 1], 5, curves=False).recording.curves == {}


def test_trials_that_run_alone_have_the_training_clock_in_their_curves():
    problem, adam = Rosenbrock(), OPTIMIZERS["adam"]()
    outcome = run_trials(problem, adam, CONSTANT, [], [0, 1], 60, trials_at_once=1)
    seconds = outcome.recording.curves["seconds"]
    assert (np.diff(seconds, axis=0) > 0).all()
    assert seconds[-1].sum() == pytest.approx(outcome.seconds["train"], rel=0.2)
    assert "seconds" not in run_trials(problem, adam, CONSTANT, [], [0, 1], 60).recording.curves


def test_a_line_search_that_probes_far_away_has_not_diverged():
    probes: list[float] = []

    class Noted(Saddle):
        def loss_and_grad(self, params: torch.Tensor, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
            loss, grad = super().loss_and_grad(params, batch)
            probes.append(loss.max().item())
            return loss, grad

    recording = run(Noted(dtype=torch.float32), "lbfgs", [3, 4], 50).recording
    assert max(probes) > 1e10
    assert np.nanmax(recording.curves["loss"]) < 10  # of points that the trials moved to
    assert recording.died.tolist() == [-1, -1]
    assert recording.final_loss == pytest.approx([0, 0], abs=1e-6)
