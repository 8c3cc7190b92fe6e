"""How much memory trials may take: what is free, what was asked for, what one of them needs."""

from __future__ import annotations

import re
from typing import Any

import psutil
import torch

from .errors import UsageError
from .interfaces import Optimizer, Problem, select
from .meter import state_bytes

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def free_bytes(device: str) -> int:
    """Bytes that are free now: of the graphics card, or of this machine."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    return int(psutil.virtual_memory().available)


def budget(asked: Any, device: str, workers: int) -> int:
    """Bytes for the trials that one worker holds at once: of what was asked for, or of half of what is free.

    >>> budget("3GB", "cpu", 2)
    1500000000

    Raises:
        UsageError: what was asked for is no size.
    """
    total = free_bytes(device) // 2 if asked is None else parse(asked)
    return max(1, total // workers)


def parse(size: Any) -> int:
    """Bytes of a size such as 2000000000, 2GB or 1.5 GiB.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(size))
    if isinstance(size, bool) or match is None or match[2].upper() not in UNITS or float(match[1]) == 0:
        raise UsageError(f"memory must be a size such as 2GB or null, got {size!r}")
    return int(float(match[1]) * UNITS[match[2].upper()])


def out_of_memory(error: BaseException) -> bool:
    """Was there no memory left? On a CPU torch says so by a RuntimeError like any other."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)


def trial_bytes(problem: Problem, optimizer: Optimizer) -> int:
    """Roughly the bytes that one more trial takes: parameters, gradient and what arithmetic on them leaves, state, batch.

    Parameters are counted eight times: before and after a step, gradient, and the intermediate results of an update and of
    automatic differentiation; the optimizer's state twice, old and new, by its measured size; what both say that they need
    beside these.
    """
    one = select(optimizer, slice(0, 1))
    params = problem.start([0])
    state = state_bytes(one.init(params, problem.layout))
    scratch = problem.scratch_bytes() + one.scratch_bytes(params)
    return 8 * problem.layout.n * problem.kind["dtype"].itemsize + 2 * state + scratch
