"""What a foreign class finds around it while it works: the global random generators, and attributes of modules."""

from __future__ import annotations

import hashlib
import pickle
import random
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.random import mtrand

from ..interfaces import Params
from ..randomness import derive
from ..registry import load_object

_NUMPY = np.random.MT19937(0)
"""Takes the place of numpy's own meanwhile."""


class Surroundings:
    """The global generators, seeded for one instance after the other, and attributes of modules; all put back at the end.

    Args:
        device: where the parameters lie; its generator of torch is meant beside the one of the CPU.
        attributes: dotted path → value that the attribute has meanwhile.
        draws: the work may draw numbers; else no generator is touched, which saves time. Numpy's older functions draw
            normal numbers in pairs; where the second of a pair is kept for later, it is dropped.
    """

    def __init__(self, device: torch.device, attributes: Mapping[str, Any], *, draws: bool):
        self._torch = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self._torch.append(torch.cuda.default_generators[index])
        self._draws = draws
        self._attributes = [(*_owner(path), value) for path, value in attributes.items()]

    def __enter__(self) -> Surroundings:
        if self._draws:
            self._before, self._python = [generator.get_state() for generator in self._torch], random.getstate()
            self._numpy = mtrand.get_bit_generator()
            mtrand.set_bit_generator(_NUMPY)  # many times as fast as to save the state of the present one
        self._replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in self._attributes]
        for owner, name, value in self._attributes:
            setattr(owner, name, value)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for owner, name, value in self._replaced:
            setattr(owner, name, value)
        if self._draws:
            random.setstate(self._python)
            mtrand.set_bit_generator(self._numpy)
            for generator, state in zip(self._torch, self._before, strict=True):
                generator.set_state(state)

    def seed(self, key: int, purpose: str) -> None:
        """Let the numbers that are drawn now be those of this key and purpose."""
        if self._draws:
            word = derive(key, purpose)
            random.seed(word)
            np.random.seed(word >> 32)  # it takes 32 bits
            for generator in self._torch:
                generator.manual_seed(word)

    def states(self) -> bytes:
        """Of all generators now; equal ones mean that nothing was drawn."""
        states = [generator.get_state().numpy().tobytes() for generator in self._torch]
        return b"".join([*states, pickle.dumps(random.getstate()), pickle.dumps(np.random.get_state())])


def keys(start: Params) -> list[int]:
    """A 64-bit key for each trial: a hash of the bits of its start, equal in every process and for any company."""
    rows = start.detach().cpu().contiguous().view(torch.uint8).numpy()
    return [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in rows]


@lru_cache
def beyond_torch(cls: type) -> bool:
    """Does a class, or one it is derived from, stand outside torch? Torch's own rules draw nothing."""
    return any(c is not object and c.__module__.partition(".")[0] != "torch" for c in cls.__mro__)


def _owner(path: str) -> tuple[Any, str]:
    load_object(path)  # says in one line what is missing
    owner, _, name = path.rpartition(".")
    return load_object(owner) if "." in owner else __import__(owner), name
