"""`optbench run`: a sweep from the command line to a table in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..plan import plan, resolved
from ..progress import SweepProgress
from ..sweep import DiskError, sweep
from .summary import summary_table


def run(words: Sequence[str], config_dir: str | None, *, show_config: bool, dry: bool) -> int:
    """Plan, do what is not done yet, and print what came out. Exit status 1 where a run failed."""
    planned = plan(words, config_dir)
    if show_config:
        print("---\n".join(resolved(planned.configs)), end="")
        return 0
    for line in planned.left_out:
        print(f"optbench: left out: {line}", file=sys.stderr)
    for line in planned.remarks:
        print(f"optbench: note: {line}", file=sys.stderr)
    trials = sum(run.trial_count for run in planned.runs)
    if dry:
        for one in planned.runs:
            print(one.run_id, *one.labels.values(), f"{one.budget} steps, {one.trial_count} trials", sep="  ")
        print(f"{len(planned.runs)} runs, {trials:,} trials, results in {planned.results}")
        return 0
    with SweepProgress() as progress:
        try:
            done = sweep(planned, progress)
        except DiskError as error:
            print(f"optbench: {error}", file=sys.stderr)
            return 1
    summary_table(planned.results, [run.run_id for run in planned.runs])
    found = f", {done.found} found finished" if done.found else ""
    failed = f", {done.failed} of them failed (see above; the same command tries them again)" if done.failed else ""
    runs = "1 run" if done.done == 1 else f"{done.done} runs"
    print(f"\n{runs} done in {done.seconds:.0f} s{failed}{found}; results in {planned.results}")
    print(f"Report:  optbench report {planned.results}")
    return 1 if done.failed else 0
