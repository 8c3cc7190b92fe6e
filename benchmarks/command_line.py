"""What a person waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys

COMMAND = [sys.executable, "-m", "optbench"]


class CommandLine:
    """In a process of its own, the start of Python included."""

    timeout = 120

    def time_help(self) -> None:
        subprocess.run([*COMMAND, "--help"], check=True, stdout=subprocess.DEVNULL)

    def time_planning_a_hundred_runs(self) -> None:
        words = ["problem=rosenbrock,beale", "optimizer=sgd,adam", "optimizer.lr=range(0.01,0.26,0.01)"]
        subprocess.run([*COMMAND, "run", *words, "--dry-run"], check=True, stdout=subprocess.DEVNULL)
