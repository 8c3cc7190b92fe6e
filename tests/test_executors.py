from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import torch

from optbench.executors import EXECUTORS
from optbench.executors.local import LocalExecutor
from optbench.executors.serial import SerialExecutor


def square(x: int) -> int:
    return x * x


def refuse(x: int) -> int:
    raise KeyError(f"not {x}")


def die(*unused: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: str) -> str:
    """Kill the worker the first time; the marker says that there was one."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "done"
    return die() or "never"


def wait_for(marker: str) -> None:
    while not Path(marker).exists():
        time.sleep(0.01)


def surroundings() -> tuple[int, str, bool]:
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return torch.get_num_threads(), os.getcwd(), ignored


def test_every_executor_gives_results_and_passes_exceptions_through() -> None:
    for name, settings in (("serial", {}), ("local", {"workers": 2})):
        with EXECUTORS[name](**settings) as executor:
            futures = [executor.submit(square, k) for k in range(6)]
            assert [f.result() for f in futures] == [0, 1, 4, 9, 16, 25]
            with pytest.raises(KeyError, match="not 3"):
                executor.submit(refuse, 3).result()
            assert executor.submit(square, 5).result() == 25


def test_a_serial_task_is_done_when_submitted() -> None:
    with SerialExecutor() as executor:
        assert executor.submit(square, 3).done()


def test_a_keyboard_interrupt_is_no_result_of_a_serial_task() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with SerialExecutor() as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(interrupted)


def test_workers_have_one_thread_this_folder_and_no_ear_for_ctrl_c(folder: Path) -> None:
    with LocalExecutor(workers=1) as executor:
        assert executor.submit(surroundings).result() == (1, str(folder), True)


def test_all_tasks_finish_when_workers_are_killed_on_the_way(tmp_path: Path) -> None:
    with LocalExecutor(workers=2) as executor:
        lively = [executor.submit(square, k) for k in range(10)]
        killed = [executor.submit(die_once, str(tmp_path / str(k))) for k in range(2)]
        more = [executor.submit(square, k) for k in range(10)]
        assert [f.result() for f in killed] == ["done"] * 2
        assert [f.result() for f in lively + more] == [k * k for k in range(10)] * 2


def test_a_task_that_always_kills_its_worker_fails_alone() -> None:
    with LocalExecutor(workers=2, retries=1) as executor:
        before = [executor.submit(square, k) for k in range(5)]
        deadly = executor.submit(die)
        after = [executor.submit(square, k) for k in range(5)]
        with pytest.raises(BrokenProcessPool):
            deadly.result()
        assert [f.result() for f in before + after] == [k * k for k in range(5)] * 2
        assert executor.submit(square, 7).result() == 49


def test_futures_are_known_to_the_standard_library() -> None:
    with LocalExecutor(workers=2) as executor:
        futures = {executor.submit(square, k): k for k in range(4)}
        assert {futures[f]: f.result() for f in as_completed(futures)} == {k: k * k for k in range(4)}
        assert list(executor.map(square, range(4))) == [0, 1, 4, 9]


def test_what_waits_is_cancelled_and_what_runs_is_ended_at_shutdown(tmp_path: Path) -> None:
    executor = LocalExecutor(workers=1)
    running = executor.submit(wait_for, str(tmp_path / "go"))
    waiting = [executor.submit(square, k) for k in range(3)]
    while not running.running():
        time.sleep(0.01)
    (tmp_path / "go").touch()
    executor.shutdown(wait=True, cancel_futures=True)
    assert running.result() is None
    assert all(f.cancelled() for f in waiting)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(square, 1)


def test_stopping_kills_what_runs() -> None:
    executor = LocalExecutor(workers=1)
    running, waiting = executor.submit(time.sleep, 600), executor.submit(square, 1)
    while not (executor._pool._processes and running.running()):
        time.sleep(0.01)
    executor.stop()
    executor.shutdown()
    assert waiting.cancelled()
    wait([running], timeout=60)
    with pytest.raises(BrokenProcessPool):
        running.result(timeout=60)


def test_the_serial_executor_gives_back_the_threads_and_denormals_of_before():
    least, threads = sys.float_info.min, torch.get_num_threads()
    with SerialExecutor(threads=1) as executor:
        assert executor.submit(lambda: least * 0.5).result() == 0.0
        assert torch.get_num_threads() == 1
    assert least * 0.5 > 0.0
    assert torch.get_num_threads() == threads
