"""Counter-based random numbers: every draw is a pure function of (seed, purpose, step, position).

splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) over int64 tensors, all
trials at once. A trial's numbers depend on its own seed alone, never on the trials beside it, on the device or on the
order in which things are drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .interfaces import Rows

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB


def _signed(word: int) -> int:
    word &= _MASK
    return word - (1 << 64) if word >> 63 else word


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * _MIX1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX2) & _MASK
    return z ^ (z >> 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; int64 has only the arithmetic one."""
    return (z >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _mix_(z: Tensor) -> Tensor:
    z.bitwise_xor_(_shifted(z, 30)).mul_(_signed(_MIX1))
    z.bitwise_xor_(_shifted(z, 27)).mul_(_signed(_MIX2))
    return z.bitwise_xor_(_shifted(z, 31))


def derive(seed: int, purpose: str) -> int:
    """A 64-bit key from a seed and the name of what it is for, equal on every machine."""
    word = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    return _mix((_mix(seed & _MASK) + word) & _MASK)


class Randomness:
    """The random numbers of many trials for one purpose.

    Args:
        seeds: one integer a trial.
        purpose: what they are for ("start", "data order"); different purposes give independent numbers.
        device: where the tensors are made.
    """

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        self.keys = torch.tensor([_signed(derive(int(s), purpose)) for s in seeds], dtype=torch.int64, device=device)

    def words(self, step: int, count: int, rows: Rows | None = None) -> Int64[Tensor, "trials count"]:
        """`count` 64-bit words for this step; the first k of them do not depend on `count`."""
        keys = self.keys if rows is None else self.keys[rows]
        at_step = _mix_(keys + _signed((step + 1) * _GAMMA))
        counter = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device).mul_(_signed(_GAMMA))
        return _mix_(at_step[:, None] + counter[None, :])

    def uniform(
        self, step: int, count: int, rows: Rows | None = None, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "trials count"]:
        """Uniform numbers in the open interval (0, 1), drawn with 52 bits."""
        words = self.words(step, count, rows)
        return _shifted(words, 12).to(torch.float64).add_(0.5).mul_(2.0**-52).to(dtype)

    def normal(
        self, step: int, count: int, rows: Rows | None = None, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "trials count"]:
        """Standard normal numbers, by the inverse of the distribution function."""
        return torch.special.ndtri(self.uniform(step, count, rows)).to(dtype)


class Order:
    """The data order of many trials: in each epoch every sample comes once, in an order of the trial's own.

    Args:
        seeds: one integer a trial.
        samples: size of the data set.
        batch_size: samples in a minibatch; the last ones of an epoch that do not fill a batch are left out.
        device: where the indices are made.
    """

    def __init__(self, seeds: Sequence[int], samples: int, batch_size: int, device: torch.device | str = "cpu"):
        self.random = Randomness(seeds, "data order", device)
        self.samples, self.batch_size = samples, batch_size
        self._epoch, self._order = -1, torch.empty(0)

    @cached_property
    def batches(self) -> int:
        """Minibatches in an epoch."""
        return self.samples // self.batch_size

    def at(self, step: int, rows: Rows | None = None) -> Int64[Tensor, "trials batch"]:
        """Indices of this step's minibatch for each trial."""
        epoch, position = divmod(step, self.batches)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.random.words(epoch, self.samples).argsort(dim=1)
        first = position * self.batch_size
        chosen = self._order[:, first : first + self.batch_size]
        return chosen if rows is None else chosen[rows]
