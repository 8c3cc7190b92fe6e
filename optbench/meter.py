"""Meters: clocks, the time of one step in isolation, bytes of state, peak memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .columns import elementwise
from .kept import leaves
from .optimizers.from_torch import FromTorch
from .trials import Trials


class Clocks:
    """Separate clocks for training, evaluating and recording; synchronised with the device at each switch."""

    def __init__(self, device: torch.device):
        self.device = device
        self.seconds = {"train": 0.0, "evaluate": 0.0, "record": 0.0}
        self._running = ""
        self._since = 0.0

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def switch(self, name: str) -> None:
        """Stop the running clock and start this one; "" stops them all."""
        now = self.now()
        if self._running:
            self.seconds[self._running] += now - self._since
        self._running, self._since = name, now

    def read(self, name: str) -> float:
        """Seconds on a clock so far, whether it runs or not."""
        return self.seconds[name] + (self.now() - self._since if self._running == name else 0.0)

    @contextmanager
    def pause_for(self, name: str) -> Iterator[None]:
        """Let this clock run inside the block, and the one before it afterwards."""
        before = self._running
        self.switch(name)
        try:
            yield
        finally:
            self.switch(before)


def state_bytes(state: Any) -> int:
    """Bytes of all tensors in an optimizer's state, exactly; walks tuples, lists, dicts, dataclasses and torch optimizers.

    Of a torch optimizer, all counts that it keeps but its parameters: state, groups and attributes, also of an optimizer
    within it. What several of its tensors lie on counts once, and a gradient where one of these still holds it.
    """
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, torch.optim.Optimizer):
        return _bytes_kept(state)
    if isinstance(state, dict):
        return sum(state_bytes(item) for item in state.values())
    if isinstance(state, (tuple, list)):
        return sum(state_bytes(item) for item in state)
    if is_dataclass(state) and not isinstance(state, type):
        return sum(state_bytes(getattr(state, f.name)) for f in fields(state))
    return 0


def _bytes_kept(optimizer: torch.optim.Optimizer) -> int:
    given = {p.untyped_storage().data_ptr() for group in optimizer.param_groups for p in group["params"]}
    whole: dict[int, int] = {}
    parts: dict[int, dict[Any, int]] = {}
    for leaf in leaves(vars(optimizer)):
        if isinstance(leaf, Tensor):
            for tensor in (leaf._indices(), leaf._values()) if leaf.is_sparse else (leaf,):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in given:
                    view = (tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
                    whole[storage.data_ptr()] = storage.nbytes()
                    parts.setdefault(storage.data_ptr(), {})[view] = state_bytes(tensor)
    return sum(min(whole[place], sum(views.values())) for place, views in parts.items())


def step_seconds(one: Callable[[], Trials], seconds: float = 0.06, repetitions: int = 5) -> tuple[float, float]:
    """Time of one step with one trial alone: median and interquartile range over repetitions, in seconds.

    Each repetition starts a fresh trial and makes the same number of steps from the start, so that methods whose steps
    differ in cost are timed over the same ones; some steps before them warm up. All trials have one stepper, so that a rule
    is tried, traced and compiled before the clock runs. Where a rule treats elements apart, so that its steps cost the same,
    and where it is a torch class, each trial makes its first step once more before that, which takes the memory of its state.

    Args:
        one: builds a trial at its start.
        seconds: roughly how long all repetitions may take.
        repetitions: how many are counted.
    """
    first = one()
    device, stepper = torch.device(first.problem.device), first.stepper

    def fresh() -> Trials:
        trial = one()
        trial.stepper = stepper
        return trial

    steps, budget = 4, seconds / (repetitions + 1)
    _steps(first, steps, device)
    del first  # its memory is used again
    took = _steps(fresh(), steps, device)
    steps = int(min(max(steps, budget / max(took / steps, 1e-7)), 100, fresh().steps))
    per_step = [_steps(fresh(), steps, device) / steps for _ in range(repetitions)]
    low, median, high = np.percentile(per_step, [25, 50, 75])
    return float(median), float(high - low)


def _steps(trial: Trials, steps: int, device: torch.device) -> float:
    clock, over = Clocks(device), not trial.problem.cheap
    if elementwise(trial.optimizer) or isinstance(trial.optimizer, FromTorch):
        trial.step(0, over=over)
    begin = clock.now()
    for step in range(min(steps, trial.steps)):
        trial.step(step, over=over)
    return clock.now() - begin


class PeakMemory:
    """Peak bytes of a CUDA device within a block: allocated and reserved; nan on other devices."""

    def __init__(self, device: torch.device):
        self.device = device
        self.allocated = self.reserved = float("nan")

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        return self

    def __exit__(self, *unused: object) -> None:
        if self.device.type == "cuda":
            self.allocated = float(torch.cuda.max_memory_allocated(self.device))
            self.reserved = float(torch.cuda.max_memory_reserved(self.device))
