"""Contestants and the summary, on tables small enough to work out by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from optbench.statistics.contest import contest
from optbench.statistics.summary import contestants, on_border, reference, summarise

INF, NAN = math.inf, math.nan


class Table:
    """Results written down run by run."""

    def __init__(self):
        self.runs, self.trials = [], []

    def run(self, problem, optimizer, schedule="constant", modifier="", *, tuning=(), tuned=(), default=(), **more):
        """tuning: (lr, [(steps, selection)]); tuned, default: [(steps, final, status)]; lr of tuned is more["lr"]."""
        run_id = f"r{len(self.runs)}"
        lr = more.pop("lr", 0.1)
        search = more.pop("search", {"lr": {"log_uniform": [0.01, 1.0]}})
        about = {
            "problem": {"label": problem, "family": "landscape", "targets": [1.0], "minimum": 0.0},
            "optimizer": {"label": optimizer, "family": "sgd", "search": search},
        }
        run = {
            "run_id": run_id, "config_id": run_id, "problem": problem, "optimizer": optimizer, "schedule": schedule,
            "modifier": modifier, "about": json.dumps(about), "status": "ok", "error": "", "n": 2, "steps": 100,
            "target": 0.5, "minimum": 0.0, "dtype": "float64", "device": "cpu", "sequential": False,
            "step_seconds": 0.01, "state_bytes": 32, "finished": float(len(self.runs)),
        } | more  # fmt: skip
        self.runs.append(run)
        number = 0
        for setting, (rate, seeds) in enumerate(tuning):
            for k, (steps, selection) in enumerate(seeds):
                self._trial(run_id, number, "tuning", setting, rate, 1_000_000 + k, steps, selection, "ok")
                number += 1
        for role, rows in (("tuned", tuned), ("default", default)):
            for k, (steps, final, status) in enumerate(rows):
                self._trial(run_id, number, role, 0 if role == "tuned" else -1, lr, k, steps, final, status)
                number += 1
        return self

    def _trial(self, run_id, number, role, setting, lr, seed, steps, final, status):
        self.trials.append({
            "run_id": run_id, "trial": number, "role": role, "setting": setting, "lr": lr, "seed": seed,
            "status": status, "final_loss": final, "best_loss": final, "selection_loss": final,
            "steps_to_target": steps, "evaluations_to_target": 2 * steps, "evaluations": 200,
        })  # fmt: skip

    def done(self):
        empty = pd.DataFrame({"run_id": [], "role": [], "trial": []})
        return SimpleNamespace(runs=pd.DataFrame(self.runs), trials=pd.DataFrame(self.trials), curves=empty, hits=empty)


OK = [(10, 0.1, "ok")]


def test_a_row_says_what_the_evaluation_trials_did():
    tuned = [(20, 0.1, "ok"), (40, 0.2, "ok"), (INF, INF, "diverged"), (INF, 0.9, "ok"), (30, 0.3, "ok")]
    default = [(INF, 2.0, "ok"), (INF, 4.0, "ok"), (50, 0.4, "ok"), (INF, INF, "error"), (INF, INF, "error")]
    tuning = [(0.1, [(30, 0.2), (INF, INF)])]
    row = summarise(Table().run("bowl", "adam", tuning=tuning, tuned=tuned, default=default).done()).iloc[0]
    assert (row["seeds"], row["successes"], row["success_rate"]) == (5, 3, 0.6)
    assert (row["median_steps"], row["median_evaluations"]) == (40, 80)
    assert row["median_seconds"] == pytest.approx(0.4)
    assert row["ert"] == pytest.approx((20 + 40 + 100 + 100 + 30) / 3)
    assert (row["final_loss_q1"], row["final_loss_median"], row["final_loss_q3"]) == (0.2, 0.3, 0.9)
    assert (row["diverged"], row["failures"]) == (1, 1)
    assert (row["trials"], row["trials_diverged"], row["trials_failed"]) == (12, 1, 3)
    assert (row["default_median_steps"], row["default_success_rate"], row["default_final_median"]) == (INF, 0.2, 4)
    assert row["state_bytes_per_parameter"] == 16
    assert row["setting"] == "lr 0.1"


def test_gaps_are_taken_to_the_minimum():
    row = summarise(Table().run("bowl", "adam", default=[(5, 0.75, "ok")], minimum=0.5).done()).iloc[0]
    assert (row["final_loss_median"], row["final_median"], row["reference"]) == (0.75, 0.25, 0.5)


def test_where_the_minimum_is_unknown_gaps_are_taken_to_the_best_seen_by_anyone():
    results = (
        Table()
        .run("net", "adam", tuning=[(0.1, [(5, 0.25)])], tuned=OK, minimum=NAN, default=[(5, 0.5, "ok")])
        .run("net", "sgd", default=[(5, 0.75, "ok"), (INF, INF, "diverged")], minimum=NAN)
        .done()
    )
    assert reference(contest(results), "net") == 0.1
    assert summarise(results)["final_q1"].tolist() == pytest.approx([0, INF])


def test_a_run_that_failed_as_a_whole_has_a_row_and_reaches_nothing():
    results = Table().run("bowl", "adam", default=OK).run("bowl", "bad", status="error", error="boom").done()
    row = summarise(results).iloc[1]
    assert (row["contestant"], row["seeds"], row["success_rate"], row["median_steps"]) == ("bad", 0, 0, INF)
    assert (row["ert"], row["final_median"], row["error"]) == (INF, INF, "boom")


def test_the_better_tuned_schedule_stands_for_an_optimizer():
    results = (
        Table()
        .run("bowl", "adam", "constant", tuning=[(0.1, [(50, 1)]), (1.0, [(40, 1)])], tuned=OK)
        .run("bowl", "adam", "cosine", tuning=[(0.1, [(30, 1)]), (1.0, [(INF, 9)])], tuned=[(7, 0.1, "ok")])
        .run("hill", "adam", "constant", tuning=[(0.1, [(INF, 2.0)])], tuned=OK)
        .run("hill", "adam", "cosine", tuning=[(0.1, [(INF, 3.0)])], tuned=OK)
        .done()
    )
    summary = summarise(results)
    assert [c.label for c in contestants(results)] == ["adam"]
    assert summary["schedule"].tolist() == ["cosine", "constant"]
    assert summary["setting"].tolist() == ["lr 0.1, cosine", "lr 0.1, constant"]
    assert summary["median_steps"].tolist() == [7, 10]
    assert summary["trials"].tolist() == [5 + 1, 2 + 2]


def test_schedules_that_were_not_tuned_are_contestants_of_their_own():
    results = (
        Table()
        .run("bowl", "adam", "constant", default=OK)
        .run("bowl", "adam", "cosine", default=OK)
        .run("bowl", "sgd", "constant", default=OK)
        .done()
    )
    found = contestants(results)
    assert [c.label for c in found] == ["adam · constant", "adam · cosine", "sgd"]
    assert [c.index for c in found] == [0, 1, 2]
    assert summarise(results)["setting"].tolist() == ["defaults"] * 3


def test_lists_of_modifiers_make_contestants():
    results = (
        Table()
        .run("bowl", "adam", default=OK)
        .run("bowl", "adam", modifier="clip_norm+weight_decay", default=OK)
        .done()
    )
    assert [c.label for c in contestants(results)] == ["adam", "adam + clip_norm+weight_decay"]
    alone = Table().run("bowl", "adam", modifier="clip_norm", default=OK).done()
    assert [c.label for c in contestants(alone)] == ["adam"]


def test_different_budgets_and_types_are_different_problems():
    results = (
        Table()
        .run("bowl", "adam", default=OK)
        .run("bowl", "adam", default=OK, steps=200)
        .run("hill", "adam", default=OK)
        .run("hill", "adam", default=OK, dtype="torch.float32")
        .done()
    )
    expected = ["bowl · 100 steps", "bowl · 200 steps", "hill · float64", "hill · float32"]
    assert list(contest(results).problems) == expected
    assert summarise(results)["problem"].tolist() == expected


def test_of_runs_that_are_alike_the_newest_stands():
    results = (
        Table()
        .run("bowl", "adam", default=[(33, 0.1, "ok")], finished=9.0)
        .run("bowl", "sgd", default=OK)
        .run("bowl", "adam", default=[(44, 0.1, "ok")], finished=5.0)
        .done()
    )
    summary = summarise(results)
    assert summary["contestant"].tolist() == ["adam", "sgd"]
    assert summary["median_steps"].tolist() == [33, 10]


def test_the_defaults_are_those_with_the_constant_schedule():
    results = (
        Table()
        .run("bowl", "adam", "cosine", tuning=[(0.1, [(1, 1)])], tuned=OK, default=[(70, 1.0, "ok")])
        .run("bowl", "adam", "constant", tuning=[(0.1, [(2, 1)])], tuned=OK, default=[(90, 1.0, "ok")])
        .done()
    )
    row = summarise(results).iloc[0]
    assert (row["schedule"], row["default_median_steps"]) == ("cosine", 90)


def test_test_metrics_are_medians_over_the_trials_that_are_ok():
    results = Table().run("net", "adam", default=[(5, 0.1, "ok"), (5, 0.1, "ok"), (INF, INF, "diverged")]).done()
    results.trials["final_test_accuracy"] = [0.8, 0.9, 0.1]
    results.trials["final_test_loss"] = NAN
    summary = summarise(results)
    assert summary["final_test_accuracy"].tolist() == pytest.approx([0.85])
    assert "final_test_loss" not in summary


def test_the_border_of_a_search_space_is_seen_at_either_end():
    ranges = {"lr": {"log_uniform": [1e-4, 1.0]}, "momentum": {"uniform": [0.0, 0.9]}, "nesterov": {"choice": [0, 1]}}
    assert on_border({"lr": 1.0, "momentum": 0.0, "nesterov": 1}, ranges) == {"lr": "high", "momentum": "low"}
    assert on_border({"lr": 1e-4 * (1 + 1e-12), "momentum": 0.45}, ranges) == {"lr": "low"}
    assert on_border({}, ranges) == {}


def test_settings_are_written_as_they_were_tuned():
    search = {"lr": {"log_uniform": [0.01, 1.0]}}
    results = Table().run("bowl", "adam", tuning=[(0.1, [(1, 1)])], tuned=OK, lr=1.0, search=search).done()
    row = summarise(results).iloc[0]
    assert row["settings"] == {"lr": 1.0}
    assert row["lr"] == 1.0
    assert row["on_border"] == {"lr": "high"}
    assert np.isnan(summarise(Table().run("bowl", "adam", default=OK).done()).iloc[0]["lr"])


def test_neither_torch_nor_pyplot_is_needed():
    unwanted = {"torch", "matplotlib.pyplot", "scipy.stats"}
    code = f"import sys, optbench.report.figures, optbench.statistics.summary; print({unwanted} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
