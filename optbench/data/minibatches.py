"""Minibatches of data that fits in memory: each trial has its own data order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor

from ..interfaces import Rows, Stream
from ..randomness import Randomness
from .batch import Batch
from .splits import Part


@runtime_checkable
class Augments(Protocol):
    """What changes the samples of a batch, such as optbench.data.augmentation.Augmentation."""

    def at(self, x: Tensor, y: Tensor, step: int, rows: Rows | None = None) -> tuple[Tensor, Tensor]: ...


class Order:
    """The data order of many trials: in each epoch every sample comes once, in an order of the trial's own.

    Args:
        seeds: one integer a trial.
        samples: size of the data set.
        batch_size: samples in a minibatch; the last ones of an epoch that do not fill a batch are left out.
        device: where the indices are made.

    Raises:
        ValueError: the batch is empty or larger than the data set.
    """

    def __init__(self, seeds: Sequence[int], samples: int, batch_size: int, device: torch.device | str = "cpu"):
        _check_fits(batch_size, samples)
        self.random = Randomness(seeds, "data order", device)
        self.samples, self.batch_size = samples, batch_size
        self.batches = samples // batch_size
        """Minibatches in an epoch."""
        self._epoch, self._order = -1, torch.empty(0)

    def at(self, step: int, rows: Rows | None = None) -> Int64[Tensor, "trials batch"]:
        """Indices of this step's minibatch for each trial."""
        epoch, position = divmod(step, self.batches)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.random.words(epoch, self.samples).argsort(dim=1)
        first = position * self.batch_size
        chosen = self._order[:, first : first + self.batch_size]
        return chosen if rows is None else chosen[rows]


class Draws:
    """Samples drawn with replacement: in every batch every place is any sample, each equally likely.

    Args:
        seeds: one integer a trial.
        samples: size of the data set.
        batch_size: samples in a minibatch.
        device: where the indices are made.

    Raises:
        ValueError: the batch is empty or larger than the data set.
    """

    def __init__(self, seeds: Sequence[int], samples: int, batch_size: int, device: torch.device | str = "cpu"):
        _check_fits(batch_size, samples)
        self.random = Randomness(seeds, "data draws", device)
        self.samples, self.batch_size = samples, batch_size

    def at(self, step: int, rows: Rows | None = None) -> Int64[Tensor, "trials batch"]:
        """Indices of this step's minibatch for each trial."""
        uniform = self.random.uniform(step, self.batch_size, rows)
        return uniform.mul_(self.samples).long().clamp_(max=self.samples - 1)


class Minibatches(Stream):
    """A stream of batches in each trial's own data order.

    Args:
        seeds: one integer a trial.
        part: what is learnt from.
        batch_size: samples in a minibatch; None for the whole part, which is never copied.
        replacement: samples are drawn with replacement, rather than in epochs; the whole part is the whole part.
        keys: batches have `keys`, one word a trial and step, from which layers draw.
        augment: changes the samples of a batch, last.

    Raises:
        ValueError: the batch is empty or larger than the part.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        part: Part,
        batch_size: int | None,
        *,
        replacement: bool = False,
        keys: bool = False,
        augment: Augments | None = None,
    ):
        self.part, self.trials, self.augment = part, len(seeds), augment
        device = part.x.device
        self.order: Order | Draws | None = None
        if batch_size is not None:
            self.order = (Draws if replacement else Order)(seeds, len(part), batch_size, device)
        self.layers = Randomness(seeds, "layers", device) if keys else None
        self.fixed = self.order is None and not keys and augment is None

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        if self.order is None:
            trials = self.trials if rows is None else len(rows)
            x, y = (values.expand(trials, *values.shape) for values in (self.part.x, self.part.y))
        else:
            chosen = self.order.at(step, rows)
            x, y = self.part.x[chosen], self.part.y[chosen]
        if self.augment is not None:
            x, y = self.augment.at(x, y, step, rows)
        return Batch(x, y, None if self.layers is None else self.layers.words(step, 1, rows)[:, 0])


def _check_fits(batch_size: int, samples: int) -> None:
    if not 1 <= batch_size <= samples:
        raise ValueError(f"batch_size must lie in [1, {samples}], the number of training samples, got {batch_size}")
