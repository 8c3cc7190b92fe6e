from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from optbench import store as store_module
from optbench import sweep as sweep_module
from optbench.api import load
from optbench.errors import UsageError
from optbench.executors.serial import SerialExecutor
from optbench.plan import plan
from optbench.sweep import DiskError, sweep

SMALL = ["steps=20", "seeds=2", "executor=serial"]
TIMED = ["seconds", "step_seconds", "peak_bytes"]


class Silent:
    """A progress that only keeps what it is told."""

    def __init__(self) -> None:
        self.began: tuple[int, ...] = ()
        self.said: list[tuple[str, str]] = []

    def begin(self, runs: int, trials: int, finished: int) -> None:
        self.began = (runs, trials, finished)

    def ended(self, run: Any, status: str, message: str) -> None:
        self.said.append((run.labels["optimizer"], status))


def frames(path: Path) -> list[pd.DataFrame]:
    """trials, hits and curves without times, in an order of their own."""
    results = load(path)
    out = []
    for frame in (results.trials, results.hits, results.curves):
        plain = frame.drop(columns=TIMED, errors="ignore").astype(
            {c: str for c in frame if frame[c].dtype == "category"}
        )
        keys = [c for c in ("run_id", "trial", "target", "step") if c in plain]
        out.append(plain.sort_values(keys, kind="stable").reset_index(drop=True))
    return out


def test_finished_runs_are_not_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Silent()
    done = sweep(plan(["optimizer=adam,sgd", *SMALL]), first)
    assert (done.done, done.found, done.failed) == (2, 0, 0)
    assert first.began == (2, 4, 0)
    shards = {p: p.stat().st_mtime_ns for p in Path("results/sweep").glob("*.parquet")}
    executed = []
    execute = sweep_module.execute
    monkeypatch.setattr(sweep_module, "execute", lambda run: executed.append(run.labels["optimizer"]) or execute(run))
    again = sweep(plan(["optimizer=adam,sgd,lion", *SMALL]), Silent())
    assert (again.done, again.found) == (1, 2)
    assert executed == ["lion"]
    assert all(p.stat().st_mtime_ns == time_ for p, time_ in shards.items())
    assert load("results/sweep").runs.optimizer.tolist() == ["adam", "sgd", "lion"]


def test_a_run_that_fails_is_told_and_tried_again_while_the_rest_goes_on(folder: Path) -> None:
    (folder / "bad.py").write_text(
        "from optbench.problems.rosenbrock import Rosenbrock\n\n\nclass Nan(Rosenbrock):\n"
        "    def loss(self, params, batch):\n        return super().loss(params, batch) * float('nan')\n"
    )
    words = ["problem=./bad.py:Nan,rosenbrock", "optimizer=sgd,adam", *SMALL]
    progress = Silent()
    assert sweep(plan(words), progress).failed == 2
    assert sorted(progress.said) == [("adam", "error"), ("adam", "ok"), ("sgd", "error"), ("sgd", "ok")]
    again = sweep(plan(words), Silent())
    assert (again.done, again.found, again.failed) == (2, 2, 2)
    runs = load("results/sweep").runs
    assert runs.groupby("problem").status.unique().map(list).to_dict() == {"Nan": ["error"], "rosenbrock": ["ok"]}
    assert "the objective is nan at the start of every trial" in runs.error.max()


def test_both_executors_give_the_same(folder: Path, mine: Path) -> None:
    words = ["optimizer=adam,lbfgs,./mine.py:Mine,mine.Mine", "steps=70", "seeds=3"]
    local = sweep(plan([*words, "executor=local", "executor.workers=2", "results=local"]), Silent())
    assert local.failed == 0
    sweep(plan([*words, "executor=serial", "results=serial"]), Silent())
    for left, right in zip(frames(Path("local")), frames(Path("serial")), strict=True):
        pd.testing.assert_frame_equal(left, right)


def test_a_full_disk_ends_the_sweep_and_keeps_what_was_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RUNS_A_SHARD", 1)
    replace, count = os.replace, iter(range(100))

    def full(source: Any, target: Any) -> None:
        if str(target).endswith(".parquet") and next(count) >= 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    planned = plan(["optimizer=adam,sgd,lion", *SMALL])
    with monkeypatch.context() as patch:
        patch.setattr(store_module.os, "replace", full)
        with pytest.raises(
            DiskError, match=r"No space left on device; 1 finished runs are safe there. Make room"
        ) as told:
            sweep(planned, Silent())
    assert "\n" not in str(told.value)
    assert not list(Path("results/sweep").glob("*.tmp"))
    done = sweep(planned, Silent())
    assert (done.done, done.found, done.failed) == (2, 1, 0)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Callable[[str], None]]:
    """A real file system at results/ that holds 120 KB; call it with another size to make room."""
    disk = folder / "results"
    disk.mkdir()

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        return shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0

    if not mount("size=120k"):
        pytest.skip("this user may not mount a file system")
    yield lambda size: [mount(f"remount,size={size}")] == [True] or pytest.fail("cannot be remounted")
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full_loses_nothing_that_was_written(
    small_disk: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RUNS_A_SHARD", 1)
    planned = plan(["problem.n=range(2,12)", *SMALL])
    with pytest.raises(DiskError, match="No space left on device"):
        sweep(planned, Silent())
    safe = set(load("results/sweep").runs.run_id)
    assert 0 < len(safe) < 10
    assert not list(Path("results/sweep").glob("*.tmp"))
    small_disk("10m")
    done = sweep(planned, Silent())
    assert (done.done, done.found, done.failed) == (10 - len(safe), len(safe), 0)
    assert safe < set(load("results/sweep").runs.run_id)


@pytest.mark.slow
def test_a_worker_that_always_dies_fails_its_run_alone(folder: Path) -> None:
    (folder / "deadly.py").write_text(
        "import os, signal\nimport torch\n\n\nclass Deadly(torch.optim.SGD):\n    def step(self, closure=None):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = ["optimizer=adam,./deadly.py:Deadly,sgd", "steps=20", "seeds=2"]
    done = sweep(plan([*words, "executor=local", "executor.workers=2", "executor.retries=1"]), Silent())
    assert (done.done, done.failed) == (3, 1)
    runs = load("results/sweep").runs.set_index("optimizer")
    assert runs.status.to_dict() == {"adam": "ok", "Deadly": "error", "sgd": "ok"}
    assert "its worker process died each time it was tried" in runs.error["Deadly"]


def test_an_interrupt_keeps_the_runs_that_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = sweep_module.execute

    def stopped(run: Any) -> Any:
        if run.labels["optimizer"] == "lion":
            raise KeyboardInterrupt
        return execute(run)

    monkeypatch.setattr(sweep_module, "execute", stopped)
    with pytest.raises(KeyboardInterrupt):
        sweep(plan(["optimizer=adam,lion,sgd", *SMALL]), Silent())
    assert load("results/sweep").runs.optimizer.tolist() == ["adam"]


def test_a_run_that_cannot_be_handed_over_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Remote(SerialExecutor):
        workers = 2

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            def refuse(run: Any) -> Any:
                raise TypeError("cannot pickle") if run.labels["optimizer"] == "sgd" else None

            return super().submit(refuse if args[0].labels["optimizer"] == "sgd" else fn, *args, **kwargs)

    monkeypatch.setitem(sweep_module.EXECUTORS, "serial", Remote)
    assert sweep(plan(["optimizer=adam,sgd", *SMALL]), Silent()).failed == 1
    assert load("results/sweep").runs.error.tolist() == ["", "TypeError: cannot pickle"]


@pytest.mark.parametrize(
    "word", ["executor.workers=0", "executor.workers=two", "executor.retries=-1", "executor.threads=true"]
)
def test_a_wrong_setting_of_an_executor_is_refused(folder: Path, word: str) -> None:
    with pytest.raises(UsageError, match=r"executor\.\w+ must be a whole number"):
        sweep(plan(["executor=local", word]), Silent())
    assert not Path("results").exists()


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`optbench run` as a process group of its own, which Ctrl-C reaches even where these tests run in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "optbench", "run", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_shard(folder: Path, process: subprocess.Popen[str]) -> None:
    while not list(folder.glob("results/sweep/runs-*.parquet")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


SLOW = """
import time
from optbench import store
from optbench.problems.rosenbrock import Rosenbrock

store.RUNS_A_SHARD = 1


class Slow(Rosenbrock):
    def stream(self, seeds):
        time.sleep(0.15)
        return super().stream(seeds)
"""
MANY = ["problem=./slow.py:Slow", "problem.n=range(2,6)", "optimizer=adam,sgd", "steps=100", "seeds=2"]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "local"])
def test_a_sweep_killed_in_the_middle_ends_as_an_undisturbed_one(folder: Path, executor: str) -> None:
    (folder / "slow.py").write_text(SLOW)
    words = [*MANY, f"executor={executor}"]
    killed = start(folder, *words)
    wait_for_shard(folder, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    shards = {p: p.stat().st_mtime_ns for p in folder.glob("results/sweep/*.parquet")}
    finished = len(load(folder / "results/sweep").runs)
    assert 0 < finished < 8
    resumed = start(folder, *words)
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert f"{8 - finished} runs done" in out
    assert f"{finished} found finished" in out
    assert all(p.stat().st_mtime_ns == then for p, then in shards.items())
    sweep(plan([*MANY, "executor=serial", "results=undisturbed"]), Silent())
    for left, right in zip(frames(folder / "results/sweep"), frames(folder / "undisturbed"), strict=True):
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_process_outlives_a_sweep_that_is_killed(folder: Path, sent: signal.Signals) -> None:
    (folder / "slow.py").write_text(SLOW)
    killed = start(folder, *MANY, "executor=local", "executor.workers=2")
    wait_for_shard(folder, killed)
    os.kill(killed.pid, sent)
    try:
        killed.communicate(timeout=60)  # until the last one that has its stdout has ended
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "local"])
def test_ctrl_c_stores_what_is_finished_and_says_so_in_one_line(folder: Path, executor: str) -> None:
    (folder / "slow.py").write_text(SLOW)
    process = start(folder, *MANY, f"executor={executor}")
    wait_for_shard(folder, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    lines = [line for line in err.splitlines() if "runs," not in line]
    assert lines == ["optbench: stopped; finished runs are stored, and the same command goes on from them"]
    assert 0 < len(load(folder / "results/sweep").runs) < 8
    assert not list(folder.glob("results/sweep/*.tmp"))
