"""Counter-based random numbers: every draw is a pure function of (seed, purpose, step, position).

splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) over int64 tensors, all
trials at once. A trial's numbers depend on its own seed alone, never on the trials beside it, on the device or on the
order in which things are drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from .interfaces import Rows

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB
Words = NDArray[np.uint64]
_SHIFTS, _FACTORS = np.array([30, 27, 31], np.uint64), np.array([_MIX1, _MIX2], np.uint64)
_BLOCK = 16384
"""Words mixed together: 128 KiB, and as much again for the shifted copy."""


def _signed(word: int) -> int:
    word &= _MASK
    return word - (1 << 64) if word >> 63 else word


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * _MIX1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX2) & _MASK
    return z ^ (z >> 31)


def _xor_shifted_(z: Tensor, bits: int, scratch: Tensor) -> None:
    """z ← z ⊕ (z ≫ bits) with the logical shift; int64 has only the arithmetic one."""
    torch.bitwise_right_shift(z, bits, out=scratch)
    z.bitwise_xor_(scratch.bitwise_and_((1 << (64 - bits)) - 1))


def _mix_(z: Tensor) -> Tensor:
    """splitmix64's finaliser, in place; z is contiguous."""
    scratch = torch.empty_like(z)
    _xor_shifted_(z, 30, scratch)
    z.mul_(_signed(_MIX1))
    _xor_shifted_(z, 27, scratch)
    z.mul_(_signed(_MIX2))
    _xor_shifted_(z, 31, scratch)
    return z


def _words(keys: Words, step: int, count: int) -> Words:
    """What `Randomness.words` gives, on a CPU: numpy's calls cost a fraction of torch's where there are few words."""
    at_step = keys + np.uint64((step + 1) * _GAMMA & _MASK)
    _mix_block(at_step)
    counter = np.arange(1, count + 1, dtype=np.uint64)
    counter *= np.uint64(_GAMMA)
    words = at_step[:, None] + counter
    flat = words.reshape(-1)
    for begin in range(0, len(flat), _BLOCK):
        _mix_block(flat[begin : begin + _BLOCK])
    return words


def _mix_block(words: Words) -> None:
    """The finaliser, in place."""
    shifted = words >> _SHIFTS[0]
    words ^= shifted
    words *= _FACTORS[0]
    np.right_shift(words, _SHIFTS[1], out=shifted)
    words ^= shifted
    words *= _FACTORS[1]
    np.right_shift(words, _SHIFTS[2], out=shifted)
    words ^= shifted


def _mixed(z: Tensor) -> Tensor:
    """The same finaliser without changing anything in place, as torch.func.vmap asks."""
    for bits, factor in ((30, _MIX1), (27, _MIX2)):
        z = (z ^ ((z >> bits) & ((1 << (64 - bits)) - 1))) * _signed(factor)
    return z ^ ((z >> 31) & ((1 << 33) - 1))


def hashed(keys: Tensor, step: int, count: int) -> Int64[Tensor, "trials count"]:
    """What `Randomness.keyed(keys).words(step, count)` gives, under torch.func.vmap too."""
    counter = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device) * _signed(_GAMMA)
    return _mixed(_mixed(keys + _signed((step + 1) * _GAMMA))[:, None] + counter[None, :])


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

    @classmethod
    def keyed(cls, keys: Int64[Tensor, "trials"]) -> Randomness:
        """The random numbers that belong to these 64-bit words, one a trial."""
        made = cls.__new__(cls)
        made.keys = keys
        return made

    def words(self, step: int, count: int, rows: Rows | None = None) -> Int64[Tensor, "trials count"]:
        """`count` 64-bit words for this step; the first k of them do not depend on `count`."""
        keys = self.keys if rows is None else self.keys[rows]
        if keys.device.type == "cpu" and not is_functorch_wrapped_tensor(keys):
            return torch.from_numpy(_words(keys.numpy().view(np.uint64), step, count).view(np.int64))
        at_step = _mix_(keys + _signed((step + 1) * _GAMMA))
        counter = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device).mul_(_signed(_GAMMA))
        return _mix_(at_step[:, None] + counter[None, :])

    def uniform(
        self, step: int, count: int, rows: Rows | None = None, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "trials count"]:
        """Uniform numbers in the open interval (0, 1), drawn with 52 bits; in float32 rounding may reach its ends."""
        words = self.words(step, count, rows)
        if words.device.type == "cpu" and not is_functorch_wrapped_tensor(words):
            u = (words.numpy().view(np.uint64) >> np.uint64(12)).astype(np.float64)
            u += 0.5
            u *= 2.0**-52
            return torch.from_numpy(u).to(dtype)
        words.bitwise_right_shift_(12).bitwise_and_((1 << 52) - 1)
        return words.to(torch.float64).add_(0.5).mul_(2.0**-52).to(dtype)

    def normal(
        self, step: int, count: int, rows: Rows | None = None, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "trials count"]:
        """Standard normal numbers, by the inverse of the distribution function."""
        return torch.special.ndtri(self.uniform(step, count, rows)).to(dtype)
