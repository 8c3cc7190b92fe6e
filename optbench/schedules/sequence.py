"""Several schedules, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from torch import Tensor

from ..interfaces import Hyper, Loss, Schedule
from .parts import Part, built
from .span import Number, lengths, span


class SequenceState(NamedTuple):
    """step: steps made; starts: where each part begins; parts: their states."""

    step: int
    starts: tuple[int, ...]
    parts: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Sequence(Schedule):
    """Schedules that take turns; each sees its own stretch as a whole run.

        factor(step) = factorₖ(step − mₖ, mₖ₊₁ − mₖ)   for mₖ ≤ step < mₖ₊₁,   m₀ = 0

    What is a part of the run in a part's own settings, is a part of its stretch here.

    Args:
        parts: list of schedules: names, or mappings of name and settings. The default stays flat, then falls.
        milestones: list of the times m₁, m₂, … at which the next one begins, rising, one less than there are parts; up to 1
            a part of the run, above 1 a number of steps.

    Raises:
        UsageError: a part cannot be built; the message names its place.
        ValueError: the milestones are too many or too few, do not rise, or differ between trials.

    Source: torch.optim.lr_scheduler, as schedulers in turn. The default is fastai's fit_flat_cos,
    https://docs.fast.ai/callback.schedule.html, with its 75 %. Same result as torch.optim.lr_scheduler.SequentialLR.
    """

    parts: tuple[Part, ...] = field(default=({"name": "constant"}, {"name": "cosine", "warmup": 0.0}))
    milestones: tuple[Number, ...] = field(default=(0.75,))

    def __post_init__(self) -> None:
        lengths("Sequence", "milestones", self.milestones)
        if any(isinstance(milestone, Tensor) for milestone in self.milestones):
            raise ValueError("Sequence: milestones are the same for all trials and cannot be searched")
        if any(later <= earlier and (later > 1) == (earlier > 1) for earlier, later in pairwise(self.milestones)):
            raise ValueError(f"Sequence: milestones must rise, got {', '.join(f'{m:g}' for m in self.milestones)}")
        parts, got = len(self.schedules), len(self.milestones)
        if got != parts - 1:
            counts = [
                f"{n or 'no'} {word}{'' if n == 1 else 's'}" for n, word in ((parts, "part"), (parts - 1, "milestone"))
            ]
            raise ValueError(f"Sequence: {counts[0]} need{'s' if parts == 1 else ''} {counts[1]}, got {got}")

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """The parts, built."""
        return built("Sequence", self.parts)

    def _starts(self, steps: int) -> tuple[int, ...]:
        """The first step of each part; one whose end, in other units, comes before its beginning is left out."""
        return tuple(accumulate((0, *(int(span(milestone, steps)) for milestone in self.milestones)), max))

    def _length(self, k: int, starts: tuple[int, ...], steps: int) -> int:
        end = starts[k + 1] if k + 1 < len(starts) else steps
        return max(1, end - starts[k])

    def init(self, trials: int, steps: int) -> SequenceState:
        starts = self._starts(steps)
        states = [part.init(trials, self._length(k, starts, steps)) for k, part in enumerate(self.schedules)]
        return SequenceState(0, starts, tuple(states))

    def factor(self, step: int, steps: int, state: SequenceState) -> Hyper:
        k = bisect_right(state.starts, step) - 1
        length = self._length(k, state.starts, steps)
        return self.schedules[k].factor(step - state.starts[k], length, state.parts[k])

    def observe(self, state: SequenceState, loss: Loss) -> SequenceState:
        k, parts = bisect_right(state.starts, state.step) - 1, list(state.parts)
        parts[k] = self.schedules[k].observe(parts[k], loss)
        return SequenceState(state.step + 1, state.starts, tuple(parts))
