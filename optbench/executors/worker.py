"""What every worker process does before its first run."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading

import torch


def prepare(path: list[str], threads: int = 1) -> None:
    """Import path and speed of a worker process, and its end: with that of the sweep's own process, and not by Ctrl-C, which
    reaches every process of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    sys.path[:] = path
    tune(threads)


def _follow() -> None:
    """End this process once the one that started it is gone, killed perhaps: nobody takes its results any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


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
