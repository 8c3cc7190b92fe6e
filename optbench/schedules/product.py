"""Several schedules at once: their factors are multiplied."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..interfaces import Hyper, Loss, Schedule
from .parts import Part, built


@dataclass(frozen=True, kw_only=True)
class Product(Schedule):
    """The product of schedules, all of which run from the first step to the last.

        factor(step) = factor₁(step) · factor₂(step) · …

    Args:
        parts: list of schedules: names, or mappings of name and settings: [{name: warmup, form: exponential}, linear].

    Raises:
        UsageError: a part cannot be built; the message names its place.

    Source: torch.optim.lr_scheduler, as a chain of schedulers. Same result as torch.optim.lr_scheduler.ChainedScheduler for
    schedulers that multiply the rate.
    """

    parts: tuple[Part, ...] = field(default=({"name": "warmup"}, {"name": "linear"}))

    def __post_init__(self) -> None:
        self.schedules  # noqa: B018 (a part that cannot be built is refused here)

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """The parts, built."""
        return built("Product", self.parts)

    def init(self, trials: int, steps: int) -> Any:
        return tuple(part.init(trials, steps) for part in self.schedules)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return math.prod(part.factor(step, steps, s) for part, s in zip(self.schedules, state, strict=True))

    def observe(self, state: Any, loss: Loss) -> Any:
        return tuple(part.observe(s, loss) for part, s in zip(self.schedules, state, strict=True))
