from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from optbench.problems.rosenbrock import Rosenbrock

from optbench import run
from optbench.execute import execute
from optbench.plan import plan
from optbench.statistics.contest import contest
from optbench.statistics.summary import summarise

pytestmark = pytest.mark.usefixtures("types_unchecked")

HEAD = """
import sys
from dataclasses import dataclass
from optbench.checks import setting
from optbench.interfaces import FirstOrder, Hyper
from optbench.problems.rosenbrock import Rosenbrock

@dataclass(frozen=True, kw_only=True)
class Mine(FirstOrder):
    lr: Hyper = setting(1e-3, least=0)
    def init(self, params, layout): return ()
    def update(self, params, grad, state, lr): return {step}, ()

@dataclass(frozen=True, kw_only=True)
class Hilly(Rosenbrock):
    def start(self, seeds): return {start}
    def loss(self, params, batch): return {loss}
    def target(self): return {target}
"""
GOOD = {
    "step": "params - lr * grad",
    "start": "super().start(seeds)",
    "loss": "super().loss(params, batch)",
    "target": "super().target()",
}


def done(folder: Path, *words: str, **lines: str) -> pd.Series:
    """The row of a run of Mine on Hilly, of which some lines are replaced."""
    file = folder / "mine.py"
    file.write_text(HEAD.format(**{**GOOD, **lines}))
    [one] = plan([f"problem={file}:Hilly", f"optimizer={file}:Mine", "steps=3", "seeds=2", *words]).runs
    return execute(one).runs.to_pandas().iloc[0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            {"step": "(params - lr * grad)[:, :1]"},
            "Mine: a step must give parameters [2, 2] of torch.float64, got [2, 1]",
        ),
        ({"step": "params.float()"}, "got [2, 2] of torch.float32"),
        ({"step": "sys.exit(3)"}, "SystemExit: 3 (update, mine.py:"),
        (
            {"loss": "params**2"},
            "Hilly: loss() must give one number a trial, [2], got [2, 2]; sum or average over dim=1",
        ),
        ({"loss": "(params**2).sum()"}, "must give one number a trial, [2], got []"),
        ({"start": "super().start(seeds)[0]"}, "Hilly: start() must give one row a trial, [2, 2], got [2]"),
        ({"target": "0.5"}, "Hilly: target() is 0.5, which is none of targets()"),
    ],
)
def test_a_class_that_breaks_its_contract_is_told_so_in_one_line(
    tmp_path: Path, lines: dict[str, str], told: str
) -> None:
    row = done(tmp_path, **lines)
    assert row["status"] == "error"
    assert told in row["error"]
    assert "\n" not in row["error"]


def test_the_row_of_a_failed_run_tells_of_its_problem(tmp_path: Path) -> None:
    failed, fine = done(tmp_path, step="1 / 0"), done(tmp_path)
    assert (failed["status"], fine["status"]) == ("error", "ok")
    for column in ("n", "target", "minimum"):
        assert failed[column] == fine[column]
    assert json.loads(str(failed["about"]))["problem"] == json.loads(str(fine["about"]))["problem"]


def test_a_run_that_is_out_of_time_says_which_limit_it_broke(tmp_path: Path) -> None:
    row = done(tmp_path, "timeout=1e-9")
    assert row["status"] == "timeout"
    assert row["error"] == "not done after timeout=1e-09 seconds; raise it or set fewer steps"


def test_rivals_tell_of_a_problem_of_which_a_failed_run_knows_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD.format(**{**GOOD, "step": "1 / 0"}))
    words = (f"optimizer={tmp_path}/mine.py:Mine,adam", "tuning.method=grid", "tuning.trials=2", "steps=3")
    results = run(*words, results=tmp_path / "r")
    runs = results.runs.copy()
    blank = json.loads(str(runs.loc[0, "about"]))
    blank["problem"] = {"label": "rosenbrock"}
    runs.loc[0, ["n", "target", "about"]] = [-1, float("nan"), json.dumps(blank)]
    told: Any = SimpleNamespace(runs=runs, trials=results.trials, curves=results.curves, hits=results.hits)
    assert contest(told).about["rosenbrock"]["targets"] == Rosenbrock().targets()
    summary = summarise(told)
    assert summary["target"].tolist() == [Rosenbrock().target()] * 2
    assert summary["setting"][0] == "–"


HUNGRY = "params - lr * grad if len(params) < {room} else params.new_empty(10**15)"
"""A step for which a machine has no memory when this many trials are held at once."""


@pytest.mark.parametrize("words", [(), ("trials_at_once=7",)])
def test_a_run_without_memory_goes_on_with_half_of_the_trials_at_once(tmp_path: Path, words: tuple[str, ...]) -> None:
    row = done(tmp_path, "seeds=8", *words, step=HUNGRY.format(room=4))
    assert (row.status, row.trials_at_once) == ("ok", {(): 2}.get(words, 3))


def test_a_run_for_which_even_two_trials_are_too_many_is_out_of_memory(tmp_path: Path) -> None:
    row = done(tmp_path, step=HUNGRY.format(room=1))
    assert row.status == "out_of_memory"
    assert "allocate" in row.error
