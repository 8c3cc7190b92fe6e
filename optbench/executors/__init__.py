"""Executors, one a file: where the runs of a sweep are done. Each makes a `concurrent.futures.Executor`."""

from collections.abc import Callable
from concurrent.futures import Executor

from .local import LocalExecutor
from .serial import SerialExecutor

EXECUTORS: dict[str, Callable[..., Executor]] = {
    "local": LocalExecutor,
    "serial": SerialExecutor,
}
