"""The learning rate falls when the loss has stopped to fall, for each trial apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Loss, Schedule
from .span import span_or_none


class PlateauState(NamedTuple):
    """steps: budget. Each of the rest is None before the first loss, then `[trials]`.

    factor: multiple of the rate; mean: running mean of the loss; best: the least one that counted; bad: steps without
    progress; cooldown: steps for which bad ones do not count.
    """

    steps: int
    factor: Tensor | None = None
    mean: Tensor | None = None
    best: Tensor | None = None
    bad: Tensor | None = None
    cooldown: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class ReduceOnPlateau(Schedule):
    """Each trial's rate is multiplied by a factor once its minibatch loss has made no progress for some time.

        progress:  f < best · (1 − threshold)  (rel),   f < best − threshold  (abs);   then best ← f, bad ← 0, else bad + 1
        in cooldown bad ← 0;   when bad > patience:  factor ← max(factor · gamma, floor),  bad ← 0, cooldown begins

    f is a running mean, f ← smoothing · f + (1 − smoothing) · loss: a minibatch's loss alone is mostly noise. torch's
    class looks at epochs, so its patience is a number of them. A rate below torch's `eps` is lowered like any other.

    Args:
        gamma: what each reduction leaves of the rate, in (0, 1).
        patience: time without progress that is waited for; up to 1 a part of the run, above 1 a number of steps.
        threshold: progress that counts, as a part of the best loss (rel) or in its units (abs).
        threshold_mode: rel or abs.
        cooldown: time after a reduction in which nothing is counted, in the units of patience.
        floor: the lowest part of the rate, in [0, 1].
        smoothing: memory of the running mean, in [0, 1); 0: the loss of each step as it is.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.4, who divide by
    ten when the error plateaus; the rule is torch's. With smoothing = 0 and eps = 0 the same result as
    torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    gamma: Hyper = setting(0.1, above=0, below=1)
    patience: Hyper = setting(0.05, least=0)
    threshold: Hyper = setting(1e-4, least=0)
    threshold_mode: str = setting("rel", choices=("rel", "abs"))
    cooldown: Hyper = setting(0.0, least=0)
    floor: Hyper = setting(0.0, least=0, most=1)
    smoothing: Hyper = setting(0.9, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, trials: int, steps: int) -> PlateauState:
        return PlateauState(steps)

    def factor(self, step: int, steps: int, state: PlateauState) -> Hyper:
        return 1.0 if state.factor is None else state.factor[:, None]

    def observe(self, state: PlateauState, loss: Loss) -> PlateauState:
        steps, factor, mean, best, bad, cooldown = state
        if factor is None or mean is None or best is None or bad is None or cooldown is None:
            factor, mean, best = torch.ones_like(loss), loss, torch.full_like(loss, torch.inf)
            bad = cooldown = torch.zeros_like(loss, dtype=torch.int64)
        smoothing, threshold = _flat(self.smoothing), _flat(self.threshold)
        mean = torch.where(mean.isfinite(), smoothing * mean + (1 - smoothing) * loss, loss)
        least = best * (1 - threshold) if self.threshold_mode == "rel" else best - threshold
        progress = mean < least
        best = torch.where(progress, mean, best)
        waiting = cooldown > 0
        bad = torch.where(progress | waiting, 0, bad + 1)
        cooldown = cooldown - waiting.long()
        lower = bad > _flat(span_or_none(self.patience, steps))
        reduced, floor = factor * _flat(self.gamma), _flat(self.floor)
        reduced = reduced.maximum(floor) if isinstance(floor, Tensor) else reduced.clamp(min=floor)
        rest = _flat(span_or_none(self.cooldown, steps))
        cooldown = torch.where(lower, rest.long() if isinstance(rest, Tensor) else int(rest), cooldown)
        return PlateauState(
            steps, torch.where(lower, reduced, factor), mean, best, torch.where(lower, 0, bad), cooldown
        )


def _flat(value: Hyper) -> Any:
    """A column as `[trials]`."""
    return value[:, 0] if isinstance(value, Tensor) else value
