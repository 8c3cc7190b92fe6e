"""What a foreign class finds around it while it works: the global random generators, and attributes of modules."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

import numpy as np
import torch

from ..interfaces import Params
from ..randomness import derive
from ..registry import load_object


class Surroundings:
    """The global generators, seeded for one instance after the other, and attributes of modules; all put back at the end.

    Args:
        device: where the parameters lie; its generator of torch is meant beside the one of the CPU.
        attributes: dotted path → value that the attribute has meanwhile.
        beyond_torch: the generators of Python's `random` and of numpy too; it takes some ten microseconds to save them.
    """

    def __init__(self, device: torch.device, attributes: Mapping[str, Any], beyond_torch: bool):
        self._torch = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self._torch.append(torch.cuda.default_generators[index])
        self._beyond_torch = beyond_torch
        self._attributes = [(*_owner(path), value) for path, value in attributes.items()]

    def __enter__(self) -> Surroundings:
        self._before = self._generators()
        self._replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in self._attributes]
        for owner, name, value in self._attributes:
            setattr(owner, name, value)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for owner, name, value in self._replaced:
            setattr(owner, name, value)
        states, python, numpy = self._before
        for generator, state in zip(self._torch, states, strict=True):
            generator.set_state(state)
        if self._beyond_torch:
            random.setstate(python)
            np.random.set_state(numpy)

    def seed(self, key: int, purpose: str) -> None:
        """Let the numbers that are drawn now be those of this key and purpose."""
        word = derive(key, purpose)
        for generator in self._torch:
            generator.manual_seed(word)
        if self._beyond_torch:
            random.seed(word)
            np.random.seed(word >> 32)  # it takes 32 bits

    def touched(self) -> bool:
        """Were numbers drawn, or generators seeded, since the beginning?"""
        (states, python, numpy), (now, python_now, numpy_now) = self._before, self._generators()
        same = all(torch.equal(a, b) for a, b in zip(states, now, strict=True)) and python == python_now
        return not same or any(not np.array_equal(a, b) for a, b in zip(numpy, numpy_now, strict=True))

    def _generators(self) -> tuple[list[torch.Tensor], Any, Any]:
        states = [generator.get_state() for generator in self._torch]
        return (states, random.getstate(), np.random.get_state()) if self._beyond_torch else (states, (), ())


def keys(start: Params) -> list[int]:
    """A 64-bit key for each trial: a hash of the bits of its start, equal in every process and for any company."""
    rows = start.detach().cpu().contiguous().view(torch.uint8).numpy()
    return [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in rows]


@lru_cache
def beyond_torch(cls: type) -> bool:
    """Does a class, or one it is derived from, stand outside torch?"""
    return any(c is not object and c.__module__.partition(".")[0] != "torch" for c in cls.__mro__)


def _owner(path: str) -> tuple[Any, str]:
    load_object(path)  # says in one line what is missing
    owner, _, name = path.rpartition(".")
    return load_object(owner) if "." in owner else __import__(owner), name
