"""Runs in this process, one after the other, each when it is submitted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import torch

from .worker import tune


class SerialExecutor(Executor):
    """Does each task at once, in this process; its future is done when `submit` returns.

    Args:
        threads: torch threads while it is open; those of before come back when it is shut down, and so do denormals.
    """

    workers = 1

    def __init__(self, threads: int = 1):
        self._threads, self._flushed = torch.get_num_threads(), _flushes_denormals()
        tune(threads)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        torch.set_num_threads(self._threads)
        torch.set_flush_denormal(self._flushed)


def _flushes_denormals() -> bool:
    """Does this thread take denormal numbers for zero? torch can set it but not tell it."""
    least = sys.float_info.min
    return least * 0.5 == 0.0
