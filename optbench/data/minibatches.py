"""Minibatches of data that fits in memory: each trial has its own data order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from ..interfaces import Rows, Stream
from ..randomness import Randomness
from .splits import Part


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
        if not 1 <= batch_size <= samples:
            raise ValueError(f"batch_size must lie in [1, {samples}], the number of training samples, got {batch_size}")
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


class Minibatches(Stream):
    """A stream of (x `[trials, batch, …]`, y `[trials, batch]`) in each trial's own data order."""

    def __init__(self, seeds: Sequence[int], part: Part, batch_size: int):
        self.part = part
        self.order = Order(seeds, len(part), batch_size, part.x.device)

    def at(self, step: int, rows: Rows | None = None) -> tuple[Tensor, Int64[Tensor, "trials batch"]]:
        chosen = self.order.at(step, rows)
        return self.part.x[chosen], self.part.y[chosen]
