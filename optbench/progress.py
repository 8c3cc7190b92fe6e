"""Progress of a sweep: a bar with runs, trials, rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .runs import Run

SECONDS_A_LINE = 10.0


class SweepProgress:
    """Written to stderr, so that stdout holds results alone; usable as a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bar: Progress | None = None
        self.runs = self.trials = self.done_runs = self.done_trials = 0

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def begin(self, runs: int, trials: int, finished: int) -> None:
        """Show how much there is to do."""
        self.runs, self.trials = runs, trials
        self.began = self.said = time.monotonic()
        if finished:
            self.console.print(f"{finished} finished runs found, {runs} left", highlight=False)
        if self.console.is_terminal and runs:
            self.bar = Progress(
                TextColumn("runs"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[trials]:,} trials"),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=self.console,
            )
            self.bar.start()
            self.task = self.bar.add_task("", total=runs, trials=0, rate="")

    def ended(self, run: Run, status: str, message: str) -> None:
        """Count a run; say so at once if it failed."""
        self.done_runs += 1
        self.done_trials += run.trial_count
        seconds = max(time.monotonic() - self.began, 1e-9)
        rate = f"{self.done_trials / seconds:,.0f} trials/s"
        if status != "ok":
            names = " × ".join(label for label in run.labels.values() if label)
            line = f"optbench: {names}: {status}: {' '.join(message.split())}"
            self.console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        if self.bar is not None:
            self.bar.update(self.task, advance=1, trials=self.done_trials, rate=rate)
        elif time.monotonic() - self.said > SECONDS_A_LINE or self.done_runs == self.runs:
            left = seconds / self.done_runs * (self.runs - self.done_runs)
            line = f"{self.done_runs}/{self.runs} runs, {self.done_trials:,}/{self.trials:,} trials, {rate}, {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)
            self.said = time.monotonic()
