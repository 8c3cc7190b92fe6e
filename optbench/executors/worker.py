"""What every worker process does before its first run."""

from __future__ import annotations

import ctypes
import signal
import sys

import torch


def prepare(path: list[str], threads: int = 1) -> None:
    """Import path and speed of a worker process, and no Ctrl-C: that reaches every process of a terminal, and the sweep's
    own process stops its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:] = path
    tune(threads)


def tune(threads: int) -> None:
    """Threads, denormals and memory allocator of this process.

    Denormals are flushed to zero (they made a matrix product 84 times slower), and malloc keeps large blocks instead of
    giving them back to the system after each step (page faults cost half of a step with ten million parameters).
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            m_trim_threshold, m_mmap_threshold = -1, -3
            mallopt(m_mmap_threshold, 1 << 30)
            mallopt(m_trim_threshold, (1 << 31) - 1)
