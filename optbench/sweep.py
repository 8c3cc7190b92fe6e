"""A sweep: runs handed to an executor, results stored as they come, finished runs never done again."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import UsageError, near
from .execute import execute
from .executors import EXECUTORS
from .plan import Plan
from .provenance import provenance
from .rows import failed_tables
from .runs import Run
from .store import Store
from .tables import Tables


class DiskError(Exception):
    """Results could not be written; one line that says what is safe and what to do."""


class Progress(Protocol):
    """Told of the sweep as it goes on."""

    def begin(self, runs: int, trials: int, finished: int) -> None: ...

    def ended(self, run: Run, status: str, message: str) -> None: ...


@dataclass(frozen=True)
class Done:
    """How a sweep ended: runs done now, found finished, and how many of those done failed."""

    done: int
    found: int
    failed: int
    seconds: float


def sweep(plan: Plan, progress: Progress) -> Done:
    """Do the runs of a plan that are not on disk yet.

    Raises:
        UsageError: the results folder or the executor cannot be used.
        DiskError: results cannot be written any more; what was written stays.
        KeyboardInterrupt: after what was finished has been stored.
    """
    began = time.perf_counter()
    runs = list({run.run_id: run for run in plan.runs}.values())
    executor = _executor(plan.executor)
    workers, threads = getattr(executor, "workers", 1), plan.executor.get("threads", 1)
    store = Store(
        plan.results,
        {
            "command": shlex.join(["optbench", "run", *plan.words]),
            "suite": plan.suite,
            "started": time.time(),
            "run_ids": [run.run_id for run in runs],
            "provenance": provenance(runs[0].device, threads, workers),
            "config": plan.configs[0],
        },
    )
    finished = store.finished()
    left = [run for run in runs if run.run_id not in finished]
    progress.begin(len(left), sum(run.trial_count for run in left), len(runs) - len(left))
    failures: list[Run] = []

    def keep(run: Run, tables: Tables) -> None:
        status, message = (tables.runs[column][0].as_py() for column in ("status", "error"))
        if status != "ok":
            failures.append(run)
        try:
            store.add(tables)
        except OSError as error:
            raise _disk_error(plan, store, error) from error
        progress.ended(run, status, message)

    try:
        with executor:
            try:
                _do(left, executor, keep)
            except BaseException:
                getattr(executor, "stop", executor.shutdown)()
                raise
    finally:
        _last_flush(plan, store)
    return Done(len(left), len(runs) - len(left), len(failures), time.perf_counter() - began)


def _do(left: list[Run], executor: Any, keep: Callable[[Run, Tables], None]) -> None:
    if getattr(executor, "workers", 1) == 1 and not hasattr(executor, "retries"):
        for run in left:
            keep(run, executor.submit(execute, run).result())
        return
    futures: dict[Future[Tables], Run] = {executor.submit(execute, run): run for run in left}
    for future in as_completed(futures):
        run = futures.pop(future)
        try:
            tables = future.result()
        except BrokenProcessPool:
            tables = failed_tables(run, "error", "its worker process died each time it was tried (killed, or out of memory?)")
        except Exception as error:  # the run could not be handed to a worker, or its tables not back
            tables = failed_tables(run, "error", f"{type(error).__name__}: {' '.join(str(error).split())}")
        keep(run, tables)


def _last_flush(plan: Plan, store: Store) -> None:
    try:
        store.flush()
    except OSError as error:
        raise _disk_error(plan, store, error) from error


def _disk_error(plan: Plan, store: Store, error: OSError) -> DiskError:
    return DiskError(
        f"{plan.results}: {error.strerror or error}; {len(store.finished())} finished runs are safe there. "
        "Make room, then type the same command: it goes on from them"
    )


def _executor(settings: dict[str, Any]) -> Any:
    name = settings["name"]
    if name not in EXECUTORS:
        raise UsageError(f"no executor is called {name!r}{near(name, EXECUTORS)} (there are {', '.join(EXECUTORS)})")
    given = {key: value for key, value in settings.items() if key != "name"}
    for key, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < (key != "retries")):
            raise UsageError(f"executor.{key} must be a whole number of at least {int(key != 'retries')}, got {value!r}")
    return EXECUTORS[name](**given)
