"""A sweep: runs handed to an executor, results stored as they come, finished runs never done again."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .errors import UsageError, near
from .execute import execute
from .executors import EXECUTORS
from .memory import budget
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
    with _executor(plan.executor, len(runs)) as executor:
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
        memory = budget(plan.memory, runs[0].device, workers)
        left = [replace(run, memory=memory) for run in runs if run.run_id not in finished]
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
            _do(left, executor, keep)
        except BaseException:
            getattr(executor, "stop", executor.shutdown)()
            raise
        finally:
            _last_flush(plan, store)
    return Done(len(left), len(runs) - len(left), len(failures), time.perf_counter() - began)


def _do(left: list[Run], executor: Any, keep: Callable[[Run, Tables], None]) -> None:
    """Hand out runs a few ahead of the workers, so that each is kept as soon as it ends, whatever the executor."""
    waiting, flying = iter(left), dict[Future[Tables], Run]()
    ahead = 2 * getattr(executor, "workers", 1) - 1
    while True:
        for run in itertools.islice(waiting, max(0, ahead - len(flying))):
            flying[executor.submit(execute, run)] = run
        if not flying:
            return
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            run = flying.pop(future)
            keep(run, _tables(run, future))


def _tables(run: Run, future: Future[Tables]) -> Tables:
    try:
        return future.result()
    except BrokenProcessPool:
        return failed_tables(run, "error", "its worker process died each time it was tried (killed, or out of memory?)")
    except Exception as error:  # the run could not be handed to a worker, or its tables not back
        return failed_tables(run, "error", f"{type(error).__name__}: {' '.join(str(error).split())}")


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


def _executor(settings: dict[str, Any], runs: int) -> Any:
    """The executor asked for; a single run is done in this process, since a pool of workers takes seconds to start."""
    name = settings["name"]
    if name not in EXECUTORS:
        raise UsageError(f"no executor is called {name!r}{near(name, EXECUTORS)} (there are {', '.join(EXECUTORS)})")
    given = {key: value for key, value in settings.items() if key != "name"}
    for key, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < (key != "retries")):
            raise UsageError(
                f"executor.{key} must be a whole number of at least {int(key != 'retries')}, got {value!r}"
            )
    if name == "local" and runs == 1:
        return EXECUTORS["serial"](given["threads"])
    return EXECUTORS[name](**given)
