"""How fast optbench is beside bare loops: `python -m benchmarks.speed [--only PART] [--json] [--suites]`.

Both sides of a row run in turn, in this process, on one thread; the table has the median of each side. What a bare loop
does not do, evaluating on the whole data set, is not counted; recording is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy

import optbench
from optbench.data.splits import Part, Splits
from optbench.interfaces import Problem
from optbench.optimizers.adam import Adam
from optbench.runner import run_trials
from optbench.schedules.constant import Constant

from . import bare
from .steps import steps
from .timing import Row, compared, in_turn, seconds

OPTBENCH = [sys.executable, "-m", "optbench"]
THOUSAND = [
    "problem=rosenbrock,quadratic,beale,rastrigin,saddle",
    "optimizer=sgd,momentum,adam,lion",
    "schedule=constant,cosine",
    "optimizer.lr=0.001,0.003,0.01,0.03,0.1",
    "steps=100,200,300,400,500",
]
"""1,000 runs, as typed after `optbench run`."""


def per_trial_step(problem: Problem, trials: int, steps: int, least_lr: float, most_lr: float) -> float:
    """Seconds that the runner trains and records for, per step of a trial; each trial has a rate of its own.

    Raises:
        RuntimeError: a trial diverged, so that fewer steps were made than are counted.
    """
    lr = torch.tensor(np.geomspace(least_lr, most_lr, trials), **problem.kind)[:, None]
    adam = Adam(lr=float(lr[0]) if trials == 1 else lr)
    outcome = run_trials(problem, adam, Constant(), [], [0] * trials, steps)
    if (outcome.recording.died >= 0).any():
        raise RuntimeError("a trial diverged in a speed comparison; choose smaller rates")
    return (outcome.seconds["train"] + outcome.seconds["record"]) / (trials * steps)


def landscapes(repeats: int) -> Iterator[Row]:
    """Trials on Rosenbrock beside a bare loop."""
    landscape = optbench.problem("rosenbrock")

    def loop() -> float:
        return seconds(lambda: bare.rosenbrock(2000)) / 2000

    ours, theirs = in_turn(repeats, lambda: per_trial_step(landscape, 4096, 1000, 1e-4, 0.5), loop)
    yield compared("4,096 trials on Rosenbrock", ours, theirs, least=1000)
    ours, theirs = in_turn(repeats, lambda: per_trial_step(landscape, 1, 2000, 1e-3, 1e-3), loop)
    yield compared("1 trial on Rosenbrock", ours, theirs, most=1.05)


@dataclass(frozen=True)
class Training:
    """A network beside a bare loop: its problem, the loop's loss, steps for 32 trials and for one, and the goal for 32."""

    name: str
    problem: Problem
    loss: bare.Loss
    many: int
    one: int
    least: float


def few_samples(problem: Any) -> Any:
    """The same problem with 256 samples in each part: what is evaluated is not counted, and need not be waited for."""
    whole = problem.splits
    parts = [Part(part.x[:256], part.y[:256]) for part in (whole.train, whole.validation, whole.test)]
    vars(problem)["splits"] = Splits(*parts)  # in place of what the cached property made
    return problem


def networks() -> list[Training]:
    """The networks that are compared, each with the plain loss a person would write."""
    return [
        Training("digits MLP", optbench.problem("mlp"), cross_entropy, 500, 500, 3.5),
        Training("digits VAE", optbench.problem("vae"), bare.evidence, 200, 300, 3.5),
        Training(
            "transformer, sums", optbench.problem("transformer", data="modular_addition"), cross_entropy, 60, 200, 2.0
        ),
        Training("transformer, recall", optbench.problem("transformer", depth=1), cross_entropy, 60, 200, 2.0),
        Training("digits CNN", optbench.problem("cnn"), cross_entropy, 40, 300, 1.0),
        Training("digits ResNet", optbench.problem("resnet"), cross_entropy, 20, 100, 1.0),
    ]


def trainings(repeats: int) -> Iterator[Row]:
    """Networks beside bare loops of one model, without what is evaluated."""
    for case in networks():
        yield from _training(case, few_samples(case.problem), repeats)


def _training(case: Training, problem: Any, repeats: int) -> Iterator[Row]:
    x, y = problem.train.x, problem.train.y

    def loop() -> float:
        module = problem.module()
        return seconds(lambda: bare.train(module, case.loss, x, y, case.one, problem.batch_size)) / case.one

    ours, theirs = in_turn(repeats, lambda: per_trial_step(problem, 32, case.many, 1e-4, 1e-2), loop)
    yield compared(f"32 trials on the {case.name}", ours, theirs, least=case.least)
    ours, theirs = in_turn(repeats, lambda: per_trial_step(problem, 1, case.one, 1e-3, 1e-3), loop)
    yield compared(f"1 trial on the {case.name}", ours, theirs, most=1.05)


def command_line(repeats: int) -> Iterator[Row]:
    """What a person waits for before the first step; bare is a Python that does nothing.

    Seconds for 1,000 runs are milliseconds a run.
    """
    few = max(1, repeats // 3)
    (planning,) = in_turn(few, lambda: _call([*OPTBENCH, "run", *THOUSAND, "--dry-run"]))
    yield Row("planning 1,000 runs, whole command", "ms a run", planning, None, None, "≤ 5 ms", planning <= 5)
    help_time, nothing = in_turn(
        repeats, lambda: _call([*OPTBENCH, "--help"]), lambda: _call([sys.executable, "-c", ""])
    )
    yield Row("optbench --help", "s", help_time, nothing, help_time / nothing, "about 0.1 s", help_time <= 0.15)


def suites() -> Iterator[Row]:
    """The quick suite and its report, once each, on all cores."""
    with tempfile.TemporaryDirectory() as folder:
        results, report = str(Path(folder) / "quick"), str(Path(folder) / "report")
        took = _call([*OPTBENCH, "run", "suite=quick", f"results={results}"])
        yield Row("quick suite", "s", took, None, None, "about 120 s", took <= 150)
        took = _call([*OPTBENCH, "report", results, "-o", report])
        yield Row("its report", "s", took, None, None, "about 10 s", took <= 12.5)


def _call(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL))


def _shown(x: float | None) -> str:
    return "" if x is None else f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def table(rows: list[Row]) -> Table:
    drawn = Table(title=f"optbench beside bare loops: {machine()}")
    for head in ("", "unit", "ours", "bare", "ours / bare", "goal", "met"):
        drawn.add_column(head, justify="left" if head in ("", "unit", "goal") else "right")
    for row in rows:
        drawn.add_row(
            row.name,
            row.unit,
            *(_shown(x) for x in (row.ours, row.bare, row.ratio)),
            row.goal,
            "yes" if row.met else "no",
        )
    return drawn


def machine() -> str:
    return (
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}"
    )


PARTS = {"landscapes": landscapes, "steps": steps, "networks": trainings, "commands": command_line}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    parser.add_argument("--suites", action="store_true", help="the quick suite and its report too (minutes)")
    parser.add_argument("--only", choices=[*PARTS], help="one part of the rows")
    parser.add_argument("--repeats", type=int, default=9, help="repetitions of each side (default: 9)")
    args = parser.parse_args()
    rows, progress = list[Row](), Console(stderr=True)
    chosen = [PARTS[args.only]] if args.only else PARTS.values()
    for row in itertools.chain(*(part(args.repeats) for part in chosen), suites() if args.suites else ()):
        rows.append(row)
        progress.print(f"{row.name}: {_shown(row.ours)} {row.unit}")
    if args.json:
        print(json.dumps({"machine": machine(), "threads": 1, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        Console(width=110).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
