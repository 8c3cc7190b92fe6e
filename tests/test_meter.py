from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from optbench.problems.rosenbrock import Rosenbrock

from optbench import columns, meter
from optbench.meter import Clocks, PeakMemory, state_bytes, step_seconds
from optbench.optimizers import OPTIMIZERS
from optbench.schedules import SCHEDULES
from optbench.trials import Trials

CPU = torch.device("cpu")


class Pair(NamedTuple):
    t: int
    m: torch.Tensor


@dataclass
class Box:
    inside: dict[str, list[torch.Tensor]]


def test_bytes_of_state_are_those_of_all_tensors_in_it() -> None:
    ten = torch.zeros(10, dtype=torch.float64)
    assert state_bytes(Pair(3, ten)) == 80
    assert state_bytes(Box({"a": [ten, ten.float()]})) == 120
    assert state_bytes([(), 4, "x", None, {"k": torch.zeros(3, dtype=torch.bool)}]) == 3


def test_adam_holds_two_numbers_a_parameter_and_torch_as_many() -> None:
    params = Rosenbrock(n=50).start([0])
    state = OPTIMIZERS["adam"]().init(params, Rosenbrock(n=50).layout)
    assert state_bytes(state) == 2 * 50 * 8
    x = torch.nn.Parameter(params[0])
    theirs = torch.optim.SGD([x], lr=0.1, momentum=0.9)
    x.grad = torch.ones(50, dtype=torch.float64)
    theirs.step()
    assert state_bytes(theirs) == 50 * 8


class Keeping(torch.optim.SGD):
    """Keeps tensors in many places."""

    def __init__(self, params: list[torch.nn.Parameter]) -> None:
        super().__init__(params, lr=0.1, momentum=0.9)
        (x,) = params
        self.inner = torch.optim.Adagrad(params)
        self.slow = {x: x.detach().clone()}
        self.history = deque([torch.zeros(7, dtype=torch.float32)] * 3)
        self.flat = torch.zeros(30, dtype=torch.float64)
        self.slices = [self.flat[:10], self.flat[10:], self.flat]
        self.wide = torch.zeros((), dtype=torch.float64).expand(1000)
        self.part = torch.zeros(100, dtype=torch.float64)[:5]
        self.box = Box({"a": [torch.zeros(2, dtype=torch.int64)]})
        self.sparse = torch.eye(2, dtype=torch.float64).to_sparse()
        self.same, self.view, self.itself = x, x.detach()[:3], self
        self.param_groups[0]["total"] = torch.zeros(3, dtype=torch.float64)


def test_all_that_a_torch_optimizer_keeps_counts_once_and_its_parameters_do_not() -> None:
    x = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    x.grad = torch.ones(50, dtype=torch.float64)
    kept = Keeping([x])
    kept.step()
    momentum, inner, slow = 8 * 50, 8 * 50 + 4, 8 * 50
    history, flat, wide, part, box, sparse, total = 4 * 7, 8 * 30, 8, 8 * 5, 8 * 2, 2 * (2 * 8) + 2 * 8, 8 * 3
    assert state_bytes(kept) == momentum + inner + slow + history + flat + wide + part + box + sparse + total
    kept.last = x.grad  # pyright: ignore[reportAttributeAccessIssue]
    assert (
        state_bytes([kept])
        == state_bytes(kept)
        == 8 * 50 + (momentum + inner + slow + history + flat + wide + part + box + sparse + total)
    )


def test_clocks_run_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 10.0, 11.0, 13.0, 20.0])
    monkeypatch.setattr(meter.time, "perf_counter", lambda: next(times))
    clocks = Clocks(CPU)
    clocks.switch("train")
    with clocks.pause_for("evaluate"):  # 10 to 11
        pass
    clocks.switch("record")  # at 13
    clocks.switch("")  # at 20
    assert clocks.seconds == {"train": 12.0, "evaluate": 1.0, "record": 7.0}


def test_the_time_of_a_step_is_the_median_over_fresh_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def one() -> Trials:
        made.append(Trials(Rosenbrock(), OPTIMIZERS["sgd"](), SCHEDULES["constant"](), [], [0], 50))
        return made[-1]

    took = iter([9.0, 1.0, *(n * s for n, s in ((3, 50), (1, 50), (2, 50), (5, 50), (4, 50)))])
    stepped = []
    monkeypatch.setattr(meter, "_steps", lambda trial, steps, device: stepped.append(steps) or next(took))
    median, spread = step_seconds(one, seconds=1e6)
    assert (median, spread) == (3.0, 2.0)
    assert stepped == [4, 4, 50, 50, 50, 50, 50]
    assert len(set(map(id, made[-5:]))) == 5


def test_rules_are_tried_and_traced_before_the_clock_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LARGE", 0)
    made, seen = [], []

    def one() -> Trials:
        made.append(Trials(Rosenbrock(), OPTIMIZERS["adam"](), SCHEDULES["constant"](), [], [0], 8))
        return made[-1]

    def now(clock: Clocks) -> float:
        stepper = made[-1].stepper
        seen.append((id(stepper), len(stepper._tried), len(stepper._traced._kernels)))
        return float(len(seen))

    monkeypatch.setattr(Clocks, "now", now)
    step_seconds(one, seconds=1e-6)
    assert len(seen) == 14
    assert set(seen) == {(id(made[0].stepper), 1, 1)}


def test_timing_moves_parameters() -> None:
    made = []

    def one() -> Trials:
        made.append(Trials(Rosenbrock(), OPTIMIZERS["adam"](), SCHEDULES["constant"](), [], [0], 8))
        return made[-1]

    median, spread = step_seconds(one, seconds=0.01)
    assert median > 0
    assert spread >= 0
    assert all(not torch.equal(t.params, Rosenbrock().start([0])) for t in made[-5:])


def test_peak_memory_is_unknown_on_a_cpu() -> None:
    with PeakMemory(CPU) as memory:
        torch.zeros(1000)
    assert math.isnan(memory.allocated)
    assert math.isnan(memory.reserved)
