"""A pool of worker processes on this machine that outlives the death of its workers."""

from __future__ import annotations

import collections
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from .worker import prepare


@dataclass
class _Task:
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    future: Future[Any] = field(default_factory=Future)
    deaths: int = 0


class LocalExecutor(Executor):
    """Worker processes of one thread each, from a fork server that has torch loaded.

    When a worker dies, the pool is made anew and the tasks that were in flight are done again. A task in flight at more
    than `retries` deaths fails with BrokenProcessPool. So that a task that kills its worker is not held against the
    others, tasks that have seen a death are tried one at a time.

    Args:
        workers: processes; None: one a core.
        retries: deaths that a task may see and still be tried again.
        threads: torch threads of each worker.
    """

    def __init__(self, workers: int | None = None, retries: int = 2, threads: int = 1):
        self.workers = workers or os.cpu_count() or 1
        self.retries, self.threads = retries, threads
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["optbench.execute"])
        self._lock = threading.RLock()
        self._queue: collections.deque[_Task] = collections.deque()
        self._suspects: collections.deque[_Task] = collections.deque()
        self._flying: set[int] = set()
        self._closed = False
        self._idle = threading.Condition(self._lock)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, mp_context=self._context, initializer=prepare, initargs=(list(sys.path), self.threads)
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = _Task(fn, args, kwargs)
        with self._lock:
            if self._closed:
                raise RuntimeError("this executor is shut down")
            self._queue.append(task)
            self._start()
        return task.future

    def _start(self) -> None:
        """Hand out tasks while workers are free; one that has seen a death flies alone."""
        while True:
            if self._suspects:
                if not self._flying:
                    self._fly(self._suspects.popleft())
                break
            if not self._queue or len(self._flying) >= self.workers:
                break
            self._fly(self._queue.popleft())
        if not self._flying:
            self._idle.notify_all()

    def _fly(self, task: _Task) -> None:
        if task.deaths == 0 and not task.future.set_running_or_notify_cancel():
            return
        self._flying.add(id(task))
        pool = self._pool
        try:
            inner = pool.submit(task.call, *task.args, **task.kwargs)
        except BrokenProcessPool as error:
            self._landed(task, pool, error)
            return
        inner.add_done_callback(lambda done: self._done(task, pool, done))

    def _done(self, task: _Task, pool: ProcessPoolExecutor, done: Future[Any]) -> None:
        error = done.exception() if not done.cancelled() else RuntimeError("cancelled")
        if isinstance(error, BrokenProcessPool):
            self._landed(task, pool, error)
            return
        with self._lock:
            self._flying.discard(id(task))
        if error is None:
            task.future.set_result(done.result())
        else:
            task.future.set_exception(error)
        with self._lock:
            self._start()

    def _landed(self, task: _Task, pool: ProcessPoolExecutor, error: BrokenProcessPool) -> None:
        """A worker died while this task was in flight."""
        failed = False
        with self._lock:
            self._flying.discard(id(task))
            if pool is self._pool and not self._closed:
                pool.shutdown(wait=False)
                self._pool = self._new_pool()
            task.deaths += 1
            failed = task.deaths > self.retries or self._closed
            if not failed:
                self._suspects.append(task)
        if failed:
            task.future.set_exception(error)
        with self._lock:
            if not self._closed:
                self._start()

    def stop(self) -> None:
        """Shut down at once: nothing waiting is started, and what is in flight is killed and its futures fail."""
        with self._lock:
            self._closed = True
            for task in (*self._queue, *self._suspects):
                task.future.cancel()
            self._queue.clear()
            self._suspects.clear()
            workers = list((self._pool._processes or {}).values())
        for worker in workers:
            worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            if cancel_futures:
                for task in (*self._queue, *self._suspects):
                    task.future.cancel()
                self._queue.clear()
                self._suspects.clear()
            if wait:
                while self._flying or self._queue or self._suspects:
                    self._idle.wait()
            self._closed = True
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
